//! The native executor: Rust over the same plan, generic over f32 (which trains) and f64 (which
//! checks gradients).
//!
//! Lanes run side by side, one a thread, each all its steps at once: its weights stay in that
//! core's cache and nothing waits inside a round. Only when fewer lanes than threads are running
//! do ops split their own work, into pieces that the shape alone decides, so that no bit depends
//! on the number of threads. Scratch belongs to the worker, not to the lane.

pub(crate) mod chunks;
pub(crate) mod exp;
pub(crate) mod matrix_unit;
pub(crate) mod product;
mod scratch;
pub(crate) mod simd;
mod team;
pub(crate) mod vector;

#[cfg(test)]
mod tests;

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;
use crate::executor::{Executor, Program, Split, check_lane, check_run, check_snapshot};
use crate::graph::Node;
use crate::lane::{LaneState, LaneView, Snapshot};
use crate::ops::Op;
use crate::plan::{Buffer, Dispatch, Plan, View};
use crate::real::Real;

pub use matrix_unit::matrix_unit_name;
pub(crate) use scratch::{ScratchLens, ScratchPool};
pub use simd::vector_bits;
use team::FreeThreads;

/// What an op sees beside its operands.
pub(crate) struct CpuContext<'a, T> {
    pub(crate) lane: LaneState,
    pub(crate) splits: &'a [Arc<Split>],
    /// Whether the op should split its work over threads.
    pub(crate) parallel: bool,
    pub(crate) scratch: &'a ScratchPool<T>,
    /// Set when a weight is no longer finite.
    pub(crate) fault: &'a AtomicBool,
}

