//! Lane-parallel tensor engine: one graph, one plan, two executors.
//!
//! A *study* trains hundreds of networks of the same shape that differ only in numbers. This
//! crate trains them as **lanes** of one program: every tensor carries a leading lane axis that
//! the code of a model never mentions, and lane `i` is one network with its own weights,
//! metaparameters, random numbers and step counter.
//!
//! ```text
//! Graph  (ops, per-lane shapes, gradients)  ->  Plan  (flat list of dispatches over buffers)
//!                                           ->  cpu::CpuExecutor<f32 | f64>   native Rust
//!                                           ->  gpu::GpuExecutor              WGSL through wgpu
//! ```
//!
//! # A tour
//!
//! ```
//! use critbatch_kernels::{Graph, Initialiser, Plan, Program, Snapshot, LaneState, Executor};
//! use critbatch_kernels::cpu::CpuExecutor;
//!
//! let mut graph = Graph::new();
//! let x = graph.parameter("x", &[2, 3], Initialiser::Zeros)?;
//! let w = graph.parameter("w", &[3, 1], Initialiser::Zeros)?;
//! let y = graph.matmul(x, w)?;
//! let loss = graph.sum(y, 1.0)?;
//! let gradients = graph.gradients(loss, &[x, w])?;
//! let plan = Plan::forward(&graph, &[loss, gradients[0]])?;
//! let program = Program::new(vec![plan], vec![])?;
//! let mut executor = CpuExecutor::<f64>::new(&program, 1)?;
//! executor.load(0, &Snapshot::fresh(LaneState::default(), vec![1.0; 9]))?;
//! executor.run(0, &[1])?;
//! assert_eq!(executor.read(0, 0, loss)?, [6.0]);
//! assert_eq!(executor.read(0, 0, gradients[0])?, [1.0; 6]);
//! # Ok::<(), critbatch_kernels::Error>(())
//! ```
//!
//! # Vocabulary
//!
//! Shapes are **per lane** and row-major. Letters: N examples of a batch, H and W height and
//! width, C channels, K classes; `[m, k] x [k, n]` for products. Images are `[N, H, W, C]`.
//! Every tensor holds one element type (f32, or f64 in the checking executor); class indices are
//! stored as exact whole numbers in it, below 2^24.
//!
//! # Ops
//!
//! | op | folder | computes |
//! | --- | --- | --- |
//! | `gather_images`, `gather_labels` | `ops/gather` | a batch out of the data set, on the device or read when it is needed |
//! | `matmul` | `ops/matmul` | `[m, k] x [k, n]`, any transposes, fused bias and ReLU |
//! | `conv2d` | `ops/conv2d` | cross-correlation, stride, same or valid padding |
//! | `max_pool` | `ops/max_pool` | maximum over windows |
//! | `add_bias` | `ops/bias` | adds a vector along the last axis |
//! | `relu` | `ops/relu` | `max(x, 0)` |
//! | `dropout` | `ops/dropout` | zeroes at random, scales the rest |
//! | `add` | `ops/add` | elementwise sum |
//! | `reshape` | `ops/reshape.rs` | the same numbers under another shape |
//! | `softmax_cross_entropy` | `ops/softmax_cross_entropy` | loss of each example, label smoothing |
//! | `sigmoid_cross_entropy` | `ops/sigmoid_cross_entropy` | loss of each example, many labels |
//! | `score_histogram` | `ops/score_histogram` | logits of labels and of all classes by size |
//! | `error_count` | `ops/error_count` | 1 where the largest logit is not the label's |
//! | `sum`, `broadcast` | `ops/sum` | scaled sum of all elements and its transpose |
//! | `squared_norm` | `ops/squared_norm` | sum of the squares of all elements |
//! | `accumulate` | `ops/accumulate` | running sum over the iterations of a run |
//! | `update` | `ops/update` | SGD, momentum, Nesterov momentum on all parameters at once |
//! | `record`, `advance` | `ops/advance` | metrics out, step counter on, divergence seen |

pub mod cpu;
mod error;
mod executor;
pub mod gpu;
mod graph;
mod lane;
mod memory;
mod ops;
mod plan;
mod random;
mod real;
mod sampling;
mod shape;
pub mod testing;

pub use error::Error;
pub use executor::{ExampleStream, Executor, HostCost, Images, Program, Split};
pub use graph::{Graph, Initialiser, Node, Parameter};
pub use lane::{LaneState, LaneView, Snapshot};
pub use ops::batch_norm::Moments;
pub use ops::conv2d::Padding;
pub use ops::dropout::Masks;
pub use ops::gather::{Pixels, Sampling, Source};
pub use ops::score_histogram::SCORE_BINS;
pub use ops::update::UpdateRule;
pub use plan::{Buffer, Plan};
pub use random::{Purpose, philox4x32, uniform};
pub use real::Real;
pub use sampling::{drawn_index, shuffled_index};
pub use shape::Shape;
