//! A batch out of the device-resident data set.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;
mod tokens;

pub(crate) use tokens::GatherTokens;

use std::sync::Arc;

use crate::error::Error;
use crate::executor::Split;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// In which order examples are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Shuffled epochs, each lane in its own order; a batch may straddle two epochs.
    Shuffled,
    /// In the order of the data; iteration `c` of a run takes `c N ..`. Past the end, images are
    /// zero and labels -1, which losses and error counts leave out.
    Sequential,
    /// Drawn uniformly and with replacement, each lane anew at every training step, apart from the
    /// order of training and without moving on in it; iteration `c` of a run takes the step's draws
    /// `c N ..`. For estimates of what the whole split would give at a lane's weights: given these,
    /// draws are independent of each other and of what was trained on.
    Drawn,
}

/// Where a batch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Index of the split in the program.
    pub split: usize,
    /// Examples in that split.
    pub n_examples: usize,
    /// Order of the examples.
    pub sampling: Sampling,
}

/// Dimensions of a gather.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gather {
    pub(crate) source: Source,
    pub(crate) batch: usize,
    pub(crate) example_len: usize,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
}

/// Examples of one split that 30 bits index, as the shuffle needs.
const MAX_EXAMPLES: usize = 1 << 30;

impl Graph {
    /// The next batch's images.
    ///
    /// # Equation
    /// `y[n, h, w, c] = scale byte + shift`, in f32 rounding on both executors.
    ///
    /// # Shapes
    /// `shape` is that of one example, `[H, W, C]`; `y: [batch, H, W, C]`.
    ///
    /// # Errors
    /// If the batch is 0 or larger than the split (when shuffled), or an example is empty.
    pub fn gather_images(
        &mut self,
        source: Source,
        batch: usize,
        shape: &[usize],
        [scale, shift]: [f32; 2],
    ) -> Result<Node, Error> {
        check_batch("gather_images", source, batch)?;
        let example_len = shape.iter().product();
        let shape = [&[batch], shape].concat();
        let gather = Gather { source, batch, example_len, scale, shift };
        let node = self.push(Op::GatherImages(gather), &[], shape.as_slice().into());
        if example_len == 0 {
            return Err(self.operand_error("gather_images", node, "every axis must be at least 1"));
        }
        Ok(node)
    }

    /// The labels of the same batch.
    ///
    /// # Shapes
    /// `y: [batch]`.
    ///
    /// # Errors
    /// As [`Graph::gather_images`].
    pub fn gather_labels(&mut self, source: Source, batch: usize) -> Result<Node, Error> {
        check_batch("gather_labels", source, batch)?;
        let gather = Gather { source, batch, example_len: 1, scale: 1.0, shift: 0.0 };
        Ok(self.push(Op::GatherLabels(gather), &[], [batch].into()))
    }
}

fn check_batch(op: &'static str, source: Source, batch: usize) -> Result<(), Error> {
    let too_large = source.sampling == Sampling::Shuffled && batch > source.n_examples;
    if batch == 0 || too_large {
        #[expect(clippy::cast_precision_loss, reason = "for a message")]
        let value = batch as f64;
        let needs = "it must be at least 1 and at most the number of training examples";
        return Err(Error::Attribute { op, name: "batch size", value, needs });
    }
    if source.n_examples > MAX_EXAMPLES {
        #[expect(clippy::cast_precision_loss, reason = "for a message")]
        let value = source.n_examples as f64;
        let needs = "a split holds at most 2^30 examples";
        return Err(Error::Attribute { op, name: "number of examples", value, needs });
    }
    Ok(())
}

impl Gather {
    /// Whether the program's data is what the plan was built for.
    pub(crate) fn check(&self, splits: &[Arc<Split>], images: bool) -> Result<(), Error> {
        let problem = match splits.get(self.source.split) {
            None => format!("but the program has {} splits", splits.len()),
            Some(split) if split.len() != self.source.n_examples => {
                format!("built for {} examples, given {}", self.source.n_examples, split.len())
            }
            Some(split) if images && split.example_len() != self.example_len => {
                let given = split.example_len();
                format!("built for examples of {} bytes, given {given}", self.example_len)
            }
            Some(_) => return Ok(()),
        };
        Err(Error::Split { split: self.source.split, problem })
    }
}
