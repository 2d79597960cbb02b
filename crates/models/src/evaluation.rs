//! Evaluation of a split: whole, or until it is clear that the goal is not reached.

use critbatch_kernels::{Executor, SCORE_BINS};
use critbatch_tuner::{Goal, Metrics, Threshold};

use crate::average_precision::average_precision;
use crate::error::ModelError;
use crate::examples::Targets;
use crate::hypergeometric::{Hypergeometric, as_f64};

/// The chance at most that an evaluation ends early although the goal is reached.
const MISTAKEN: f64 = 1e-9;

/// An evaluated split: its name in metrics and how plans go through it.
#[derive(Debug, Clone)]
pub(crate) struct Evaluation {
    split: &'static str,
    parts: Vec<EvaluatedPart>,
    targets: Targets,
    n_labels: usize,
    /// How many errors the first examples hold, where each is an error or none: they are a sample. The
    /// tokens of a sentence are none: they come together.
    sample: Option<Hypergeometric>,
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
    /// Whether the goal is out of reach.
    is_decided: bool,
}

/// From where on a goal is out of reach, for a metric that is a mean over the labels of terms none of which
/// is negative.
///
/// It certainly is once the terms so far, over the number of all labels, are no better than the goal.
/// Rounded sums and quotients ascend as exact ones do, so the whole mean, summed in the same order, is no
/// better either.
struct Bound<'evaluation> {
    of: fn(&Sums) -> f64,
    below: f64,
    n_labels: usize,
    errors: Option<ErrorBound<'evaluation>>,
}

/// Where the terms are errors of examples in [random order](crate::evaluation_order): errors so many that
/// they could hardly lie among the first examples if the goal were reached.
///
/// With the most errors `m` that reach the goal, so many or more are among the first `k` of all `n` examples
/// with the chance of the hypergeometric distribution, and with less of one if there are fewer. An
/// evaluation ends where that chance is at most [`MISTAKEN`] over the number of times that it may end, so
/// by the union bound one that would reach the goal ends early with a chance of at most [`MISTAKEN`].
///
/// The chance is that of the order, which was drawn once and whatever the networks learn: of `N` evaluations
/// that reach the goal, `N` times [`MISTAKEN`] are expected to end early, though hardly one alone. Each
/// would put a result at a later evaluation, none at an earlier one.
struct ErrorBound<'evaluation> {
    sample: &'evaluation Hypergeometric,
    /// The most errors that reach the goal.
    n_allowed: usize,
    /// The most chance at which there are too many.
    allowed: f64,
}

impl Evaluation {
    /// Of a split in parts, whose examples come in [random order](crate::evaluation_order) if each has a
    /// class.
    pub(crate) fn new(split: &'static str, parts: Vec<EvaluatedPart>, targets: Targets) -> Self {
        let n_labels = parts.iter().flat_map(|part| &part.n_labels).sum();
        let sample = (targets == Targets::Class).then(|| Hypergeometric::new(n_labels));
        Self { split, parts, targets, n_labels, sample }
    }

    /// The metrics of each lane. With a goal on them each lane's end with the first chunk after which the
    /// goal is [out of reach](Bound), and are then means over the chunks up to there.
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

    /// Goes through a share in (0, 1] of each part, rounded up to whole chunks, as [`Evaluation::run`] does
    /// without a goal. Returns the labels of these.
    ///
    /// # Errors
    /// If the device failed.
    pub(crate) fn run_share(
        &self,
        executor: &mut dyn Executor<f32>,
        lanes: &[usize],
        share: f64,
    ) -> Result<usize, ModelError> {
        let mut n_labels = 0;
        for part in &self.parts {
            let chunks = &part.n_labels[..n_chunks_of_share(share, part.n_labels.len())];
            let repeats = repeats_in(executor.lanes(), lanes, as_u32(chunks.len()));
            executor.run(part.plan, &repeats)?;
            executor.records(part.plan)?;
            n_labels += chunks.iter().sum::<usize>();
        }
        Ok(n_labels)
    }

    /// Labels of the split.
    pub(crate) fn n_labels(&self) -> usize {
        self.n_labels
    }

