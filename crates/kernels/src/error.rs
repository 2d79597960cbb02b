//! What can go wrong while a graph is built, planned or run.

use crate::shape::Shape;

/// An error of this crate. Shape errors name the op and the shapes it got.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An operand's shape does not suit the op.
    #[error("{op}: {problem}: lhs {lhs}, rhs {rhs}; {advice}")]
    Shapes {
        /// The op that refused.
        op: &'static str,
        /// What is wrong.
        problem: &'static str,
        /// Shape of the first operand.
        lhs: Shape,
        /// Shape of the second operand.
        rhs: Shape,
        /// What would be accepted.
        advice: String,
    },
    /// One operand's shape does not suit the op.
    #[error("{op}: got shape {got}; {needs}")]
    Operand {
        /// The op that refused.
        op: &'static str,
        /// Shape of the operand.
        got: Shape,
        /// What would be accepted.
        needs: String,
    },
    /// An attribute of an op is out of its range.
    #[error("{op}: {name} is {value}; {needs}")]
    Attribute {
        /// The op that refused.
        op: &'static str,
        /// Name of the attribute.
        name: &'static str,
        /// The value given.
        value: f64,
        /// What would be accepted.
        needs: &'static str,
    },
    /// Two parameters of a graph share one name.
    #[error("parameter '{0}' is declared twice; give each parameter its own name")]
    DuplicateParameter(String),
    /// The op has no derivative.
    #[error("{op}: has no derivative, but the loss depends on a parameter through it")]
    NoGradient {
        /// The op.
        op: &'static str,
    },
    /// Plans of one program declare different parameters.
    #[error(
        "plans of one program must declare the same parameters: the first declares {first}, plan {plan} declares {other}"
    )]
    ParameterLayout {
        /// Parameters of the first plan.
        first: String,
        /// Index of the plan that differs.
        plan: usize,
        /// Its parameters.
        other: String,
    },
    /// A plan gathers from a split that the program does not have, or of other dimensions.
    #[error("plan gathers from data split {split}, {problem}")]
    Split {
        /// Index of the split.
        split: usize,
        /// What is wrong.
        problem: String,
    },
    /// Examples could not be read.
    #[error("{problem}")]
    Stream {
        /// Which, why, and what to do.
        problem: String,
    },
    /// A call of an executor does not fit it.
    #[error("{call}: got {got}, expected {expected}")]
    Call {
        /// The method called.
        call: &'static str,
        /// What it got.
        got: String,
        /// What it needs.
        expected: String,
    },
    /// A tensor or buffer is larger than 32-bit element indices reach, or the device allows.
    #[error("{what} needs {needed_bytes} bytes, but {limit}; use a smaller batch or fewer lanes")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size in bytes.
        needed_bytes: u64,
        /// The limit that it passes, in words.
        limit: String,
    },
    /// There is no usable graphics adapter.
    #[error("{0}")]
    NoAdapter(String),
    /// The device has no memory left for what was asked of it.
    #[error("device '{device}' is out of memory: {problem}; use fewer lanes or a smaller batch")]
    OutOfMemory {
        /// Name of the adapter.
        device: String,
        /// What it said.
        problem: String,
    },
    /// A driver does not compile a kernel.
    #[error(
        "the driver of device '{device}' ({driver}) does not compile the kernel '{kernel}': {problem}; \
         update the driver, or use the native executor"
    )]
    Kernel {
        /// Name of the adapter.
        device: String,
        /// Its driver and version.
        driver: String,
        /// Path of the kernel's file below `ops/`.
        kernel: &'static str,
        /// What the driver said.
        problem: String,
    },
    /// The device computes something else than the native executor.
    #[error(
        "device '{device}' ({driver}) computes wrongly: {problem}, measured against the native executor; \
         update the driver, or use the native executor"
    )]
    WrongResults {
        /// Name of the adapter.
        device: String,
        /// Its driver and version.
        driver: String,
        /// What differs.
        problem: String,
    },
    /// The device failed while it ran.
    #[error("device '{device}': {problem}")]
    Device {
        /// Name of the adapter.
        device: String,
        /// What happened.
        problem: String,
    },
}

impl Error {
    /// Whether the device is at fault: not what was asked of it, nor its size.
    #[must_use]
    pub fn is_fault_of_device(&self) -> bool {
        matches!(self, Self::Kernel { .. } | Self::WrongResults { .. } | Self::Device { .. })
    }
}
