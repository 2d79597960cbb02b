//! Normalisation by the moments of groups of examples: ghost batch norm.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Initialiser, Node};
use crate::ops::Op;

/// Added to variances.
pub(crate) const EPSILON: f32 = 1e-5;

/// How much of a running moment one update keeps.
pub(crate) const DECAY: f32 = 0.9;

/// Dimensions of a normalisation: `x` seen as `[n_groups, group_rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchNorm {
    pub(crate) n_groups: usize,
    pub(crate) group_rows: usize,
    pub(crate) columns: usize,
}

/// The update of running moments, `len` parameters from `offset` on: `[2, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunningMoments {
    pub(crate) n_groups: usize,
    /// Parts of the batch whose moments were added up.
    pub(crate) n_parts: usize,
    pub(crate) columns: usize,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// Which of two sums over groups a gradient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Affine {
    Offset,
    Scale,
}

/// Where the moments of a normalisation come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moments {
    /// Of each group of so many examples, which must divide the batch.
    OfGroups(usize),
    /// The running ones.
    Running,
}

impl Graph {
    /// Batch normalisation, in training by the moments of small groups of the batch, so that what is
    /// trained does not depend on the batch size.
    ///
    /// # Equation
    /// `y = scale (x - m) / sqrt(v + 1e-5) + offset`, with m and v the mean and the (biased) variance
    /// of each channel over the examples and pixels of a group; for [`Moments::Running`], the running
    /// ones, which every training step moves to `0.9 running + 0.1 mean over its groups`.
    /// Backward, with `r = 1 / sqrt(v + 1e-5)`, `h = (x - m) r` and k elements of a channel in a group:
    /// `grad_x = scale r (grad_y - sum(grad_y) / k - h sum(grad_y h) / k)`,
    /// `grad_scale = sum(grad_y h)`, `grad_offset = sum(grad_y)`, the last two over all groups.
    ///
    /// # Shapes
    /// `x`, `y: [N, .., C]`. Declares `NAME/scale [C]`, `NAME/offset [C]` and `NAME/moments [2, C]`
    /// (running mean, running variance; changed by no gradient).
    ///
    /// # Numerics
    /// Sums over the rows of a group run in blocks of 512, as those of a bias; the variance is the
    /// mean of squared differences from the mean.
    ///
    /// # Errors
    /// If the groups do not divide the batch, or a name is taken.
    ///
    /// # Source
    /// Ioffe and Szegedy 2015; groups: Hoffer, Hubara and Soudry 2017, "Train longer, generalize
    /// better".
    pub fn batch_norm(&mut self, x: Node, name: &str, moments: Moments) -> Result<Node, Error> {
        let shape = self.shape(x).clone();
        let (rows, columns) = shape.rows_and_columns();
        let batch = shape.first().copied().unwrap_or(1);
        let scale = self.parameter(&format!("{name}/scale"), &[columns], Initialiser::Ones)?;
        let offset = self.parameter(&format!("{name}/offset"), &[columns], Initialiser::Zeros)?;
        let statistic = format!("{name}/moments");
        let running = self.statistic(&statistic, &[2, columns], Initialiser::StandardMoments)?;
        let n_groups = match moments {
            Moments::Running => 1,
            Moments::OfGroups(size) if size > 0 && batch.is_multiple_of(size) => batch / size,
            Moments::OfGroups(size) => {
                #[expect(clippy::cast_precision_loss, reason = "for a message")]
                let value = size as f64;
                let needs = "the examples of a group must divide the batch";
                return Err(Error::Attribute {
                    op: "batch_norm",
                    name: "group size",
                    value,
                    needs,
                });
            }
        };
        let op = BatchNorm { n_groups, group_rows: rows / n_groups, columns };
        let moments = match moments {
            Moments::Running => running,
            Moments::OfGroups(_) => {
                let moments = self.push(Op::BatchMoments(op), &[x], [2, n_groups, columns].into());
                let offset = self.parameters().last().expect("just declared").offset;
                let follow =
                    RunningMoments { n_groups, n_parts: 1, columns, offset, len: 2 * columns };
                self.follow(moments, follow);
                moments
            }
        };
        Ok(self.push(Op::BatchNorm(op), &[x, moments, scale, offset], shape))
    }
}

impl BatchNorm {
    /// Elements of one group.
    pub(crate) fn group_len(self) -> usize {
        self.group_rows * self.columns
    }

    /// The gradient goes through the moments where they are those of the groups; running ones stand
    /// still.
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        inputs: &[Node],
        grad: Node,
        needed: &[bool],
    ) -> Result<Vec<Option<Node>>, Error> {
        let &[x, moments, scale, _] = inputs else { unreachable!("four inputs") };
        if matches!(graph.info(moments).op, Op::Parameter(_)) {
            return Err(Error::NoGradient { op: "batch_norm with running moments" });
        }
        let shape = [2, self.n_groups, self.columns];
        let sums = graph.push(Op::BatchNormSums(self), &[x, moments, grad], shape.into());
        let x_shape = graph.shape(x).clone();
        let grad_x = needed[0].then(|| {
            graph.push(Op::BatchNormGrad(self), &[x, moments, scale, grad, sums], x_shape)
        });
        let mut affine =
            |which| graph.push(Op::SumGroups(self, which), &[sums], [self.columns].into());
        let grad_scale = needed[2].then(|| affine(Affine::Scale));
        let grad_offset = needed[3].then(|| affine(Affine::Offset));
        Ok(vec![grad_x, None, grad_scale, grad_offset])
    }
}
