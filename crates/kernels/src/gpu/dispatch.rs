//! From kernels to wgpu: bind groups, `Params` and grids, made once.
//!
//! The only place that knows how many workgroups a dimension may have.

use super::device::Device;
use super::launch::{Launch, Resource};
use super::lower::Kernel;
use super::memory::Memory;
use crate::error::Error;

/// A kernel ready to be recorded.
pub(crate) struct Command {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    grid: [u32; 3],
    /// [`Kernel::cost`] of all lanes.
    pub(crate) cost: u64,
}

impl Command {
    pub(crate) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        let [x, y, z] = self.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Whether a kernel only reads a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

impl Launch {
    /// Access of bindings 1 and up: operands read, operands written, resources.
    pub(crate) fn accesses(&self) -> Vec<Access> {
        let resource = |resource: &Resource| match resource {
            Resource::LanesMut | Resource::Faults => Access::ReadWrite,
            Resource::Lanes | Resource::Words(_) | Resource::MoreWords(_) | Resource::Labels(_) => {
                Access::Read
            }
        };
        let reads = self.reads.iter().map(|_| Access::Read);
        let writes = self.writes.iter().map(|_| Access::ReadWrite);
        reads.chain(writes).chain(self.resources.iter().map(resource)).collect()
    }
}

/// Words of the WGSL struct `Params`: two per operand, (offset, stride), then the op's own;
/// whole vectors of four, which is what the strictest alignment within it asks for.
pub(crate) fn params(views: impl Iterator<Item = [u32; 2]>, words: &[u32]) -> Vec<u32> {
    let mut params: Vec<u32> = views.flatten().chain(words.iter().copied()).collect();
    params.resize(params.len().next_multiple_of(4).max(4), 0);
    params
}

/// Folds `n` workgroups into two dimensions of at most `most` each; None if they do not fit.
pub(crate) fn fold(n: usize, most: u32) -> Option<[u32; 2]> {
    let n = u32::try_from(n).ok()?;
    let rows = n.div_ceil(most).max(1);
    (rows <= most).then(|| [n.div_ceil(rows), rows])
}

/// Makes the commands of an executor.
pub(crate) struct Builder<'a> {
    device: &'a Device,
    memory: &'a Memory,
    lanes: usize,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(device: &'a Device, memory: &'a Memory, lanes: usize) -> Self {
        Self { device, memory, lanes }
    }

    /// The commands of one plan.
    pub(crate) fn commands(&self, kernels: &[Kernel]) -> Result<Vec<Command>, Error> {
        let params: Vec<Vec<u32>> = kernels.iter().map(|kernel| self.params(kernel)).collect();
        let alignment = u64::from(self.device.device.limits().min_uniform_buffer_offset_alignment);
        let mut offsets = Vec::new();
        let mut bytes: Vec<u8> = Vec::new();
        for params in &params {
            offsets.push(bytes.len() as u64);
            bytes.extend(bytemuck::cast_slice(params));
            let padded = (bytes.len() as u64).next_multiple_of(alignment);
            bytes.resize(usize::try_from(padded).expect("a few bytes per kernel"), 0);
        }
        let uniforms = self.device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: (bytes.len() as u64).max(alignment),
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.device.queue.write_buffer(&uniforms, 0, &bytes);
        let grids: Vec<[u32; 3]> =
            kernels.iter().map(|kernel| self.grid(kernel)).collect::<Result<_, _>>()?;
        let launches: Vec<&Launch> = kernels.iter().map(|kernel| &kernel.launch).collect();
        let pipelines = self.device.pipelines.get(&self.device.device, &launches);
        let pipelines = pipelines.map_err(|refused| self.device.refusal(&refused))?;
        let uniform = |(params, offset): (&Vec<u32>, u64)| {
            let size = std::num::NonZeroU64::new(4 * params.len() as u64);
            wgpu::BufferBinding { buffer: &uniforms, offset, size }
        };
        let uniforms = params.iter().zip(offsets).map(uniform);
        let commands = kernels.iter().zip(grids).zip(pipelines).zip(uniforms);
        Ok(commands
            .map(|(((kernel, grid), pipeline), uniform)| {
                let bind_group = self.bind_group(kernel, &pipeline, uniform);
                let cost = kernel.cost() * self.lanes as u64;
                Command { pipeline, bind_group, grid, cost }
            })
            .collect())
    }

    fn params(&self, kernel: &Kernel) -> Vec<u32> {
        let word = |value| u32::try_from(value).expect("checked when buffers were made");
        let views = kernel.regions.iter().map(|region| {
            let stride = self.memory.allocations[&region.storage].stride;
            [word(region.offset), word(stride)]
        });
        params(views, &kernel.launch.words)
    }

    /// Workgroups along each axis; the last is the lane.
    fn grid(&self, kernel: &Kernel) -> Result<[u32; 3], Error> {
        let launch = &kernel.launch;
        let most = self.device.device.limits().max_compute_workgroups_per_dimension;
        let lanes = u32::try_from(self.lanes).ok().filter(|&lanes| lanes <= most);
        let (Some([x, y]), Some(z)) = (fold(launch.n_workgroups, most), lanes) else {
            return Err(Error::TooLarge {
                what: format!("kernel '{}'", launch.shader.name),
                needed_bytes: 4 * kernel
                    .regions
                    .iter()
                    .map(|region| region.len as u64)
                    .sum::<u64>(),
                limit: format!("a grid has at most {most} workgroups along each of its axes"),
            });
        };
        Ok([x, y, z])
    }

    fn bind_group(
        &self,
        kernel: &Kernel,
        pipeline: &wgpu::ComputePipeline,
        uniform: wgpu::BufferBinding<'_>,
    ) -> wgpu::BindGroup {
        let launch = &kernel.launch;
        let buffers =
            kernel.regions.iter().map(|region| &self.memory.allocations[&region.storage].buffer);
        let resources = launch.resources.iter().map(|resource| match *resource {
            Resource::Lanes | Resource::LanesMut => &self.memory.lanes,
            Resource::Faults => &self.memory.faults,
            Resource::Words(split) => &self.memory.splits[split].words[0],
            Resource::MoreWords(split) => &self.memory.splits[split].words[1],
            Resource::Labels(split) => &self.memory.splits[split].labels,
        });
        let uniform = std::iter::once(wgpu::BindingResource::Buffer(uniform));
        let bindings = uniform.chain(buffers.chain(resources).map(wgpu::Buffer::as_entire_binding));
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
            .zip(bindings)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        self.device.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(launch.shader.name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_fold_without_losing_a_workgroup() {
        for n in [1, 2, 65_535, 65_536, 65_537, 1_000_003, 4_294_836_225] {
            let [x, y] = fold(n, 65_535).unwrap();
            assert!(x <= 65_535 && y <= 65_535);
            let total = x as usize * y as usize;
            assert!(total >= n && total - n < y as usize, "{n} workgroups as {x} x {y}");
        }
        assert_eq!(fold(65_535, 65_535), Some([65_535, 1]));
        assert_eq!(fold(4_294_836_226, 65_535), None);
    }
}
