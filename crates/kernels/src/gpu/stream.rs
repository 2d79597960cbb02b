//! Batches of a stream: read on the host, on all cores, while the device computes the ones before.
//!
//! Which examples an iteration takes follows from a lane's state, and that state from the one before,
//! so the host knows them without asking the device. Only divergence it cannot foresee: then some
//! batches are read that nobody looks at.

use rayon::prelude::*;

use crate::executor::ExampleStream;
use crate::lane::LaneState;
use crate::ops::Op;
use crate::ops::advance::Advance;
use crate::ops::gather::{Gather, Sampling};
use crate::plan::Plan;

/// Iterations that are submitted ahead of the device with batches that were read for them.
pub(crate) const MAX_AHEAD_OF_STREAM: usize = 2;

/// A plan whose images are read when its iterations need them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamedPlan {
    gather: Gather,
    advance: Advance,
}

impl StreamedPlan {
    /// How a plan takes images from a split, if the split is a stream and it does.
    pub(crate) fn of(plan: &Plan, split: usize) -> Option<Self> {
        let streamed = Self::find(plan)?;
        (streamed.split() == split).then_some(streamed)
    }

    /// How a plan takes images from a stream, if it does.
    pub(crate) fn find(plan: &Plan) -> Option<Self> {
        let ops = || plan.dispatches.iter().map(|dispatch| &dispatch.op);
        let gather = ops().find_map(|op| match op {
            Op::GatherImages(gather) if gather.pixels.is_streamed => Some(*gather),
            _ => None,
        })?;
        let advance = ops().find_map(|op| match op {
            Op::Advance(advance) => Some(*advance),
            _ => None,
        });
        // A plan without it does not go on in the data.
        let advance = advance.unwrap_or(Advance { training: false, batch: 0, n_examples: 0 });
        Some(Self { gather, advance })
    }

    pub(crate) fn split(&self) -> usize {
        self.gather.source.split
    }

    /// Bytes of the batches of one iteration.
    pub(crate) fn batches_len(&self, lanes: usize) -> usize {
        self.n_batches(lanes) * self.batch_len()
    }

    /// In the order of the data all lanes see the same batch.
    fn n_batches(&self, lanes: usize) -> usize {
        match self.gather.source.sampling {
            Sampling::Sequential => 1,
            Sampling::Shuffled | Sampling::Parts { .. } | Sampling::Drawn => lanes,
        }
    }

    fn batch_len(&self) -> usize {
        self.gather.batch * self.gather.example_len
    }

    /// The batches of the next iteration of lanes in the given states, as the device is to have them,
    /// padded to whole words; moves the states on.
    pub(crate) fn read(&self, stream: &dyn ExampleStream, states: &mut [LaneState]) -> Vec<u8> {
        let len = self.batches_len(states.len());
        let mut bytes = vec![0; len.next_multiple_of(size_of::<u32>())];
        let is_shared = self.n_batches(states.len()) == 1;
        let running = |lane: &&LaneState| lane.remaining > 0;
        let readers: Vec<Option<LaneState>> = match is_shared {
            true => vec![states.iter().find(running).copied()],
            false => states.iter().map(|lane| Some(lane).filter(running).copied()).collect(),
        };
        let batches = bytes[..len].par_chunks_exact_mut(self.batch_len());
        batches.zip(&readers).for_each(|(batch, lane)| {
            let Some(lane) = lane else { return };
            let examples = batch.par_chunks_exact_mut(self.gather.example_len).enumerate();
            examples.for_each(|(n, example)| {
                if let Some(index) = self.gather.example(lane, n) {
                    stream.read(index, self.gather.variation(lane, n, index), example);
                }
            });
        });
        for lane in states.iter_mut().filter(|lane| lane.remaining > 0) {
            self.advance.apply::<f32>(lane, None, false);
        }
        bytes
    }
}
