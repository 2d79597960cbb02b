//! The end of every iteration: metrics recorded, counters moved, divergence seen.

mod gpu;

use crate::cpu::CpuContext;
use crate::lane::LaneState;
use crate::ops::Op;
use crate::ops::gather::{Gather, Sampling};
use crate::plan::Fused;
use crate::real::Real;

/// Writes values of these lengths, one after another, into row `cursor` of `rows`, in lanes that are
/// still running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) lens: Vec<usize>,
    pub(crate) rows: usize,
}

/// Moves a lane's counters on by one iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advance {
    /// Whether the iteration was an update: then step and place in the data move too.
    pub(crate) training: bool,
    pub(crate) batch: usize,
    pub(crate) n_examples: usize,
}

impl Record {
    /// Elements of a row.
    pub(crate) fn row_len(&self) -> usize {
        self.lens.iter().sum()
    }

    pub(crate) fn cpu<T: Real>(
        &self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        records: &mut [T],
    ) {
        let mut place = context.lane.cursor as usize * self.row_len();
        for input in inputs {
            records[place..place + input.len()].copy_from_slice(input);
            place += input.len();
        }
    }
}

impl Advance {
    /// For the plan of the given dispatches, whose shuffled gathers say how far data moves.
    pub(crate) fn new(dispatches: &[Fused], training: bool) -> Self {
        let shuffled = dispatches.iter().find_map(|dispatch| match &dispatch.op {
            Op::GatherImages(gather) | Op::GatherLabels(gather) => is_shuffled(gather),
            Op::GatherTokens(tokens) => is_shuffled(&tokens.gather),
            _ => None,
        });
        let (batch, n_examples) = shuffled.unwrap_or((0, 0));
        Self { training, batch, n_examples }
    }

    /// Moves the lane on. `faulty` says that a weight is no longer finite; `loss` is that of the
    /// iteration's batch. The lane diverged at the update that either shows.
    #[expect(clippy::cast_possible_truncation, reason = "splits and batches stay below 2^30")]
    pub(crate) fn apply<T: Real>(self, lane: &mut LaneState, loss: Option<T>, faulty: bool) {
        lane.remaining = lane.remaining.saturating_sub(1);
        lane.cursor += 1;
        if !self.training {
            return;
        }
        lane.step += 1;
        lane.beta1_power *= lane.momentum;
        lane.beta2_power *= lane.beta2;
        lane.offset += self.batch as u32;
        if lane.offset >= self.n_examples as u32 && self.n_examples > 0 {
            lane.offset -= self.n_examples as u32;
            lane.epoch = lane.epoch.wrapping_add(1);
        }
        if faulty || loss.is_some_and(|loss| !loss.is_finite()) {
            lane.diverged_at = lane.step;
            lane.remaining = 0;
        }
    }
}

fn is_shuffled(gather: &Gather) -> Option<(usize, usize)> {
    let shuffled = gather.source.sampling == Sampling::Shuffled;
    shuffled.then_some((gather.batch, gather.source.n_examples))
}
