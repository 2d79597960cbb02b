//! Support for the tests of this crate and of those above it: random networks' inputs, central
//! differences, tolerances. Not used by any code that trains.

mod finite_difference;
mod tolerance;

pub use finite_difference::check_gradients;
pub use tolerance::{assert_close, tolerance};

use std::sync::Arc;

use crate::error::Error;
use crate::executor::{ExampleStream, Images};
use crate::graph::{Graph, Initialiser, Node};
use crate::lane::LaneState;
use crate::random::{Purpose, philox4x32, uniform};
use crate::real::Real;

/// Sizes at which tiled kernels go wrong: 1, around a workgroup or tile, a prime, several tiles.
pub const SIZES: [usize; 9] = [1, 2, 7, 15, 16, 17, 63, 65, 131];

/// `len` numbers in (-1, 1), a function of the seed.
pub fn random_values<T: Real>(seed: u32, len: usize) -> Vec<T> {
    (0_u32..)
        .flat_map(|block| philox4x32([seed, 77], [block, 0, Purpose::Initialise as u32, 0]))
        .map(|bits| T::of(2.0 * uniform(bits) - 1.0))
        .take(len)
        .collect()
}

/// A lane in the middle of a trial, with every metaparameter in use.
pub fn sample_lane(seed: u32) -> LaneState {
    LaneState {
        key: [seed, 0xC0FF_EE00],
        step: 3,
        epoch: 1,
        learning_rate: 0.1,
        momentum: 0.9,
        end_learning_rate_factor: 0.5,
        learning_rate_decay_steps: 20.0,
        label_smoothing: 0.1,
        cosine_decay: seed % 2,
        warmup_steps: 6.0,
        beta2: 0.99,
        epsilon: 1e-3,
        weight_decay: 0.01,
        beta1_power: 0.729,
        beta2_power: 0.970_299,
        ..LaneState::default()
    }
}

/// A scalar that depends on every element of `y` with another weight, so that a backward pass
/// which ignores its upstream gradient is seen: the product with a random parameter.
///
/// # Errors
/// None for a `y` of the graph.
pub fn random_projection(graph: &mut Graph, y: Node) -> Result<Node, Error> {
    let len = graph.shape(y).len();
    let weights = graph.parameter("projection", &[len, 1], Initialiser::Zeros)?;
    let row = graph.reshape(y, &[1, len])?;
    let product = graph.matmul(row, weights)?;
    graph.reshape(product, &[1])
}

/// A stream whose examples are what their index and their variation say, and nothing else.
#[derive(Debug)]
pub struct VariedStream {
    /// Examples it has.
    pub n_examples: usize,
    /// Bytes of each.
    pub example_len: usize,
}

impl ExampleStream for VariedStream {
    fn example_len(&self) -> usize {
        self.example_len
    }

    fn read(&self, index: usize, random: [u32; 4], bytes: &mut [u8]) {
        assert!(index < self.n_examples, "example {index} of {}", self.n_examples);
        for (place, byte) in bytes.iter_mut().enumerate() {
            let words = philox4x32([random[place % 4], 0], [index as u32, place as u32, 0, 0]);
            *byte = words[0].to_le_bytes()[0];
        }
    }

    fn failure(&self) -> Option<String> {
        None
    }
}

impl From<VariedStream> for Images {
    fn from(stream: VariedStream) -> Self {
        Self::Streamed(Arc::new(stream))
    }
}
