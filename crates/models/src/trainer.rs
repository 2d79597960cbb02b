//! The lane trainer: the tuner's trait on top of an executor.

use bytemuck::bytes_of;
use critbatch_kernels::{Executor, HostCost, LaneState, Parameter, Snapshot};
use critbatch_tuner::{Goal, LaneTrainer, Metrics, TrainerError, Trial};

use crate::checkpoint::{self, Checkpoint};
use crate::error::ModelError;
use crate::evaluation::{Evaluation, repeats_in};
use crate::gradient_noise::{self, N_MICRO_BATCHES};
use crate::hypergeometric::as_f64;
use crate::initialise::{initial_parameters, trial_key};
use crate::metaparameters::lane_state;
use crate::optimizer::Optimizer;

/// Index in a trainer's program of the training plan, or of the one that adds the parts of a batch up;
/// behind the latter the one that updates. Evaluation plans follow, then the plan of the gradient noise,
/// if it is measured.
pub(crate) const TRAINING_PLAN: usize = 0;

/// Index of the plan that updates by the sums of a batch's parts.
const UPDATE_PLAN: usize = 1;

/// Trains the trials of one study in the lanes of an executor.
pub struct Trainer {
    pub(crate) executor: Box<dyn Executor<f32>>,
    pub(crate) optimizer: Optimizer,
    pub(crate) parameters: Vec<Parameter>,
    /// Number of training examples.
    pub(crate) n_train: usize,
    pub(crate) evaluations: Vec<Evaluation>,
    pub(crate) gradient_noise_plan: Option<usize>,
    /// Parts in which a batch is trained on.
    pub(crate) n_parts: u32,
    /// What measuring takes, in training steps.
    pub(crate) stop_cost: f64,
    pub(crate) occupied: Vec<bool>,
}

impl Trainer {
    /// What having kernels run on a device has cost the host so far; `None` on the native executor.
    pub fn host_cost(&self) -> Option<HostCost> {
        self.executor.host_cost()
    }

    fn check_occupied(&self, lane: usize) -> Result<(), ModelError> {
        match self.occupied.get(lane) {
            Some(true) => Ok(()),
            _ => Err(ModelError::EmptyLane(lane)),
        }
    }

    fn check_all_occupied(&self, lanes: &[usize]) -> Result<(), ModelError> {
        lanes.iter().try_for_each(|&lane| self.check_occupied(lane))
    }

    /// The state of a trial where a saved one left off. All but a few counters follow from trial and step,
    /// and must.
    fn resumed(&self, trial: &Trial, saved: LaneState) -> Result<LaneState, ModelError> {
        let n_examples_seen = u128::from(saved.step) * u128::from(trial.batch_size);
        let n_train = self.n_train as u128;
        #[expect(clippy::cast_possible_truncation, reason = "both counters wrap on the device too")]
        let [epoch, offset] =
            [n_examples_seen / n_train, n_examples_seen % n_train].map(|count| count as u32);
        let state = LaneState {
            step: saved.step,
            epoch,
            offset,
            diverged_at: saved.diverged_at,
            beta1_power: saved.beta1_power,
            beta2_power: saved.beta2_power,
            ..lane_state(self.optimizer, trial, trial_key(trial)?)?
        };
        // Set anew by every run.
        let saved = LaneState { remaining: state.remaining, cursor: state.cursor, ..saved };
        match bytes_of(&saved) == bytes_of(&state) {
            true => Ok(state),
            false => Err(ModelError::Checkpoint(format!(
                "its trial is not trial {} of batch size {}",
                trial.trial_id, trial.batch_size
            ))),
        }
    }

    /// Steps of each lane on batches in parts.
    fn advance_in_parts(&mut self, mut steps: Vec<u32>) -> Result<Vec<LaneState>, ModelError> {
        loop {
            let running: Vec<u32> = steps.iter().map(|&left| left.min(1)).collect();
            let parts: Vec<u32> = running.iter().map(|&runs| runs * self.n_parts).collect();
            self.executor.run(TRAINING_PLAN, &parts)?;
            let states = self.executor.run(UPDATE_PLAN, &running)?;
            for (left, state) in steps.iter_mut().zip(&states) {
                *left = if state.diverged_at > 0 { 0 } else { left.saturating_sub(1) };
            }
            if steps.iter().all(|&left| left == 0) {
                return Ok(states);
            }
        }
    }
}

impl LaneTrainer for Trainer {
    fn lanes(&self) -> usize {
        self.executor.lanes()
    }

