//! Evaluation of a split: whole, or until it is certain that the goal is not reached.

use critbatch_kernels::{Executor, SCORE_BINS};
use critbatch_tuner::{Goal, Metrics, Threshold};

use crate::average_precision::average_precision;
use crate::error::ModelError;

/// An evaluated split: its name in metrics and how plans go through it.
#[derive(Debug, Clone)]
pub(crate) struct Evaluation {
    pub(crate) split: &'static str,
    pub(crate) parts: Vec<EvaluatedPart>,
    /// Whether examples have sets of labels.
    pub(crate) is_of_sets: bool,
}

/// A part of an evaluated split: a plan goes through it in chunks, one an iteration.
#[derive(Debug, Clone)]
pub(crate) struct EvaluatedPart {
    pub(crate) plan: usize,
    /// Labels of each chunk.
    pub(crate) n_labels: Vec<usize>,
}

/// What is summed over the first chunks of a split, and over how many labels.
#[derive(Debug, Clone, Default)]
struct Sums {
    loss: f64,
    /// The number of errors, or, over sets of labels, a histogram of scores.
    quality: Vec<f64>,
    n_labels: usize,
    /// Whether the goal is out of reach, whatever follows.
    is_decided: bool,
}

/// From where on a goal is out of reach: for a metric that is a mean over the labels of terms none of which
/// is negative, once the terms so far, over the number of all labels, are no better than the goal.
///
/// Rounded sums and quotients ascend as exact ones do, so the whole mean, summed in the same order, is no
/// better either.
struct Bound {
    of: fn(&Sums) -> f64,
    below: f64,
    n_labels: usize,
}

impl Evaluation {
    /// The metrics of each lane. With a goal on them each lane's end with the first chunk after which the
    /// goal is out of reach, and are then means over the chunks up to there.
    ///
    /// # Errors
    /// If the device failed.
    pub(crate) fn run(
        &self,
        executor: &mut dyn Executor<f32>,
        lanes: &[usize],
        goal: Option<&Goal>,
    ) -> Result<Vec<Metrics>, ModelError> {
        let bound = goal.and_then(|goal| self.bound(goal));
        let mut sums = vec![Sums::default(); lanes.len()];
        for part in &self.parts {
            let mut first = 0;
            while first < part.n_labels.len() {
                let rest = &part.n_labels[first..];
                let undecided = || lanes.iter().zip(&sums).filter(|(_, sums)| !sums.is_decided);
                let n_chunks = undecided().map(|(_, sums)| n_chunks(bound.as_ref(), sums, rest));
                let Some(n_chunks) = n_chunks.min() else { break };
                let running = undecided().map(|(lane, _)| lane);
                let repeats = repeats_in(executor.lanes(), running, as_u32(n_chunks));
                executor.run_from(as_u32(first), part.plan, &repeats)?;
                let records = executor.records(part.plan)?;
                for (&lane, sums) in lanes.iter().zip(&mut sums) {
                    let rows = records[lane].iter().skip(first).map(Vec::as_slice);
                    sums.add(rows.zip(rest.iter().copied()), bound.as_ref());
                }
                first += n_chunks;
            }
        }
        Ok(sums.iter().map(|sums| self.metrics(sums)).collect())
    }

    /// Where a goal is out of reach; `None` where that shows at the end only.
    fn bound(&self, goal: &Goal) -> Option<Bound> {
        let Threshold::Below(below) = goal.threshold else { return None };
        let of: fn(&Sums) -> f64 = match goal.metric.strip_prefix(self.split)? {
            "/cross_entropy_error" => |sums| sums.loss,
            "/classification_error" if !self.is_of_sets => Sums::n_errors,
            _ => return None,
        };
        let n_labels = self.parts.iter().flat_map(|part| &part.n_labels).sum();
        Some(Bound { of, below, n_labels })
    }

    /// No metrics where nothing ran: in a lane that had diverged.
    fn metrics(&self, sums: &Sums) -> Metrics {
        if sums.n_labels == 0 {
            return Metrics::new();
        }
        let split = self.split;
        let mean = |sum: f64| sum / as_f64(sums.n_labels);
        let (name, quality) = if self.is_of_sets {
            let (of_labels, of_all) = sums.quality.split_at(SCORE_BINS);
            ("average_precision", average_precision(of_labels, of_all))
        } else {
            ("classification_error", mean(sums.n_errors()))
        };
        let loss = (format!("{split}/cross_entropy_error"), mean(sums.loss));
        [loss, (format!("{split}/{name}"), quality)].into()
    }
}

impl Sums {
    /// Adds what was recorded of the next chunks, each with its labels, until it is decided.
    fn add<'r>(&mut self, chunks: impl Iterator<Item = (&'r [f32], usize)>, bound: Option<&Bound>) {
        for (row, n_labels) in chunks {
            let (false, Some((loss, quality))) = (self.is_decided, row.split_first()) else {
                return;
            };
            self.loss += f64::from(*loss);
            self.quality.resize(quality.len(), 0.0);
            self.quality.iter_mut().zip(quality).for_each(|(sum, value)| *sum += f64::from(*value));
            self.n_labels += n_labels;
            self.is_decided = bound.is_some_and(|bound| bound.is_out_of_reach(self));
        }
    }

    fn n_errors(&self) -> f64 {
        self.quality.iter().sum()
    }
}

impl Bound {
    fn is_out_of_reach(&self, sums: &Sums) -> bool {
        (self.of)(sums) / as_f64(self.n_labels) >= self.below
    }

    /// Labels after which the goal will be out of reach if things go on as so far.
    fn n_labels_left(&self, sums: &Sums) -> f64 {
        let sum = (self.of)(sums);
        (self.below * as_f64(self.n_labels) - sum) / (sum / as_f64(sums.n_labels))
    }
}

/// The next chunks to be run before one looks again: of the rest of a part, as many as it seems to take,
/// at least one.
fn n_chunks(bound: Option<&Bound>, sums: &Sums, rest: &[usize]) -> usize {
    let Some(bound) = bound else { return rest.len() };
    if sums.n_labels == 0 {
        return 1;
    }
    let n_labels_left = bound.n_labels_left(sums);
    let mut n_labels = 0;
    let takes = rest.iter().position(|of_chunk| {
        n_labels += of_chunk;
        as_f64(n_labels) >= n_labels_left
    });
    takes.map_or(rest.len(), |index| index + 1)
}

/// So many iterations in some of all lanes, none in the others.
pub(crate) fn repeats_in<'l>(
    n_lanes: usize,
    lanes: impl IntoIterator<Item = &'l usize>,
    n_times: u32,
) -> Vec<u32> {
    let mut repeats = vec![0; n_lanes];
    lanes.into_iter().for_each(|&lane| repeats[lane] = n_times);
    repeats
}

#[expect(clippy::cast_precision_loss, reason = "splits stay below 2^52 labels")]
fn as_f64(n_labels: usize) -> f64 {
    n_labels as f64
}

fn as_u32(n_chunks: usize) -> u32 {
    u32::try_from(n_chunks).expect("a split holds fewer than 2^30 examples")
}
