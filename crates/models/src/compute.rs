//! Which device trains, and why.

use std::sync::Arc;

use critbatch_kernels::cpu::CpuExecutor;
use critbatch_kernels::gpu::{Adapter, Device, GpuExecutor, Selection, adapters, memory_bytes};
use critbatch_kernels::{Executor, Program};

use serde::Serialize;

use crate::error::ModelError;

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

/// Lanes that keep every thread busy while rounds end unevenly.
const LANES_PER_THREAD: usize = 8;

/// Lanes of one GPU program at most.
const MAX_GPU_LANES: usize = 64;

/// Memory that lanes may take, since neither executor is told how much there is.
const LANE_MEMORY_BYTES: u64 = 2 << 30;

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
        name: format!("{} threads, {}", n_threads(), std::env::consts::ARCH),
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
            Compute::Cpu => format!("cpu ({})", std::env::consts::ARCH),
            Compute::Gpu(device) => {
                let Adapter { name, backend, driver, .. } = device.adapter();
                format!("wgpu ({name}, {backend}, {driver})")
            }
        }
    }

    /// Lanes that suit the device: bounded by memory, and by what keeps it busy.
    pub fn max_lanes(&self, program: &Program) -> usize {
        let (most, lane_bytes) = match self {
            Compute::Cpu => {
                let bytes = size_of::<f32>() * program.lane_len();
                (LANES_PER_THREAD * n_threads(), bytes as u64)
            }
            Compute::Gpu(_) => (MAX_GPU_LANES, memory_bytes(program, 2) - memory_bytes(program, 1)),
        };
        let fitting = usize::try_from(LANE_MEMORY_BYTES / lane_bytes.max(1)).unwrap_or(most);
        fitting.clamp(1, most)
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

fn n_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there() {
        assert!(devices().iter().any(|device| device.choice == "cpu"));
        let (compute, why) = Compute::choose(DeviceChoice::Cpu).unwrap();
        assert!(compute.description().starts_with("cpu ("));
        assert_eq!(why, "as asked for");
    }
}
