//! Adapters, the choice among them, and the one opened device.
//!
//! Only this file reads the environment and the adapter's limits.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use etcetera::BaseStrategy;

use super::gemm::Tiling;
use super::pipelines::{Pipelines, Refused};
use crate::error::Error;

/// What an adapter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Name as the driver gives it.
    pub name: String,
    /// Interface it is reached by: `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// Kind of device: `discrete gpu`, `integrated gpu`, `virtual gpu`, `other` or `software`.
    pub kind: &'static str,
    /// Driver and its version.
    pub driver: String,
    /// Products of small matrices that it multiplies in hardware, as `m x n x k: type of the
    /// factors -> type of the sum`; no kernel uses them yet.
    pub cooperative_matrices: Vec<String>,
}

impl Adapter {
    /// Whether it runs on the CPU, as Mesa's llvmpipe does.
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }

    /// Whether its memory is the host's.
    pub fn shares_host_memory(&self) -> bool {
        matches!(self.kind, "software" | "integrated gpu")
    }

    fn new(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete gpu",
            wgpu::DeviceType::IntegratedGpu => "integrated gpu",
            wgpu::DeviceType::VirtualGpu => "virtual gpu",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        };
        Self {
            name: info.name,
            backend: info.backend.to_string(),
            kind,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            cooperative_matrices: cooperative_matrices(adapter),
        }
    }
}

fn cooperative_matrices(adapter: &wgpu::Adapter) -> Vec<String> {
    let kind = |scalar: wgpu::wgt::CooperativeScalarType| match scalar {
        wgpu::wgt::CooperativeScalarType::F32 => "f32",
        wgpu::wgt::CooperativeScalarType::F16 => "f16",
        wgpu::wgt::CooperativeScalarType::I32 => "i32",
        wgpu::wgt::CooperativeScalarType::U32 => "u32",
    };
    let describe = |matrix: &wgpu::wgt::CooperativeMatrixProperties| {
        let wgpu::wgt::CooperativeMatrixProperties { m_size, n_size, k_size, .. } = matrix;
        let (factors, sum) = (kind(matrix.ab_type), kind(matrix.cr_type));
        format!("{m_size} x {n_size} x {k_size}: {factors} -> {sum}")
    };
    let mut described: Vec<String> =
        adapter.cooperative_matrix_properties().iter().map(describe).collect();
    described.dedup();
    described
}

/// Where compiled kernels are kept: the environment variable `CRITBATCH_CACHE`, empty for nowhere,
/// else `critbatch` in the user's cache.
fn cache_folder() -> Option<PathBuf> {
    let platform = || {
        let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
        Some(strategy.cache_dir().join("critbatch"))
    };
    match std::env::var_os("CRITBATCH_CACHE") {
        Some(folder) => Some(PathBuf::from(folder)).filter(|folder| !folder.as_os_str().is_empty()),
        None => platform(),
    }
}

/// Which adapter to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// A real GPU: discrete before integrated before others.
    Gpu,
    /// Software Vulkan, for tests of the WGSL where there is no GPU.
    Software,
    /// The first whose name contains this, whatever its case.
    Name(String),
}

/// Share of the free memory that the driver reports which may be taken: what it needs for itself comes
/// on top.
const MEMORY_BUDGET_PERCENT: u8 = 90;

/// All adapters, the best first. The environment variable `WGPU_BACKEND` (`vulkan`, `metal`,
/// `dx12`) narrows the list.
pub fn adapters() -> Vec<Adapter> {
    enumerate().iter().map(Adapter::new).collect()
}

/// The adapters, looked for once in a process: loading the drivers takes most of a CPU start-up.
fn enumerate() -> &'static [wgpu::Adapter] {
    static ADAPTERS: OnceLock<Vec<wgpu::Adapter>> = OnceLock::new();
    ADAPTERS.get_or_init(look_for_adapters)
}

fn look_for_adapters() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    // Where the driver knows how much memory is free, it refuses more than this.
    descriptor.memory_budget_thresholds.for_resource_creation = Some(MEMORY_BUDGET_PERCENT);
    let backends = descriptor.backends;
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

/// An opened adapter, to be shared by executors.
pub struct Device {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    /// How products are cut on it.
    pub(crate) tiling: Tiling,
    pub(crate) pipelines: Pipelines,
    adapter: Adapter,
    /// First thing that went wrong since it was last looked at.
    failure: Arc<Mutex<Option<Failure>>>,
}

/// What wgpu reports of a device.
#[derive(Debug)]
enum Failure {
    OutOfMemory(String),
    Other(String),
}

/// How long a GPU may take for what was submitted to it, which is meant to take less than a second or two;
/// a driver that resets a hanging device does so within seconds.
const PATIENCE: Duration = Duration::from_secs(600);

/// The same of a software device, on which a step of a large network takes minutes.
const PATIENCE_WITH_SOFTWARE: Duration = Duration::from_secs(7200);

