//! What both executors do: hold lanes, run plans over them, hand back results.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Error;
use crate::graph::Node;
use crate::lane::{LaneState, LaneView, Snapshot};
use crate::plan::{Buffer, Plan};
use crate::real::Real;

/// Examples, shared by all lanes.
#[derive(Debug, Clone)]
pub struct Split {
    /// What each example is, in bytes.
    pub images: Images,
    /// Class of each example.
    pub labels: Vec<u32>,
}

/// Where the bytes of examples come from.
#[derive(Debug, Clone)]
pub enum Images {
    /// All of them in memory, `[n, example_len]`, and on the device; shared, so that they may lie in a
    /// mapped file.
    Resident(Bytes),
    /// Read when a batch needs them.
    Streamed(Arc<dyn ExampleStream>),
}

/// Reads examples one at a time, from many threads.
pub trait ExampleStream: fmt::Debug + Send + Sync {
    /// Bytes of one example.
    fn example_len(&self) -> usize;

    /// Writes the bytes of an example. `random` says how it is varied, if it is: numbers that its trial,
    /// its epoch and its index decide, and nothing else. An example that makes no sense has to look like
    /// something, and whoever reads it keeps count; where reading itself failed, what is written means
    /// nothing, and [`failure`](Self::failure) tells.
    fn read(&self, index: usize, random: [u32; 4], bytes: &mut [u8]);

    /// What failed when something was read, the first of it: executors then end their call with an error.
    fn failure(&self) -> Option<String>;
}

impl Split {
    /// Examples in memory.
    pub fn resident(images: impl Into<Bytes>, labels: Vec<u32>) -> Self {
        Self { images: Images::Resident(images.into()), labels }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes of one example.
    pub fn example_len(&self) -> usize {
        match &self.images {
            Images::Resident(bytes) => bytes.len().checked_div(self.len()).unwrap_or(0),
            Images::Streamed(stream) => stream.example_len(),
        }
    }

    /// Whether its examples are read when a batch needs them.
    pub(crate) fn stream(&self) -> Option<&dyn ExampleStream> {
        match &self.images {
            Images::Resident(_) => None,
            Images::Streamed(stream) => Some(&**stream),
        }
    }

    /// All examples, if they are in memory; else none.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.images {
            Images::Resident(bytes) => bytes,
            Images::Streamed(_) => &[],
        }
    }
}

/// Plans over the same parameters and data: what an executor is made from.
#[derive(Debug, Clone)]
pub struct Program {
    plans: Vec<Plan>,
    splits: Vec<Arc<Split>>,
}

impl Program {
    /// Puts plans and data together.
    ///
    /// # Errors
    /// If the plans declare different parameters, or gather from a split that is missing or of
    /// other dimensions than they were built for.
    pub fn new(plans: Vec<Plan>, splits: Vec<Arc<Split>>) -> Result<Self, Error> {
        for (index, plan) in plans.iter().enumerate() {
            let (first, other) = (plans[0].layout(), plan.layout());
            if first != other {
                return Err(Error::ParameterLayout { first, plan: index, other });
            }
            plan.check_splits(&splits)?;
        }
        Ok(Self { plans, splits })
    }

    /// The plans.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// That no stream failed so far.
    ///
    /// # Errors
    /// What failed.
    pub(crate) fn check_streams(&self) -> Result<(), Error> {
        let mut streams = self.splits.iter().filter_map(|split| split.stream());
        match streams.find_map(|stream| stream.failure()) {
            None => Ok(()),
            Some(problem) => Err(Error::Stream { problem }),
        }
    }

    /// The data splits.
    pub fn splits(&self) -> &[Arc<Split>] {
        &self.splits
    }

    /// Number of parameter elements per lane.
    pub fn n_parameters(&self) -> usize {
        self.plans.first().map_or(0, Plan::n_parameters)
    }

    /// Elements per lane of the gradients that are stored within a step.
    pub(crate) fn gradients_len(&self) -> usize {
        self.plans.iter().map(|plan| plan.gradients_len).max().unwrap_or(0)
    }

    /// Elements per lane of the means of squared gradients: one a parameter, or none.
    pub(crate) fn second_moment_len(&self) -> usize {
        let dispatches = self.plans.iter().flat_map(|plan| &plan.dispatches);
        let mut outputs = dispatches.flat_map(|dispatch| &dispatch.outputs);
        match outputs.any(|view| view.buffer == Buffer::SecondMoment) {
            true => self.n_parameters(),
            false => 0,
        }
    }

    /// Elements of one lane that outlive a step: parameters, their moments, stored gradients and what
    /// each plan keeps. Scratch comes on top.
    pub(crate) fn lane_len(&self) -> usize {
        let outputs = self.plans.iter().map(Plan::outputs_len).sum::<usize>();
        2 * self.n_parameters() + self.second_moment_len() + self.gradients_len() + outputs
    }
}

/// What having kernels run on a device costs the host, waits for the device left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostCost {
    /// Kernels recorded and submitted, each for all lanes.
    pub n_dispatches: u64,
    /// Time that it took; without the submission on a software device, which may run them there
    /// and then.
    pub recording: Duration,
}

/// Runs the plans of one [`Program`] over its lanes.
///
/// Lanes are independent: no method changes a bit of a lane that it was not told to.
pub trait Executor<T: Real> {
    /// Number of lanes.
    fn lanes(&self) -> usize;

