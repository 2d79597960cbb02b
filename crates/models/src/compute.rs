//! Which device trains, and why.

use std::sync::Arc;

use critbatch_kernels::cpu::{CpuExecutor, matrix_unit_name, vector_bits};
use critbatch_kernels::gpu::{
    self, Adapter, Device, GpuExecutor, Selection, adapters, memory_bytes,
};
use critbatch_kernels::{Executor, Program};

use serde::Serialize;

use crate::error::ModelError;
use crate::memory::budget_bytes;

/// What the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A real GPU if there is one, else the native CPU executor.
    #[default]
    Auto,
    /// The native CPU executor.
    Cpu,
    /// WGSL through wgpu: a real GPU if there is one, else software Vulkan.
    Wgpu,
}

/// Lanes a thread at least, where there is memory for them: they keep every thread busy while rounds
/// end unevenly.
const LANES_PER_THREAD: usize = 4;

/// Lanes that a GPU is tried with first: fewer hardly ever fill one.
const FIRST_GPU_LANES: usize = 8;

/// The device of a workload.
#[derive(Clone)]
pub enum Compute {
    /// The native CPU executor.
    Cpu,
    /// WGSL through wgpu.
    Gpu(Arc<Device>),
}

/// A device that `--device` can take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// The choice that takes it: `cpu` or `wgpu`.
    pub choice: &'static str,
    /// Name, as the driver gives it.
    pub name: String,
    /// Interface: `native`, `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// Kind: `cpu`, `discrete gpu`, `integrated gpu`, `virtual gpu`, `other` or `software`.
    pub kind: &'static str,
    /// Driver and its version; empty for the CPU.
    pub driver: String,
    /// Products of small matrices in hardware, as the adapter offers them; empty for none.
    pub cooperative_matrices: Vec<String>,
}

/// All devices, in the order in which they are preferred.
pub fn devices() -> Vec<DeviceInfo> {
    let cpu = DeviceInfo {
        choice: "cpu",
        name: format!("{} threads, {}", n_threads(), instructions()),
        backend: "native".to_owned(),
        kind: "cpu",
        driver: String::new(),
        cooperative_matrices: vec![],
    };
    let info = |adapter: Adapter| DeviceInfo {
        choice: "wgpu",
        name: adapter.name,
        backend: adapter.backend,
        kind: adapter.kind,
        driver: adapter.driver,
        cooperative_matrices: adapter.cooperative_matrices,
    };
    let (software, gpus): (Vec<_>, Vec<_>) = adapters().into_iter().partition(Adapter::is_software);
    gpus.into_iter().map(info).chain([cpu]).chain(software.into_iter().map(info)).collect()
}

impl Compute {
    /// The device of a choice, and why it was taken.
    ///
    /// # Errors
    /// If there is no such device or it does not open.
    pub fn choose(choice: DeviceChoice) -> Result<(Self, String), ModelError> {
        let has_gpu = || adapters().iter().any(|adapter| !adapter.is_software());
        let gpu = |selection, why: &str| -> Result<_, ModelError> {
            Ok((Compute::Gpu(Device::open(&selection)?), why.to_owned()))
        };
        match choice {
            DeviceChoice::Cpu => Ok((Compute::Cpu, "as asked for".to_owned())),
            DeviceChoice::Auto if has_gpu() => gpu(Selection::Gpu, "a GPU was found"),
            DeviceChoice::Auto => Ok((Compute::Cpu, "no GPU was found".to_owned())),
            DeviceChoice::Wgpu if has_gpu() => gpu(Selection::Gpu, "as asked for"),
            DeviceChoice::Wgpu => {
                let why = "as asked for; no GPU was found, so the WGSL runs on software Vulkan, \
                           slower than the native CPU executor";
                gpu(Selection::Software, why)
            }
        }
    }

    /// One line that names the device; part of what a measurement's bits depend on.
    pub fn description(&self) -> String {
        match self {
            Compute::Cpu => format!("cpu ({})", instructions()),
            Compute::Gpu(device) => {
                let Adapter { name, backend, driver, .. } = device.adapter();
                format!("wgpu ({name}, {backend}, {driver})")
            }
        }
    }

    /// Bytes that a program takes in so many lanes: of the host's memory on the CPU, where the data
    /// are in the program already, of the device's on a GPU, data included.
    pub fn memory_bytes(&self, program: &Program, lanes: usize) -> u64 {
        match self {
            Compute::Cpu => program.native_memory_bytes(lanes, n_threads()),
            Compute::Gpu(_) => memory_bytes(program, lanes),
        }
    }

    /// As [`Compute::memory_bytes`], of training in which trials leave and enter lanes.
    pub fn memory_bytes_with_checkpoints(&self, program: &Program, lanes: usize) -> u64 {
        match self {
            Compute::Cpu => program.native_memory_bytes_with_checkpoints(lanes, n_threads()),
            Compute::Gpu(_) => memory_bytes(program, lanes),
        }
    }