impl Device {
    /// Opens an adapter with all its limits. The environment variable `WGPU_ADAPTER_NAME`
    /// overrides the selection, as a [`Selection::Name`].
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if there is none of the kind, [`Error::Device`] if it does not open.
    pub fn open(selection: &Selection) -> Result<Arc<Self>, Error> {
        let by_name = std::env::var("WGPU_ADAPTER_NAME").ok().map(Selection::Name);
        let selection = by_name.as_ref().unwrap_or(selection);
        let candidates = enumerate();
        let found = candidates.iter().find(|&adapter| selection.accepts(&Adapter::new(adapter)));
        let Some(found) = found else {
            return Err(selection.none_of(&candidates.iter().map(Adapter::new).collect::<Vec<_>>()));
        };
        let adapter = Adapter::new(found);
        let tiling = tiling(found);
        let wanted = match tiling {
            Tiling::Shared => wgpu::Features::PIPELINE_CACHE,
            Tiling::Subgroup(_) => wgpu::Features::PIPELINE_CACHE | wgpu::Features::SUBGROUP,
        };
        let descriptor = wgpu::DeviceDescriptor {
            required_features: wanted & found.features(),
            label: Some("critbatch"),
            required_limits: found.limits(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let opened = pollster::block_on(found.request_device(&descriptor));
        let (device, queue) = opened.map_err(|error| Error::Device {
            device: adapter.name.clone(),
            problem: one_line(&error.to_string()),
        })?;
        let failure = Arc::new(Mutex::new(None));
        watch(&device, &failure);
        tracing::info!(name = adapter.name, kind = adapter.kind, "opened adapter");
        let pipelines = Pipelines::new(&device, &found.get_info(), cache_folder().as_deref());
        Ok(Arc::new(Self { device, queue, tiling, pipelines, adapter, failure }))
    }

    /// What was opened.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Turns what wgpu reported since the last call into an error.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failure {
            None => Ok(()),
            Some(Failure::Other(problem)) => Err(self.error(&problem)),
            Some(Failure::OutOfMemory(problem)) => {
                let device = self.adapter.name.clone();
                Err(Error::OutOfMemory { device, problem: one_line(&problem) })
            }
        }
    }

    /// The error of a kernel that the driver does not compile.
    pub(crate) fn refusal(&self, refused: &Refused) -> Error {
        let Adapter { name, driver, .. } = self.adapter.clone();
        let problem = one_line(&refused.problem);
        Error::Kernel { device: name, driver, kernel: refused.kernel, problem }
    }

    /// An error of this device.
    pub(crate) fn error(&self, problem: &str) -> Error {
        Error::Device { device: self.adapter.name.clone(), problem: one_line(problem) }
    }

    /// Frees what was dropped after a failure, which the caller tells: data that were to be written next
    /// stay until a submission has written them.
    pub(crate) fn release(&self) {
        self.queue.submit([]);
        // Buffers that were never made are no news.
        let _ = self.wait(None);
    }

    /// Maps the first bytes of a buffer once a submission that uses it has ended, if there is one.
    pub(crate) fn map(
        &self,
        buffer: &wgpu::Buffer,
        mode: wgpu::MapMode,
        bytes: u64,
        after: Option<wgpu::SubmissionIndex>,
    ) -> Result<(), Error> {
        let (sender, receiver) = std::sync::mpsc::channel();
        buffer.map_async(mode, 0..bytes, move |result| {
            // The receiver is gone only if this call already failed.
            let _ = sender.send(result);
        });
        match after {
            Some(submission) => self.wait(Some(submission))?,
            None => self.poll(wgpu::PollType::Poll, Duration::ZERO)?,
        }
        // A thread that waits for another executor may be the one that calls back, a little later.
        let mapped = receiver.recv().map_err(|error| self.error(&error.to_string()))?;
        mapped.map_err(|error| self.error(&error.to_string()))
    }

    /// Waits until a submission, or all of them, ended; not for ever.
    pub(crate) fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<(), Error> {
        let limit = if self.adapter.is_software() { PATIENCE_WITH_SOFTWARE } else { PATIENCE };
        self.wait_for(submission, limit)
    }

    fn wait_for(
        &self,
        submission: Option<wgpu::SubmissionIndex>,
        limit: Duration,
    ) -> Result<(), Error> {
        let poll = wgpu::PollType::Wait { submission_index: submission, timeout: Some(limit) };
        self.poll(poll, limit)
    }

    fn poll(&self, poll: wgpu::PollType, limit: Duration) -> Result<(), Error> {
        match without_panic(|| self.device.poll(poll)) {
            Ok(Ok(_)) => self.check(),
            Ok(Err(wgpu::PollError::Timeout)) => {
                let seconds = limit.as_secs();
                Err(self.error(&format!("no answer for {seconds} s: a kernel does not return")))
            }
            // What wgpu reported before tells more, such as why there is nothing to wait for.
            Ok(Err(error)) => self.check().and(Err(self.error(&error.to_string()))),
            Err(panic) => self.check().and(Err(self.error(&panic))),
        }
    }
}

