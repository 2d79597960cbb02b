//! The wgpu executor: hand-written WGSL over the same plan as the native one.
//!
//! ```text
//! Op::launches (ops/<op>/gpu.rs)   which kernels, on which operands      launch.rs, gemm.rs
//!   -> lower.rs                    kernels of a plan, with their buffers
//!   -> memory.rs                   bytes needed, buffers made once
//!   -> pipelines.rs                compiled kernels, kept on disk
//!   -> dispatch.rs                 bindings, `Params`, workgroup counts
//!   -> upload.rs                   parameters and data on their way to the device
//!   -> submissions.rs              how much is submitted at once
//!   -> executor.rs                 records, submits, reads back
//!
//! self_test.rs                     each kernel against the native executor, before it trains
//! ```
//!
//! Every buffer holds f32 with a leading lane axis: element `i` of an operand in lane `l` is
//! `buffer[offset + l stride + i]`. Binding 0 of a kernel is its `Params`: (offset, stride) of
//! each operand, then the op's own words; then come the operands, then lane states and data. The
//! third axis of every grid is the lane, and a lane that has nothing left to run returns at once.
//!
//! # Example
//! ```no_run
//! use critbatch_kernels::gpu::{Device, GpuExecutor, Selection};
//! # fn run(program: &critbatch_kernels::Program) -> Result<(), critbatch_kernels::Error> {
//! let device = Device::open(&Selection::Gpu)?;
//! let executor = GpuExecutor::new(&device, program, 16)?;
//! # Ok(())
//! # }
//! ```

mod device;
mod dispatch;
mod executor;
pub(crate) mod gemm;
pub(crate) mod launch;
mod lower;
mod memory;
mod pipelines;
mod self_test;
mod shader;
mod stream;
mod submissions;
#[cfg(test)]
mod tests;
mod upload;
mod window;

pub use device::{Adapter, Device, Selection, adapters};
pub use executor::GpuExecutor;
pub use memory::{max_lanes, memory_bytes};
pub use self_test::self_test;
