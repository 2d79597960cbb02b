//! The gradient noise at a trial's current weights: `|G|^2` and `tr Sigma` from micro-batches.
//!
//! `G` is the gradient of the training loss over the whole training set and `Sigma` the covariance
//! of the gradients of single examples, both with dropout on and labels smoothed as in training: an
//! "example" is an example with its dropout mask. `tr Sigma / |G|^2` is the simple noise scale, the
//! proxy of the critical batch size.
//!
//! # Equation
//! With `k` micro-batches of `b` examples, `B = k b`, `g_j` the gradient of a micro-batch's mean
//! loss and `g` the mean of all `g_j`:
//! `|G|^2 ~ (B |g|^2 - b mean |g_j|^2) / (B - b)`,
//! `tr Sigma ~ (mean |g_j|^2 - |g|^2) / (1/b - 1/B)`.
//! Both are unbiased if the examples are independent draws. Hence they are drawn with replacement,
//! apart from the order of training ([`Sampling::Drawn`](critbatch_kernels::Sampling::Drawn)): the
//! next examples of a shuffled epoch are drawn without replacement, which pulls `|G|^2` down by
//! `tr Sigma / n_train`, and are those that the weights have not been fitted to in this epoch.
//! The ratio of the two is not unbiased, and is left to who averages them.
//!
//! # Choice of b and k
//! The estimate of `|G|^2` has a standard deviation of about `tr Sigma / B` (over the root of the
//! number of directions that carry the noise), that of `tr Sigma` is smaller the larger `k`. 16 by
//! 16 costs 256 examples forward and backward, about as much as measuring 500 to 750 validation
//! examples, while products over 16 rows are still efficient. They do not depend on the trial's batch
//! size: the estimates are about the weights, and are comparable over batch sizes this way.
//!
//! # Source
//! McCandlish et al. 2018, "An Empirical Model of Large-Batch Training", appendix A.1.

#[cfg(test)]
mod tests;

use critbatch_kernels::{Error, Graph, Node};
use critbatch_tuner::{GRADIENT_VARIANCE, Metrics, SQUARED_GRADIENT_NORM};

/// Examples of a micro-batch, `b`.
pub(crate) const MICRO_BATCH_SIZE: usize = 16;

/// Micro-batches of one measurement, `k`: the iterations of its plan.
pub(crate) const N_MICRO_BATCHES: u32 = 16;

/// What the plan records of each micro-batch: `|g_j|^2` and `|g_1 + ... + g_j|^2`, `loss` being the
/// mean loss of the micro-batch. Memory: a sum of gradients in each lane.
pub(crate) fn values(graph: &mut Graph, loss: Node) -> Result<[Node; 2], Error> {
    let parameters: Vec<Node> =
        graph.trained_parameters().map(|parameter| parameter.node).collect();
    let gradients = graph.gradients(loss, &parameters)?;
    let sums = gradients.iter().map(|&g| graph.accumulate(g)).collect::<Result<Vec<_>, _>>()?;
    Ok([squared_norm(graph, &gradients)?, squared_norm(graph, &sums)?])
}

/// Squared norm of several tensors taken as one vector.
fn squared_norm(graph: &mut Graph, parts: &[Node]) -> Result<Node, Error> {
    let (&first, rest) = parts.split_first().expect("every network has a layer of logits");
    let first = graph.squared_norm(first)?;
    rest.iter().try_fold(first, |sum, &part| {
        let norm = graph.squared_norm(part)?;
        graph.add(sum, norm)
    })
}

/// The metrics of one trial from the rows of its micro-batches. Not a number where some are missing,
/// as in a lane that diverged.
pub(crate) fn metrics(rows: &[Vec<f32>]) -> Metrics {
    let values = match rows.last() {
        Some(last) if rows.len() == N_MICRO_BATCHES as usize => {
            let k = f64::from(N_MICRO_BATCHES);
            let mean = rows.iter().map(|row| f64::from(row[0])).sum::<f64>() / k;
            #[expect(clippy::cast_precision_loss, reason = "a small constant")]
            estimates(mean, f64::from(last[1]) / (k * k), MICRO_BATCH_SIZE as f64, k)
        }
        _ => [f64::NAN; 2],
    };
    [SQUARED_GRADIENT_NORM, GRADIENT_VARIANCE].map(str::to_owned).into_iter().zip(values).collect()
}

/// Estimates of `|G|^2` and `tr Sigma` from the mean `|g_j|^2` of `k` micro-batches of `b` examples
/// and the `|g|^2` of their mean.
fn estimates(small: f64, big: f64, b: f64, k: f64) -> [f64; 2] {
    let n_examples = k * b;
    let squared_norm = (n_examples * big - b * small) / (n_examples - b);
    let variance = (small - big) / (1.0 / b - 1.0 / n_examples);
    [squared_norm, variance]
}