/// Calls a kernel by itself with what it sees in a lane.
#[cfg(test)]
pub(crate) fn with_context<T: Real, R>(
    lane: LaneState,
    parallel: bool,
    work: impl FnOnce(&CpuContext<'_, T>) -> R,
) -> R {
    let (scratch, fault) = (ScratchPool::new(), AtomicBool::new(false));
    work(&CpuContext { lane, splits: &[], parallel, scratch: &scratch, fault: &fault })
}

/// Buffers of one lane that outlive a step.
struct Lane<T> {
    state: LaneState,
    parameters: Vec<T>,
    velocity: Vec<T>,
    second_moment: Vec<T>,
    gradients: Vec<T>,
    /// Of each plan: kept values, then the records.
    outputs: Vec<PlanOutputs<T>>,
}

struct PlanOutputs<T> {
    kept: Vec<Vec<T>>,
    records: Vec<T>,
}

/// Runs plans natively.
pub struct CpuExecutor<T> {
    program: Program,
    lanes: Vec<Lane<T>>,
    scratch: ScratchPool<T>,
    poison: bool,
}

impl<T: Real> CpuExecutor<T> {
    /// Memory for `lanes` lanes of a program.
    ///
    /// # Errors
    /// If `lanes` is 0.
    pub fn new(program: &Program, lanes: usize) -> Result<Self, Error> {
        if lanes == 0 {
            let expected = "at least one".to_owned();
            return Err(Error::Call { call: "new", got: "0 lanes".to_owned(), expected });
        }
        let lanes = (0..lanes).map(|_| Lane::new(program)).collect();
        Ok(Self { program: program.clone(), lanes, scratch: ScratchPool::new(), poison: false })
    }
}

impl<T: Real> Executor<T> for CpuExecutor<T> {
    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn load(&mut self, lane: usize, snapshot: &Snapshot<T>) -> Result<(), Error> {
        check_lane("load", self.lanes.len(), lane)?;
        check_snapshot(&self.program, snapshot)?;
        let lane = &mut self.lanes[lane];
        lane.state = snapshot.state;
        lane.parameters.copy_from_slice(&snapshot.parameters);
        lane.velocity.copy_from_slice(&snapshot.velocity);
        match snapshot.second_moment.as_slice() {
            [] => lane.second_moment.fill(T::zero()),
            values => lane.second_moment.copy_from_slice(values),
        }
        Ok(())
    }

    fn load_with(
        &mut self,
        lane: usize,
        state: LaneState,
        write: &mut dyn FnMut([&mut [T]; 3]),
    ) -> Result<(), Error> {
        check_lane("load", self.lanes.len(), lane)?;
        let lane = &mut self.lanes[lane];
        lane.state = state;
        write([&mut lane.parameters, &mut lane.velocity, &mut lane.second_moment]);
        Ok(())
    }

    fn view(&mut self, lane: usize) -> Result<LaneView<'_, T>, Error> {
        check_lane("save", self.lanes.len(), lane)?;
        let lane = &self.lanes[lane];
        Ok(LaneView {
            state: lane.state,
            parameters: lane.parameters.as_slice().into(),
            velocity: lane.velocity.as_slice().into(),
            second_moment: lane.second_moment.as_slice().into(),
        })
    }

    fn run_from(
        &mut self,
        first: u32,
        plan: usize,
        repeats: &[u32],
    ) -> Result<Vec<LaneState>, Error> {
        check_run(&self.program, self.lanes.len(), first, plan, repeats)?;
        for (lane, &repeats) in self.lanes.iter_mut().zip(repeats) {
            lane.state.set_out(first, repeats);
        }
        let worker = Worker {
            plan: &self.program.plans()[plan],
            plan_index: plan,
            splits: self.program.splits(),
            scratch: &self.scratch,
            poison: self.poison,
        };
        let running = self.lanes.iter_mut().filter(|lane| lane.state.remaining > 0);
        team::for_each_lane(
            running,
            |lane| lane.state.remaining,
            |lane, free| worker.run(lane, free),
        );
        self.program.check_streams()?;
        Ok(self.lanes.iter().map(|lane| lane.state).collect())
    }

    fn read(&mut self, plan: usize, lane: usize, node: Node) -> Result<Vec<T>, Error> {
        check_lane("read", self.lanes.len(), lane)?;
        let view = self.program.plans()[plan].view_of(node)?;
        // A readable value is in no scratch slot.
        let buffer = self.lanes[lane].buffer(plan, &[], view.buffer);
        Ok(buffer[view.offset..view.offset + view.len].to_vec())
    }

    fn records(&mut self, plan: usize) -> Result<Vec<Vec<Vec<T>>>, Error> {
        let (n_values, _) = self.program.plans()[plan].records;
        let rows = |lane: &Lane<T>| {
            let n_rows = lane.state.cursor as usize;
            let rows = lane.outputs[plan].records.chunks(n_values.max(1)).take(n_rows);
            rows.map(<[T]>::to_vec).collect()
        };
        Ok(self.lanes.iter().map(rows).collect())
    }

    fn poison(&mut self) -> Result<(), Error> {
        self.poison = true;
        for lane in &mut self.lanes {
            lane.gradients.fill(T::nan());
            for outputs in &mut lane.outputs {
                outputs.records.fill(T::nan());
                outputs.kept.iter_mut().for_each(|kept| kept.fill(T::nan()));
            }
        }
        Ok(())
    }
}

impl<T: Real> Lane<T> {
    fn new(program: &Program) -> Self {
        let zeros = |len| vec![T::zero(); len];
        let n_parameters = program.n_parameters();
        let outputs = |plan: &Plan| PlanOutputs {
            kept: plan.kept.iter().map(|&len| zeros(len)).collect(),
            records: zeros(plan.records.0 * plan.records.1),
        };
        Self {
            state: LaneState::default(),
            parameters: zeros(n_parameters),
            velocity: zeros(n_parameters),
            second_moment: zeros(program.second_moment_len()),
            gradients: zeros(program.gradients_len()),
            outputs: program.plans().iter().map(outputs).collect(),
        }
    }

    /// A buffer of a plan; `slots` is the scratch of the worker that runs it.
    fn buffer<'b>(&'b self, plan: usize, slots: &'b [Vec<T>], buffer: Buffer) -> &'b Vec<T> {
        match buffer {
            Buffer::Parameters => &self.parameters,
            Buffer::Velocity => &self.velocity,
            Buffer::SecondMoment => &self.second_moment,
            Buffer::Gradients => &self.gradients,
            Buffer::Records => &self.outputs[plan].records,
            Buffer::Kept(index) => &self.outputs[plan].kept[index],
            Buffer::Slot(index) => &slots[index],
        }
    }