    fn lockstep_stop_cost(&self) -> Option<f64> {
        self.executor.is_lockstep().then_some(self.stop_cost)
    }

    fn start(&mut self, lane: usize, trial: &Trial) -> Result<(), TrainerError> {
        let key = trial_key(trial)?;
        let state = lane_state(self.optimizer, trial, key)?;
        let parameters = initial_parameters(&self.parameters, key);
        self.executor.load(lane, &Snapshot::fresh(state, parameters))?;
        self.occupied[lane] = true;
        Ok(())
    }

    fn advance(&mut self, steps: &[u64]) -> Result<Vec<Option<u64>>, TrainerError> {
        let repeats = steps
            .iter()
            .map(|&value| {
                let limit = u64::from(u32::MAX);
                let what = "steps of one round";
                u32::try_from(value).map_err(|_| ModelError::TooLarge { what, value, limit })
            })
            .collect::<Result<Vec<_>, _>>()?;
        for (lane, _) in repeats.iter().enumerate().filter(|(_, repeats)| **repeats > 0) {
            self.check_occupied(lane)?;
        }
        let states = match self.n_parts {
            1 => self.executor.run(TRAINING_PLAN, &repeats).map_err(ModelError::from)?,
            _ => self.advance_in_parts(repeats)?,
        };
        let diverged = |(state, &occupied): (&LaneState, &bool)| {
            (occupied && state.diverged_at > 0).then_some(u64::from(state.diverged_at))
        };
        Ok(states.iter().zip(&self.occupied).map(diverged).collect())
    }

    fn evaluate(
        &mut self,
        lanes: &[usize],
        goal: Option<&Goal>,
    ) -> Result<Vec<Metrics>, TrainerError> {
        self.check_all_occupied(lanes)?;
        let mut metrics = vec![Metrics::new(); lanes.len()];
        for evaluation in &self.evaluations {
            let of_split = evaluation.run(&mut *self.executor, lanes, goal)?;
            metrics.iter_mut().zip(of_split).for_each(|(metrics, split)| metrics.extend(split));
        }
        Ok(metrics)
    }

    fn evaluate_share(&mut self, lanes: &[usize], share: f64) -> Result<f64, TrainerError> {
        self.check_all_occupied(lanes)?;
        let (mut n_evaluated, mut n_labels) = (0, 0);
        for evaluation in &self.evaluations {
            n_evaluated += evaluation.run_share(&mut *self.executor, lanes, share)?;
            n_labels += evaluation.n_labels();
        }
        Ok(as_f64(n_evaluated) / as_f64(n_labels))
    }

    fn gradient_noise(&mut self, lanes: &[usize]) -> Result<Vec<Metrics>, TrainerError> {
        self.check_all_occupied(lanes)?;
        let Some(plan) = self.gradient_noise_plan else {
            return Ok(vec![Metrics::new(); lanes.len()]);
        };
        let repeats = repeats_in(self.executor.lanes(), lanes, N_MICRO_BATCHES);
        self.executor.run(plan, &repeats).map_err(ModelError::from)?;
        let records = self.executor.records(plan).map_err(ModelError::from)?;
        Ok(lanes.iter().map(|&lane| gradient_noise::metrics(&records[lane])).collect())
    }

    fn snapshot(&mut self, lane: usize) -> Result<Vec<u8>, TrainerError> {
        self.check_occupied(lane)?;
        let lane = self.executor.view(lane).map_err(ModelError::from)?;
        // These only say how the steps were cut into calls: the same state is the same file.
        let state = LaneState { remaining: 0, cursor: 0, ..lane.state };
        let buffers = [&*lane.parameters, &*lane.velocity, &*lane.second_moment];
        Ok(checkpoint::to_bytes(&state, buffers, &self.parameters)?)
    }

    fn restore(
        &mut self,
        lane: usize,
        trial: &Trial,
        snapshot: &[u8],
    ) -> Result<u64, TrainerError> {
        self.free(lane);
        let has_second_moment = self.optimizer.rule().has_second_moment();
        let checkpoint = Checkpoint::open(snapshot, &self.parameters, has_second_moment)?;
        let state = self.resumed(trial, checkpoint.state)?;
        let mut write = |buffers: [&mut [f32]; 3]| checkpoint.copy_to(buffers);
        self.executor.load_with(lane, state, &mut write).map_err(ModelError::from)?;
        self.occupied[lane] = true;
        Ok(u64::from(state.step))
    }

    fn free(&mut self, lane: usize) {
        self.occupied[lane] = false;
    }
}
