//! A batch out of the data set.

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
    /// As shuffled, a part of each batch at a time: iteration `c` of a run takes `c N ..` of the lane's
    /// next `batch` examples, and past their end images are zero and labels -1.
    Parts {
        /// Examples of a whole batch.
        batch: usize,
    },
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
    pub(crate) pixels: Pixels,
}

/// How the bytes of images come and become numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pixels {
    /// What bytes are multiplied by.
    pub scale: f32,
    /// What is then added, to each channel in turn: three channels, or one number three times.
    pub shifts: [f32; 3],
    /// Whether the split is read when batches need it.
    pub is_streamed: bool,
}

impl Pixels {
    /// Bytes of a split in memory that become `scale byte + shift`.
    pub const fn resident(scale: f32, shift: f32) -> Self {
        Self { scale, shifts: [shift; 3], is_streamed: false }
    }

    /// Channels that differ.
    pub(crate) fn n_channels(&self) -> usize {
        let [first, others @ ..] = self.shifts;
        let differ = others.iter().any(|shift| shift.to_bits() != first.to_bits());
        if differ { self.shifts.len() } else { 1 }
    }
}

/// What a gather that only looks at whole examples has.
const WHOLE: Pixels = Pixels::resident(1.0, 0.0);

/// Examples of one split that 30 bits index, as the shuffle needs.
const MAX_EXAMPLES: usize = 1 << 30;

impl Graph {
    /// The next batch's images.
    ///
    /// # Equation
    /// `y[n, h, w, c] = scale byte + shift[c]`, in f32 rounding on both executors.
    ///
    /// # Shapes
    /// `shape` is that of one example, `[H, W, C]`; `y: [batch, H, W, C]`.
    ///
    /// # Errors
    /// If the batch is 0 or larger than the split (when shuffled), an example is empty, or channels
    /// differ and are not three.
    pub fn gather_images(
        &mut self,
        source: Source,
        batch: usize,
        shape: &[usize],
        pixels: Pixels,
    ) -> Result<Node, Error> {
        check_batch("gather_images", source, batch)?;
        let example_len = shape.iter().product();
        let n_channels = shape.last().copied().unwrap_or(0);
        let shape = [&[batch], shape].concat();
        let gather = Gather { source, batch, example_len, pixels };
        let node = self.push(Op::GatherImages(gather), &[], shape.as_slice().into());
        if example_len == 0 {
            return Err(self.operand_error("gather_images", node, "every axis must be at least 1"));
        }
        if pixels.n_channels() > 1 && n_channels != pixels.n_channels() {
            return Err(self.operand_error("gather_images", node, "shifts are for three channels"));
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
        let gather = Gather { source, batch, example_len: 1, pixels: WHOLE };
        Ok(self.push(Op::GatherLabels(gather), &[], [batch].into()))
    }
}

fn check_batch(op: &'static str, source: Source, batch: usize) -> Result<(), Error> {
    let too_large = match source.sampling {
        Sampling::Shuffled => batch > source.n_examples,
        Sampling::Parts { batch } => batch > source.n_examples,
        Sampling::Sequential | Sampling::Drawn => false,
    };
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
            Some(split) if images && split.stream().is_some() != self.pixels.is_streamed => {
                let how = |streamed| if streamed { "a stream" } else { "data in memory" };
                let (built, given) = (how(self.pixels.is_streamed), how(!self.pixels.is_streamed));
                format!("built for {built}, given {given}")
            }
            Some(_) => return Ok(()),
        };
        Err(Error::Split { split: self.source.split, problem })
    }
}