    /// As [`Lane::buffer`], to be written.
    fn buffer_mut<'b>(
        &'b mut self,
        plan: usize,
        slots: &'b mut [Vec<T>],
        buffer: Buffer,
    ) -> &'b mut Vec<T> {
        match buffer {
            Buffer::Parameters => &mut self.parameters,
            Buffer::Velocity => &mut self.velocity,
            Buffer::SecondMoment => &mut self.second_moment,
            Buffer::Gradients => &mut self.gradients,
            Buffer::Records => &mut self.outputs[plan].records,
            Buffer::Kept(index) => &mut self.outputs[plan].kept[index],
            Buffer::Slot(index) => &mut slots[index],
        }
    }
}

/// What all workers of one run share.
struct Worker<'a, T> {
    plan: &'a Plan,
    plan_index: usize,
    splits: &'a [Arc<Split>],
    scratch: &'a ScratchPool<T>,
    poison: bool,
}

impl<T: Real> Worker<'_, T> {
    /// All iterations of one lane.
    fn run(&self, lane: &mut Lane<T>, free: &FreeThreads) {
        let mut slots: Vec<Vec<T>> =
            self.plan.slots.iter().map(|&len| self.scratch.take(len)).collect();
        for _ in 0..lane.state.remaining {
            if self.poison {
                slots.iter_mut().for_each(|slot| slot.fill(T::nan()));
            }
            let fault = AtomicBool::new(false);
            for dispatch in &self.plan.dispatches {
                self.dispatch(dispatch, lane, &mut slots, free, &fault);
            }
            if lane.state.diverged_at > 0 {
                break;
            }
        }
        slots.into_iter().for_each(|slot| self.scratch.give(slot));
    }

    fn dispatch(
        &self,
        dispatch: &Dispatch,
        lane: &mut Lane<T>,
        slots: &mut [Vec<T>],
        free: &FreeThreads,
        fault: &AtomicBool,
    ) {
        let copies = self.copies(dispatch, lane, slots);
        // Outputs are moved out while the op runs, so that its inputs can be borrowed.
        let mut taken: Vec<Vec<T>> = dispatch
            .outputs
            .iter()
            .map(|view| mem::take(lane.buffer_mut(self.plan_index, slots, view.buffer)))
            .collect();
        {
            let mut outputs: Vec<&mut [T]> = taken
                .iter_mut()
                .zip(&dispatch.outputs)
                .map(|(buffer, view)| &mut buffer[view.offset..view.offset + view.len])
                .collect();
            let inputs: Vec<&[T]> = dispatch
                .inputs
                .iter()
                .zip(&copies)
                .map(|(view, copy)| match copy {
                    Some(copy) => copy.as_slice(),
                    None => self.part(lane, slots, view),
                })
                .collect();
            if let Op::Advance(advance) = &dispatch.op {
                let loss = inputs.first().map(|loss| loss[0]);
                advance.apply(&mut lane.state, loss, fault.load(Ordering::Relaxed));
            } else {
                let context = CpuContext {
                    lane: lane.state,
                    splits: self.splits,
                    parallel: free.is_any(),
                    scratch: self.scratch,
                    fault,
                };
                dispatch.op.cpu(&context, &inputs, &mut outputs);
            }
        }
        for (buffer, view) in taken.into_iter().zip(&dispatch.outputs) {
            *lane.buffer_mut(self.plan_index, slots, view.buffer) = buffer;
        }
        copies.into_iter().flatten().for_each(|copy| self.scratch.give(copy));
    }

    /// Copies of the inputs that lie in a buffer which the op also writes: two gradients, say.
    fn copies(&self, dispatch: &Dispatch, lane: &Lane<T>, slots: &[Vec<T>]) -> Vec<Option<Vec<T>>> {
        let copy = |view: &View| {
            let mut copy = self.scratch.take(view.len);
            copy.copy_from_slice(self.part(lane, slots, view));
            copy
        };
        dispatch.inputs.iter().map(|view| dispatch.writes_to(view).then(|| copy(view))).collect()
    }

    fn part<'b>(&self, lane: &'b Lane<T>, slots: &'b [Vec<T>], view: &View) -> &'b [T] {
        &lane.buffer(self.plan_index, slots, view.buffer)[view.offset..view.offset + view.len]
    }
}
