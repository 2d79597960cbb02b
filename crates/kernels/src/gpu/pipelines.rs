//! Compiled kernels: each made once for a device, several at a time, and kept on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::dispatch::Access;
use super::launch::Launch;

/// A kernel that a driver refused: its name and what the driver said.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) kernel: &'static str,
    pub(crate) problem: String,
}

/// The compiled kernels of a device: executors for other batch sizes use them too.
pub(crate) struct Pipelines {
    made: Mutex<HashMap<String, wgpu::ComputePipeline>>,
    /// Keys of those that computed what the native executor does.
    passed: Mutex<HashSet<String>>,
    /// What the driver compiled, and the file that it is kept in.
    kept: Option<(wgpu::PipelineCache, PathBuf)>,
}

impl Pipelines {
    /// None yet. The driver's code is kept in a file of `folder`, if there is one and the device
    /// was opened with [`wgpu::Features::PIPELINE_CACHE`].
    pub(crate) fn new(
        device: &wgpu::Device,
        adapter: &wgpu::AdapterInfo,
        folder: Option<&Path>,
    ) -> Self {
        let keeps = device.features().contains(wgpu::Features::PIPELINE_CACHE);
        let name = wgpu::util::pipeline_cache_key(adapter).filter(|_| keeps);
        let path = folder.zip(name).map(|(folder, name)| folder.join(name));
        let kept = path.map(|path| (create_cache(device, read(&path)), path));
        Self { made: Mutex::default(), passed: Mutex::default(), kept }
    }

    /// The pipelines of the launches, in their order; those that are not there yet are made on all
    /// threads, since drivers take long to compile. An error names the first that the driver refuses.
    pub(crate) fn get(
        &self,
        device: &wgpu::Device,
        launches: &[&Launch],
    ) -> Result<Vec<wgpu::ComputePipeline>, Refused> {
        let keys: Vec<String> = launches.iter().map(|launch| key(launch)).collect();
        let missing: BTreeMap<&String, &Launch> = {
            let made = self.made();
            let all = keys.iter().zip(launches.iter().copied());
            all.filter(|(key, _)| !made.contains_key(*key)).collect()
        };
        let cache = self.kept.as_ref().map(|(cache, _)| cache);
        let new: Vec<(String, wgpu::ComputePipeline)> = missing
            .par_iter()
            .map(|(key, launch)| Ok(((*key).clone(), create_pipeline(device, cache, launch)?)))
            .collect::<Result<_, _>>()?;
        let mut made = self.made();
        if !new.is_empty() {
            made.extend(new);
            // With the lock held, so that no two threads write the file.
            self.keep();
        }
        Ok(keys.iter().map(|key| made[key].clone()).collect())
    }

    /// Those of the keys that have not passed the self-test yet.
    pub(crate) fn untested(&self, keys: impl Iterator<Item = String>) -> BTreeSet<String> {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        keys.filter(|key| !passed.contains(key)).collect()
    }

    /// Notes kernels that passed the self-test.
    pub(crate) fn passed(&self, keys: BTreeSet<String>) {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
    }

    fn made(&self) -> MutexGuard<'_, HashMap<String, wgpu::ComputePipeline>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what the driver compiled. A failure costs the next start some time and no more.
    fn keep(&self) {
        let Some((cache, path)) = &self.kept else { return };
        let Some(data) = cache.get_data() else { return };
        match write(path, &data) {
            Ok(()) => tracing::debug!(path = %path.display(), bytes = data.len(), "kept kernels"),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled kernels were not kept");
            }
        }
    }
}

/// What tells two pipelines of one device apart.
pub(crate) fn key(launch: &Launch) -> String {
    format!("{} {:?} {:?}", launch.shader.name, launch.tiling, launch.constants)
}