    /// Where a goal is out of reach; `None` where that shows at the end only.
    fn bound(&self, goal: &Goal) -> Option<Bound<'_>> {
        let Threshold::Below(below) = goal.threshold else { return None };
        let errors = || self.sample.as_ref().map(|sample| self.error_bound(sample, below));
        let (of, errors): (fn(&Sums) -> f64, _) = match goal.metric.strip_prefix(self.split)? {
            "/cross_entropy_error" => (|sums| sums.loss, None),
            "/classification_error" if self.targets != Targets::Set => (Sums::n_errors, errors()),
            _ => return None,
        };
        Some(Bound { of, below, n_labels: self.n_labels, errors })
    }

    fn error_bound<'sample>(
        &self,
        sample: &'sample Hypergeometric,
        below: f64,
    ) -> ErrorBound<'sample> {
        let reaches = |&n_errors: &usize| as_f64(n_errors) / as_f64(self.n_labels) < below;
        // Where not even no error reaches it, that is certain at the first look.
        let n_allowed = (0..=self.n_labels).rev().find(reaches).unwrap_or(0);
        let n_looks: usize = self.parts.iter().map(|part| part.n_labels.len()).sum();
        ErrorBound { sample, n_allowed, allowed: MISTAKEN / as_f64(n_looks.max(1)) }
    }

    /// No metrics where nothing ran: in a lane that had diverged.
    fn metrics(&self, sums: &Sums) -> Metrics {
        if sums.n_labels == 0 {
            return Metrics::new();
        }
        let split = self.split;
        let mean = |sum: f64| sum / as_f64(sums.n_labels);
        let (name, quality) = match self.targets {
            Targets::Class | Targets::Tokens => ("classification_error", mean(sums.n_errors())),
            Targets::Set => {
                let (of_labels, of_all) = sums.quality.split_at(SCORE_BINS);
                ("average_precision", average_precision(of_labels, of_all))
            }
        };
        let loss = (format!("{split}/cross_entropy_error"), mean(sums.loss));
        [loss, (format!("{split}/{name}"), quality)].into()
    }
}

impl Sums {
    /// Adds what was recorded of the next chunks, each with its labels, until it is decided.
    fn add<'r>(
        &mut self,
        chunks: impl Iterator<Item = (&'r [f32], usize)>,
        bound: Option<&Bound<'_>>,
    ) {
        for (row, n_labels) in chunks {
            let (false, Some((loss, quality))) = (self.is_decided, row.split_first()) else {
                return;
            };
            self.loss += f64::from(*loss);
            self.quality.resize(quality.len(), 0.0);
            self.quality.iter_mut().zip(quality).for_each(|(sum, value)| *sum += f64::from(*value));
            self.n_labels += n_labels;
            self.is_decided =
                bound.is_some_and(|bound| bound.is_out_of_reach((bound.of)(self), self.n_labels));
        }
    }

    fn n_errors(&self) -> f64 {
        self.quality.iter().sum()
    }
}

impl Bound<'_> {
    /// Given the sum over so many labels. Their mean, which is recorded, is no better than the goal then.
    fn is_out_of_reach(&self, sum: f64, n_labels: usize) -> bool {
        let are_too_many =
            || self.errors.as_ref().is_some_and(|errors| errors.are_too_many(sum, n_labels));
        sum / as_f64(self.n_labels) >= self.below
            || (sum / as_f64(n_labels) >= self.below && are_too_many())
    }
}

impl ErrorBound<'_> {
    fn are_too_many(&self, n_errors: f64, n_examples: usize) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count, or a forecast of one"
        )]
        let n_errors = n_errors as usize;
        self.sample.chance_of_as_many(self.n_allowed, n_examples, n_errors) <= self.allowed
    }
}

/// The next chunks to be run before one looks again: of the rest of a part, as many as it seems to take by
/// what is known, and no more than are known; at least one.
fn n_chunks(bound: Option<&Bound<'_>>, sums: &Sums, rest: &[usize]) -> usize {
    let Some(bound) = bound else { return rest.len() };
    if sums.n_labels == 0 {
        return 1;
    }
    let mean = (bound.of)(sums) / as_f64(sums.n_labels);
    let mut n_labels = sums.n_labels;
    let takes = rest.iter().position(|of_chunk| {
        n_labels += of_chunk;
        let is_twice = n_labels >= 2 * sums.n_labels;
        is_twice || bound.is_out_of_reach(mean * as_f64(n_labels), n_labels)
    });
    takes.map_or(rest.len(), |index| index + 1)
}

/// Chunks of a share, rounded up.
fn n_chunks_of_share(share: f64, n_chunks: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a count of chunks"
    )]
    let of_share = (share * as_f64(n_chunks)).ceil() as usize;
    of_share.min(n_chunks)
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

fn as_u32(n_chunks: usize) -> u32 {
    u32::try_from(n_chunks).expect("a split holds fewer than 2^30 examples")
}