    /// The numbers of lanes that are worth trying, ascending.
    ///
    /// On the CPU each thread takes the same number of lanes, at first four: a lane's steps take no
    /// less time beside others, but rounds end unevenly. Memory is three quarters of what is
    /// available.
    ///
    /// A GPU is tried with 8 lanes, then twice as many, and so on, up to what the limits of its buffers
    /// allow. A GPU with the host's memory is bounded as the CPU is. Nobody tells how much memory
    /// other GPUs have, but their drivers refuse what does not fit, which ends the trying.
    pub fn lane_counts(&self, program: &Program) -> Vec<usize> {
        let most = self.most_lanes(program);
        match self {
            Compute::Cpu => {
                let n_threads = n_threads();
                // As many for each thread, where there is one for each.
                let even = most - most % n_threads.min(most);
                doubling(LANES_PER_THREAD * n_threads, even)
            }
            Compute::Gpu(_) => doubling(FIRST_GPU_LANES, most),
        }
    }

    /// The most lanes that fit, as far as it can be known without trying; at least one.
    pub fn most_lanes(&self, program: &Program) -> usize {
        let bytes = |lanes| self.memory_bytes_with_checkpoints(program, lanes);
        match self {
            Compute::Cpu => fitting(budget_bytes(), bytes, n_threads()),
            Compute::Gpu(device) => {
                let most = gpu::max_lanes(device, program).max(1);
                match device.adapter().shares_host_memory() {
                    true => most.min(fitting(budget_bytes(), bytes, 1)),
                    false => most,
                }
            }
        }
    }

    /// An executor of a program's plans.
    ///
    /// # Errors
    /// If the device cannot hold the lanes.
    pub fn executor(
        &self,
        program: &Program,
        lanes: usize,
    ) -> Result<Box<dyn Executor<f32>>, ModelError> {
        match self {
            Compute::Cpu => Ok(Box::new(CpuExecutor::new(program, lanes)?)),
            Compute::Gpu(device) => Ok(Box::new(GpuExecutor::new(device, program, lanes)?)),
        }
    }
}

/// What the bits of a training run on the CPU depend on.
fn instructions() -> String {
    let unit = matrix_unit_name().map(|name| format!(", {name}")).unwrap_or_default();
    format!("{}, {}-bit vectors{unit}", std::env::consts::ARCH, vector_bits())
}

/// Threads that train on the CPU.
pub fn n_threads() -> usize {
    rayon::current_num_threads()
}

/// Makes so many threads train on the CPU, instead of one for each core; once, before anything trains.
///
/// # Errors
/// If the threads run already or cannot be started.
pub fn use_threads(n_threads: usize) -> Result<(), ModelError> {
    let started = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build_global();
    started.map_err(|error| ModelError::Threads { n_threads, problem: error.to_string() })
}

/// The most lanes that take no more than `budget` bytes, at least one; from `knee` lanes on, each lane
/// takes as much as the one before.
fn fitting(budget: u64, bytes: impl Fn(usize) -> u64, knee: usize) -> usize {
    let Some(left) = budget.checked_sub(bytes(knee)) else {
        return (1..knee).rev().find(|&lanes| bytes(lanes) <= budget).unwrap_or(1);
    };
    let per_lane = bytes(knee + 1).saturating_sub(bytes(knee)).max(1);
    knee.saturating_add(usize::try_from(left / per_lane).unwrap_or(usize::MAX))
}

/// `first`, twice that and so on, up to `most`; `most` alone if it is less than `first`.
fn doubling(first: usize, most: usize) -> Vec<usize> {
    let counts = std::iter::successors(Some(first), |count| count.checked_mul(2));
    let counts: Vec<usize> = counts.take_while(|&count| count <= most).collect();
    if counts.is_empty() { vec![most] } else { counts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_fit_the_budget() {
        // Two threads with 100 bytes of scratch each, lanes of 10.
        let bytes = |lanes: usize| (100 * lanes.min(2) + 10 * lanes) as u64;
        let most = |budget| fitting(budget, bytes, 2);
        assert_eq!([0, 110, 219, 220, 229, 230, 290].map(most), [1, 1, 1, 2, 2, 3, 9]);
        assert_eq!(fitting(u64::MAX, |_| 0, 2), usize::MAX, "lanes without memory");
    }

    #[test]
    fn counts_double_up_to_the_most() {
        assert_eq!(doubling(8, 40), [8, 16, 32]);
        assert_eq!(doubling(8, 8), [8]);
        assert_eq!(doubling(8, 6), [6]);
        assert_eq!(doubling(1 << 62, usize::MAX), [1 << 62, 1 << 63]);
    }

    #[test]
    fn the_cpu_is_always_there() {
        assert!(devices().iter().any(|device| device.choice == "cpu"));
        let (compute, why) = Compute::choose(DeviceChoice::Cpu).unwrap();
        let bits = vector_bits();
        let unit = if matrix_unit_name().is_some() { ", AMX" } else { "" };
        assert!(compute.description().ends_with(&format!(", {bits}-bit vectors{unit})")));
        assert_eq!(why, "as asked for");
    }
}