    /// Puts a trial into a lane.
    ///
    /// # Errors
    /// If the lane does not exist, the snapshot is of another program, or the device failed.
    fn load(&mut self, lane: usize, snapshot: &Snapshot<T>) -> Result<(), Error>;

    /// As [`Executor::load`], of a trial that has no place of its own in memory: `write` is called once and
    /// writes every parameter, velocity and, where it is kept, mean square of the lane.
    ///
    /// # Errors
    /// If the lane does not exist or the device failed.
    fn load_with(
        &mut self,
        lane: usize,
        state: LaneState,
        write: &mut dyn FnMut([&mut [T]; 3]),
    ) -> Result<(), Error>;

    /// The trial in a lane, which natively is not copied.
    ///
    /// # Errors
    /// If the lane does not exist or the device failed.
    fn view(&mut self, lane: usize) -> Result<LaneView<'_, T>, Error>;

    /// Takes a copy of the trial in a lane.
    ///
    /// # Errors
    /// As [`Executor::view`].
    fn save(&mut self, lane: usize) -> Result<Snapshot<T>, Error> {
        Ok(self.view(lane)?.into_snapshot())
    }

    /// Runs a plan `repeats[lane]` times in each lane, without a host wait inside; a lane that
    /// diverges stops there. Returns the lanes' states.
    ///
    /// # Errors
    /// If there is no such plan, `repeats` has not one entry a lane, or the device failed.
    fn run(&mut self, plan: usize, repeats: &[u32]) -> Result<Vec<LaneState>, Error> {
        self.run_from(0, plan, repeats)
    }

    /// As [`Executor::run`], with `first` iterations taken as run: an evaluation goes on behind the
    /// examples of these and records below their rows, which are those of an earlier call.
    ///
    /// # Errors
    /// As [`Executor::run`], and if the plan would record more rows than it has.
    fn run_from(
        &mut self,
        first: u32,
        plan: usize,
        repeats: &[u32],
    ) -> Result<Vec<LaneState>, Error>;

    /// Values of a node that the plan keeps, after a run.
    ///
    /// # Errors
    /// If the plan does not keep the node or the device failed.
    fn read(&mut self, plan: usize, lane: usize, node: Node) -> Result<Vec<T>, Error>;

    /// What an evaluation plan recorded in each lane, up to where its last run ended: one row of
    /// values per iteration; none in a lane that did not run.
    ///
    /// # Errors
    /// If the device failed.
    fn records(&mut self, plan: usize) -> Result<Vec<Vec<Vec<T>>>, Error>;

    /// Whether the lanes of a call of [`Executor::run`] wait for the one that runs longest.
    fn is_lockstep(&self) -> bool {
        false
    }

    /// What recording kernels for a device has cost the host so far; `None` where the host runs
    /// them itself.
    fn host_cost(&self) -> Option<HostCost> {
        None
    }

    /// Fills all that a plan must write before it reads it with NaN, so that a test sees what
    /// was not written.
    ///
    /// # Errors
    /// If the device failed.
    fn poison(&mut self) -> Result<(), Error>;
}

/// The checks that both executors make of a call of [`Executor::run_from`].
pub(crate) fn check_run(
    program: &Program,
    lanes: usize,
    first: u32,
    plan: usize,
    repeats: &[u32],
) -> Result<(), Error> {
    let refuse = |got, expected| Err(Error::Call { call: "run", got, expected });
    let Some(plan) = program.plans.get(plan) else {
        return refuse(format!("plan {plan}"), format!("an index below {}", program.plans.len()));
    };
    if repeats.len() != lanes {
        let got = format!("{} repeat counts", repeats.len());
        return refuse(got, format!("one for each of {lanes} lanes"));
    }
    let (n_values, n_rows) = plan.records;
    let most = repeats.iter().copied().max().unwrap_or(0);
    let n_iterations = first as usize + most as usize;
    if n_values > 0 && most > 0 && n_iterations > n_rows {
        let expected = format!("at most the {n_rows} rows that the plan records");
        return refuse(format!("{n_iterations} iterations"), expected);
    }
    Ok(())
}

/// The check that both executors make of a lane index.
pub(crate) fn check_lane(call: &'static str, lanes: usize, lane: usize) -> Result<(), Error> {
    if lane < lanes {
        return Ok(());
    }
    Err(Error::Call {
        call,
        got: format!("lane {lane}"),
        expected: format!("a lane below {lanes}"),
    })
}

/// The check that both executors make of a snapshot's size. No second moment stands for one of zeros.
pub(crate) fn check_snapshot<T>(program: &Program, snapshot: &Snapshot<T>) -> Result<(), Error> {
    let n_parameters = program.n_parameters();
    let got = [&snapshot.parameters, &snapshot.velocity, &snapshot.second_moment].map(Vec::len);
    let second_moment_len = program.second_moment_len();
    if got[..2] == [n_parameters; 2] && (got[2] == 0 || got[2] == second_moment_len) {
        return Ok(());
    }
    Err(Error::Call {
        call: "load",
        got: format!("{} parameters, {} velocities and {} mean squares", got[0], got[1], got[2]),
        expected: format!("{n_parameters} of the first two and {second_moment_len} or none"),
    })
}
