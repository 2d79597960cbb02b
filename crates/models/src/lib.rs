//! The networks and optimizers of Shallue et al. 2018, and the trainer that runs them in lanes.
//!
//! A **model** is a table of layers ([`Model`]); with an optimizer ([`Optimizer`]) and a data set
//! it makes a [`Workload`], which builds the step programs of any batch size on the chosen
//! [`Compute`] device and so implements the tuner's `TrainerFactory`.
//!
//! ```
//! let model = critbatch_models::Model::find("simple_cnn_base")?;
//! assert_eq!(model.n_parameters(&[28, 28, 1], 10)?, 3_274_634);
//! # Ok::<(), critbatch_models::ModelError>(())
//! ```

mod average_precision;
mod checkpoint;
mod compute;
mod error;
mod evaluation;
mod examples;
mod facts;
mod fully_connected;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod gradient_noise;
mod hypergeometric;
mod initialise;
mod lstm;
mod memory;
mod metaparameters;
mod model;
mod network;
mod optimizer;
mod probe;
mod resnet;
mod self_test;
mod sequence;
mod simple_cnn;
mod throughput;
mod trainer;
mod training;
mod transformer;
mod vgg;
mod workload;

pub use compute::{Compute, DeviceChoice, DeviceInfo, devices, n_threads, use_threads};
pub use error::ModelError;
pub use examples::evaluation_order;
pub use facts::workload_facts;
pub use initialise::{initial_parameters, trial_key};
pub use memory::peak_memory_bytes;
pub use model::{Layer, Mode, Model};
pub use network::Cost;
pub use optimizer::Optimizer;
pub use probe::ProbeTensor;
pub use throughput::{Throughput, product_flop_per_second};
pub use trainer::Trainer;
pub use workload::{Measured, Workload};