#[expect(unsafe_code, reason = "wgpu has no safe way to hand a driver what it compiled before")]
fn create_cache(device: &wgpu::Device, data: Option<Vec<u8>>) -> wgpu::PipelineCache {
    let descriptor = wgpu::PipelineCacheDescriptor {
        label: Some("critbatch"),
        data: data.as_deref(),
        fallback: true,
    };
    // SAFETY: `data` came from `PipelineCache::get_data` through `write`, whose checksum `read`
    // verified; wgpu checks its header against adapter and driver, and the driver its own.
    unsafe { device.create_pipeline_cache(&descriptor) }
}

/// Data of a file that [`write`] left whole.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut data = std::fs::read(path).ok()?;
    let body = data.split_off(data.len().min(size_of::<u64>()));
    (data == checksum(&body).to_le_bytes()).then_some(body)
}

/// Writes a checksum and the data, beside the file first, so that a file is always whole.
fn write(path: &Path, data: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension(std::process::id().to_string());
    let written = std::fs::write(&beside, [&checksum(data).to_le_bytes(), data].concat())
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // There may be nothing to remove; the first error is the one to tell.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// FNV-1a in 64 bits (Fowler, Noll, Vo): against files that were damaged, not forged.
fn checksum(data: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    data.iter().fold(OFFSET_BASIS, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

fn create_pipeline(
    device: &wgpu::Device,
    cache: Option<&wgpu::PipelineCache>,
    launch: &Launch,
) -> Result<wgpu::ComputePipeline, Refused> {
    // Scopes belong to the thread, so that a driver's word is heard where it was asked.
    let scopes = [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation]
        .map(|filter| device.push_error_scope(filter));
    let module = create_module(device, launch);
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(launch.shader.name),
        layout: Some(&pipeline_layout(device, launch)),
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &launch.constants,
            // Every kernel writes its workgroup memory before it reads it.
            zero_initialize_workgroup_memory: false,
        },
        cache,
    });
    let errors = scopes.into_iter().rev().map(|scope| pollster::block_on(scope.pop()));
    match errors.collect::<Vec<_>>().into_iter().flatten().next() {
        None => Ok(pipeline),
        Some(error) => Err(Refused { kernel: launch.shader.name, problem: error.to_string() }),
    }
}

/// A kernel without the counter that wgpu puts into each loop, 64 bits wide, to end those that would not: on
/// software Vulkan it took a sixth of a product's time.
#[expect(unsafe_code, reason = "wgpu has no safe way to leave the counters out")]
fn create_module(device: &wgpu::Device, launch: &Launch) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(launch.shader.name),
        source: wgpu::ShaderSource::Wgsl(launch.shader.resolve(launch.tiling).into()),
    };
    let mut checks = wgpu::ShaderRuntimeChecks::checked();
    checks.force_loop_bounding = false;
    // SAFETY: every loop of our kernels ends. They count up, by less than the distance of their limit to 2^32,
    // to a limit that is fixed before they begin, or halve a number down to 0; the one that does neither walks
    // a cycle of a permutation until it is back among the examples, where it began. All other checks stay.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}

fn pipeline_layout(device: &wgpu::Device, launch: &Launch) -> wgpu::PipelineLayout {
    let storage = launch
        .accesses()
        .into_iter()
        .map(|access| wgpu::BufferBindingType::Storage { read_only: access == Access::Read });
    let bindings = std::iter::once(wgpu::BufferBindingType::Uniform).chain(storage);
    let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..)
        .zip(bindings)
        .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        })
        .collect();
    let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(launch.shader.name),
        entries: &entries,
    });
    device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(launch.shader.name),
        bind_group_layouts: &[Some(&group)],
        immediate_size: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_no_file() {
        let folder = std::env::temp_dir().join(format!("critbatch-cache-{}", std::process::id()));
        let path = folder.join("deeper").join("kernels");
        assert_eq!(read(&path), None);
        for data in [vec![], vec![7; 1000]] {
            write(&path, &data).unwrap();
            assert_eq!(read(&path), Some(data));
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "one file");
        let whole = std::fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() - 1], &whole[..3], &[], &[&whole[..], &[7]].concat()] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(read(&path), None, "{} bytes", damaged.len());
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