/// What a call returns, or the message it panics with: wgpu 30 panics where a driver says, while it is
/// waited for, that the device is lost.
fn without_panic<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("the driver failed").to_owned()
    })
}

/// Threads of a workgroup of a software device are elements of the host's vectors, from the first
/// on, so a workgroup of that size is one subgroup. On a GPU shared memory is the faster way.
fn tiling(adapter: &wgpu::Adapter) -> Tiling {
    let info = adapter.get_info();
    let size = info.subgroup_min_size;
    let is_software = info.device_type == wgpu::DeviceType::Cpu;
    let has_subgroups = adapter.features().contains(wgpu::Features::SUBGROUP);
    if is_software && has_subgroups && size == info.subgroup_max_size && size >= 8 {
        Tiling::Subgroup(size)
    } else {
        Tiling::Shared
    }
}

impl Selection {
    fn accepts(&self, adapter: &Adapter) -> bool {
        match self {
            Selection::Gpu => !adapter.is_software(),
            Selection::Software => adapter.is_software(),
            Selection::Name(part) => adapter.name.to_lowercase().contains(&part.to_lowercase()),
        }
    }

    fn none_of(&self, adapters: &[Adapter]) -> Error {
        let names: Vec<&str> = adapters.iter().map(|adapter| adapter.name.as_str()).collect();
        let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let advice = "install the GPU's Vulkan driver, or use the native executor";
        let software = "install Mesa's software Vulkan with 'apt-get install mesa-vulkan-drivers'";
        Error::NoAdapter(match self {
            Selection::Gpu => {
                format!("no GPU adapter (found: {found}); {advice}; for tests, {software}")
            }
            Selection::Software => format!("no software adapter (found: {found}); {software}"),
            Selection::Name(part) => format!(
                "no adapter whose name contains '{part}' (found: {found}); name one of those found"
            ),
        })
    }
}

/// Keeps the first error instead of panicking, which is wgpu's default.
fn watch(device: &wgpu::Device, failure: &Arc<Mutex<Option<Failure>>>) {
    let note = |slot: &Mutex<Option<Failure>>, failure: Failure| {
        slot.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    };
    let slot = Arc::clone(failure);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        let failure = match &error {
            wgpu::Error::OutOfMemory { source } => Failure::OutOfMemory(source.to_string()),
            other => Failure::Other(other.to_string()),
        };
        note(&slot, failure);
    }));
    let slot = Arc::clone(failure);
    device.set_device_lost_callback(move |reason, message| {
        if reason != wgpu::DeviceLostReason::Destroyed {
            note(&slot, Failure::Other(format!("device lost: {message}")));
        }
    });
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The device is busy with a large copy when patience of none at all ends.
    #[test]
    fn a_device_that_does_not_answer_is_an_error() {
        let device = Device::open(&Selection::Software).unwrap();
        let descriptor = wgpu::BufferDescriptor {
            label: None,
            size: 64 << 20,
            usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        };
        let [a, b] =
            [device.device.create_buffer(&descriptor), device.device.create_buffer(&descriptor)];
        let mut encoder = device.device.create_command_encoder(&Default::default());
        for _ in 0..20 {
            encoder.copy_buffer_to_buffer(&a, 0, &b, 0, 64 << 20);
        }
        let submission = device.queue.submit([encoder.finish()]);
        let error = device.wait_for(Some(submission), Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("no answer for 0 s: a kernel does not return"), "{error}");
        device.wait(None).unwrap();
    }

    #[test]
    fn a_panic_of_wgpu_is_an_error() {
        assert_eq!(without_panic(|| 7), Ok(7));
        let lost = without_panic(|| -> u32 { panic!("{} is lost", "the device") });
        assert_eq!(lost, Err("the device is lost".to_owned()));
        assert_eq!(without_panic(|| -> u32 { panic!("lost") }), Err("lost".to_owned()));
    }

    fn adapter(name: &str, kind: &'static str) -> Adapter {
        let (name, driver) = (name.to_owned(), String::new());
        let backend = "vulkan".to_owned();
        Adapter { name, backend, kind, driver, cooperative_matrices: vec![] }
    }

    #[test]
    fn software_is_taken_only_when_asked_for() {
        let software = adapter("llvmpipe (LLVM 15)", "software");
        assert!(!Selection::Gpu.accepts(&software));
        assert!(Selection::Software.accepts(&software));
        assert!(Selection::Name("LLVMpipe".to_owned()).accepts(&software));
        assert!(Selection::Gpu.accepts(&adapter("some GPU", "integrated gpu")));
        assert!(!Selection::Software.accepts(&adapter("some GPU", "integrated gpu")));
    }

    #[test]
    fn a_missing_adapter_is_told_with_what_there_is_and_what_to_install() {
        let message = Selection::Gpu.none_of(&[adapter("llvmpipe", "software")]).to_string();
        assert!(message.contains("found: llvmpipe"), "{message}");
        let message = Selection::Software.none_of(&[]).to_string();
        assert!(message.contains("found: none"), "{message}");
        assert!(message.contains("apt-get install mesa-vulkan-drivers"), "{message}");
    }
}
