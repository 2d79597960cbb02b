//! Whether a device computes what the native executor does.
//!
//! Some drivers compile compute shaders wrongly, and nothing in a curve would show it: training would just
//! be worse. So every kernel runs once before it trains.

use std::sync::Arc;

use super::device::{Adapter, Device};
use super::executor::GpuExecutor;
use super::lower::lower;
use super::pipelines::key;
use crate::cpu::CpuExecutor;
use crate::error::Error;
use crate::executor::{Executor, Program};
use crate::graph::Parameter;
use crate::lane::{LaneState, Snapshot};

/// Iterations of each plan: after the second, biases and velocities are no longer zero.
const N_ITERATIONS: u32 = 2;

/// Largest difference that rounding is taken to explain, as a share of the norm. Rounding alone gives
/// about 1e-5, and was seen to give 2e-3 where it decides whether a unit is active; a kernel that gets
/// one element in a thousand wrong by as much as its value gives 3e-2.
const ALLOWED: f64 = 1e-2;

/// A tensor with less than this share of the norm of all of them is measured against that share: some
/// gradients are zero but for rounding, as those of a bias that a normalisation takes away again.
const NEGLIGIBLE: f64 = 1e-2;

/// Runs each kernel of a program that the device has not passed yet, and compares what comes out with the
/// native executor: all parameters and moments after two steps, and all that evaluations record.
///
/// `starts` are trials before their first step. A device fails where none of them agrees: at a single
/// one, rounding may have decided whether a unit is active.
///
/// # Errors
/// [`Error::WrongResults`] if the device computes something else, [`Error::Kernel`] if its driver does not
/// compile a kernel, and as [`GpuExecutor::new`].
pub fn self_test(
    device: &Arc<Device>,
    program: &Program,
    parameters: &[Parameter],
    starts: &[Snapshot<f32>],
) -> Result<(), Error> {
    let kernels = lower(program, device.tiling);
    let keys = kernels.iter().flatten().map(|kernel| key(&kernel.launch));
    let untested = device.pipelines.untested(keys);
    if untested.is_empty() {
        return Ok(());
    }
    let mut native = CpuExecutor::<f32>::new(program, 1)?;
    // The trial trains in the second lane, beside one that is idle, where there is memory for two.
    let mut tested = match GpuExecutor::new(device, program, 2) {
        Err(Error::OutOfMemory { .. }) => GpuExecutor::new(device, program, 1)?,
        made => made?,
    };
    tested.poison()?;
    let mut problem = None;
    for start in starts {
        problem = difference(program, parameters, start, [&mut native, &mut tested])?;
        if problem.is_none() {
            tracing::info!(kernels = untested.len(), "kernels agree with the native executor");
            break;
        }
    }
    match problem {
        Some(problem) => {
            let Adapter { name, driver, .. } = device.adapter().clone();
            Err(Error::WrongResults { device: name, driver, problem })
        }
        None => {
            device.pipelines.passed(untested);
            Ok(())
        }
    }
}

/// Runs all plans from one start in the last lane of both executors; what differs, if anything does.
pub(super) fn difference(
    program: &Program,
    parameters: &[Parameter],
    start: &Snapshot<f32>,
    executors: [&mut dyn Executor<f32>; 2],
) -> Result<Option<String>, Error> {
    let [mut native, mut tested] =
        executors.map(|executor| LastLane { lane: executor.lanes() - 1, executor });
    native.executor.load(native.lane, start)?;
    tested.executor.load(tested.lane, start)?;
    for (index, plan) in program.plans().iter().enumerate() {
        let (n_values, n_rows) = plan.records;
        let most = if n_values > 0 { n_rows as u32 } else { u32::MAX };
        let n_iterations = N_ITERATIONS.min(most);
        let native = native.run(index, n_iterations)?;
        let tested = tested.run(index, n_iterations)?;
        if native.counters != tested.counters {
            let [native, tested] = [native.counters, tested.counters];
            return Ok(Some(format!("plan {index} counts {tested:?}, not {native:?}")));
        }
        let after = [native.snapshot, tested.snapshot];
        let rows = [native.records, tested.records];
        let found = difference_of_snapshots(parameters, start, &after)
            .or_else(|| difference_of("what an evaluation measures", &rows[0], &rows[1], 0.0));
        if let Some(what) = found {
            return Ok(Some(format!("after {n_iterations} runs of plan {index}, {what}")));
        }
    }
    Ok(None)
}

/// An executor whose last lane is at work, the others idle.
struct LastLane<'a> {
    executor: &'a mut dyn Executor<f32>,
    lane: usize,
}

/// What a run of a plan leaves in a lane.
struct After {
    counters: [u32; 4],
    snapshot: Snapshot<f32>,
    records: Vec<f32>,
}

impl LastLane<'_> {
    fn run(&mut self, plan: usize, n_iterations: u32) -> Result<After, Error> {
        let Self { executor, lane } = self;
        let mut repeats = vec![0; *lane];
        repeats.push(n_iterations);
        let state = executor.run(plan, &repeats)?[*lane];
        let records = executor.records(plan)?[*lane].concat();
        Ok(After { counters: counters(&state), snapshot: executor.save(*lane)?, records })
    }
}

fn counters(state: &LaneState) -> [u32; 4] {
    [state.step, state.epoch, state.offset, state.diverged_at]
}

/// Moments tensor by tensor, or, under a rule without any, the changes of the parameters; and the changes of
/// all parameters together, because Adam turns a gradient of nothing but rounding into a whole step.
fn difference_of_snapshots(
    parameters: &[Parameter],
    start: &Snapshot<f32>,
    [native, tested]: &[Snapshot<f32>; 2],
) -> Option<String> {
    let change = |after: &Snapshot<f32>| -> Vec<f32> {
        after
            .parameters
            .iter()
            .zip(&start.parameters)
            .map(|(after, before)| after - before)
            .collect()
    };
    let changes = [change(native), change(tested)];
    let has_moments = native.velocity.iter().any(|&value| value != 0.0);
    let by_tensor = match has_moments {
        true => vec![
            ("the velocity", [&native.velocity, &tested.velocity]),
            ("the second moment", [&native.second_moment, &tested.second_moment]),
        ],
        false => vec![("the change", [&changes[0], &changes[1]])],
    };
    for (what, [native, tested]) in by_tensor {
        let floor = NEGLIGIBLE * norm(native);
        for parameter in parameters.iter().filter(|_| !native.is_empty()) {
            let range = parameter.offset..parameter.offset + parameter.shape.len();
            let what = format!("{what} of '{}'", parameter.name);
            let found = difference_of(&what, &native[range.clone()], &tested[range], floor);
            if found.is_some() {
                return found;
            }
        }
    }
    difference_of("the change of all parameters", &changes[0], &changes[1], 0.0)
}

/// Says by how much the second differs from the first, if by more than [`ALLOWED`] of its norm or `floor`.
fn difference_of(what: &str, native: &[f32], tested: &[f32], floor: f64) -> Option<String> {
    let difference: Vec<f32> = native.iter().zip(tested).map(|(a, b)| a - b).collect();
    let (off, scale) = (norm(&difference), norm(native).max(floor));
    // Not `>`: a NaN is a difference, unless the native executor has it too.
    let agrees = off <= ALLOWED * scale || !scale.is_finite();
    (!agrees).then(|| format!("{what} is off by {:.2} of its norm", off / scale))
}

/// Euclidean norm.
fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}
