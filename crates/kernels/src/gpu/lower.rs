//! From a plan's dispatches to kernels over device buffers.

use crate::executor::Program;
use crate::plan::{Buffer, Dispatch, Plan, View};

use super::gemm::Tiling;
use super::launch::{Launch, Operand, Quads, flag};
use crate::ops::sum::Broadcast;

/// A device buffer of an executor. Parameters, velocity, gradients and scratch serve all plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Storage {
    Parameters,
    Velocity,
    SecondMoment,
    Gradients,
    /// Rows recorded by a plan.
    Records(usize),
    /// A value kept by a plan.
    Kept(usize, usize),
    Slot(usize),
    /// Scratch within one op.
    Workspace,
}

impl Storage {
    /// Where a buffer of the given plan is.
    pub(crate) fn of(plan: usize, buffer: Buffer) -> Self {
        match buffer {
            Buffer::Parameters => Storage::Parameters,
            Buffer::Velocity => Storage::Velocity,
            Buffer::SecondMoment => Storage::SecondMoment,
            Buffer::Gradients => Storage::Gradients,
            Buffer::Records => Storage::Records(plan),
            Buffer::Kept(index) => Storage::Kept(plan, index),
            Buffer::Slot(index) => Storage::Slot(index),
        }
    }
}

/// A part of a buffer, per lane, in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) storage: Storage,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// A launch with its operands found: those read, then those written.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    pub(crate) launch: Launch,
    pub(crate) regions: Vec<Region>,
    /// Floating-point operations per lane: those of its op, in equal shares.
    flops: u64,
}

/// Floating-point operations that take as long as a byte of memory, about: what stands in a kernel's
/// operands is read or written once at least.
const FLOPS_PER_BYTE: u64 = 10;

impl Kernel {
    /// How long a lane takes, in floating-point operations.
    pub(crate) fn cost(&self) -> u64 {
        let len: usize = self.regions.iter().map(|region| region.len).sum();
        self.flops + FLOPS_PER_BYTE * (size_of::<f32>() * len) as u64
    }
}

/// The kernels of each plan on a device of the given tiling, which does not change the sizes of
/// their buffers.
pub(crate) fn lower(program: &Program, tiling: Tiling) -> Vec<Vec<Kernel>> {
    let plan = |(index, plan): (usize, &Plan)| {
        let dispatches = plan.dispatches.iter();
        let kernels = dispatches.flat_map(|dispatch| lower_dispatch(index, dispatch, tiling));
        kernels.filter(|kernel| kernel.launch.n_workgroups > 0).collect()
    };
    program.plans().iter().enumerate().map(plan).collect()
}

fn lower_dispatch(plan: usize, dispatch: &Dispatch, tiling: Tiling) -> Vec<Kernel> {
    let region = |view: &View| {
        let storage = Storage::of(plan, view.buffer);
        Region { storage, offset: view.offset, len: view.len }
    };
    let find = |operand: Operand| match operand {
        Operand::Input(index) => region(&dispatch.inputs[index]),
        Operand::Output(index) => region(&dispatch.outputs[index]),
        Operand::Workspace(len) => workspace(len),
    };
    let launches = dispatch.op.launches(tiling);
    let flops = dispatch.op.flops().div_ceil(launches.len().max(1) as u64);
    let kernel = |mut launch: Launch| {
        let regions: Vec<Region> = launch.operands().map(find).collect();
        for &Quads { constant, operand, row_len } in &launch.quads {
            // Lanes start at whole vectors too: see `LANE_ALIGNMENT`.
            let whole = |len: usize| len.is_multiple_of(Quads::LEN);
            let is_whole = whole(regions[operand].offset) && whole(row_len);
            launch.constants.push((constant, flag(is_whole)));
        }
        unalias(Kernel { launch, regions, flops })
    };
    launches.into_iter().flat_map(kernel).collect()
}

/// A kernel may not write a buffer that it also reads, as one does that makes one parameter's
/// gradient from another's: such a kernel writes scratch, which is then copied.
fn unalias(mut kernel: Kernel) -> Vec<Kernel> {
    let (reads, writes) = kernel.regions.split_at_mut(kernel.launch.reads.len());
    let [write] = writes else { return vec![kernel] };
    if reads.iter().all(|read| read.storage != write.storage) {
        return vec![kernel];
    }
    let target = std::mem::replace(write, workspace(write.len));
    let copy = Broadcast { n_in: target.len, n_out: target.len, scale: 1.0 };
    let copy = Kernel { launch: copy.launch(), regions: vec![*write, target], flops: 0 };
    vec![kernel, copy]
}

fn workspace(len: usize) -> Region {
    Region { storage: Storage::Workspace, offset: 0, len }
}
