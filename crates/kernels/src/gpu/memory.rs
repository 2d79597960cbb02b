//! Device memory: what a program needs, checked against the device's limits and made once.

use std::collections::{BTreeMap, HashMap};

use super::device::Device;
use super::gemm::Tiling;
use super::lower::{Kernel, Storage, lower};
use super::stream::{MAX_AHEAD_OF_STREAM, StreamedPlan};
use super::upload::{Upload, UploadSizes};
use crate::error::Error;
use crate::executor::Program;
use crate::lane::LaneState;

/// Lanes start at multiples of so many elements, 128 bytes: a line of most caches.
const LANE_ALIGNMENT: usize = 32;

/// Bytes that kernels reach, which count elements in 32 bits.
const REACH: u64 = 4 * u32::MAX as u64;

/// Bytes of device memory that a program takes with the given number of lanes: all that an executor
/// makes but a few bytes of `Params` for each kernel.
pub fn memory_bytes(program: &Program, lanes: usize) -> u64 {
    let states = lanes * (size_of::<LaneState>() + size_of::<u32>());
    let lens = lens(program, &lower(program, Tiling::Shared));
    let staging = staging_bytes(&lens, lanes);
    let buffers = lens.into_values().map(|len| len_bytes(len, lanes));
    let data = (0..program.splits().len()).map(|split| split_bytes(program, split, lanes));
    let data = data.flatten();
    let upload = upload_sizes(program, lanes).all_bytes();
    states as u64 + buffers.sum::<u64>() + staging + upload + data.sum::<u64>()
}

/// The most lanes for which the device's limits allow the buffers of a program.
pub fn max_lanes(device: &Device, program: &Program) -> usize {
    let limits = device.device.limits();
    let most_bytes = binding_bytes(device).min(REACH);
    let longest = lens(program, &lower(program, device.tiling)).into_values().max().unwrap_or(0);
    let fitting = usize::try_from(most_bytes / len_bytes(longest, 1)).unwrap_or(usize::MAX);
    fitting.min(limits.max_compute_workgroups_per_dimension as usize)
}

/// Elements per lane of every buffer.
fn lens(program: &Program, kernels: &[Vec<Kernel>]) -> BTreeMap<Storage, usize> {
    let n_parameters = program.n_parameters();
    let mut lens = BTreeMap::from([
        (Storage::Parameters, n_parameters),
        (Storage::Velocity, n_parameters),
        (Storage::SecondMoment, program.second_moment_len()),
        (Storage::Gradients, program.gradients_len()),
    ]);
    for (index, plan) in program.plans().iter().enumerate() {
        lens.insert(Storage::Records(index), plan.records.0 * plan.records.1);
        for (kept, &len) in plan.kept.iter().enumerate() {
            lens.insert(Storage::Kept(index, kept), len);
        }
    }
    for region in kernels.iter().flatten().flat_map(|kernel| &kernel.regions) {
        let len = lens.entry(region.storage).or_default();
        *len = (*len).max(region.offset + region.len);
    }
    lens
}

/// Elements from one lane to the next; a buffer without elements still has to exist.
fn stride(len: usize) -> usize {
    len.next_multiple_of(LANE_ALIGNMENT).max(LANE_ALIGNMENT)
}

fn len_bytes(len: usize, lanes: usize) -> u64 {
    (stride(len) * lanes * size_of::<f32>()) as u64
}

/// Bytes of what the host reads at most at once: the states, or the longest buffer of a lane.
fn staging_bytes(lens: &BTreeMap<Storage, usize>, lanes: usize) -> u64 {
    let readable = |key: &Storage| !matches!(key, Storage::Slot(_) | Storage::Workspace);
    let longest = lens.iter().filter(|(key, _)| readable(key)).map(|(_, &len)| len).max();
    (longest.unwrap_or(0) * size_of::<f32>()).max(lanes * size_of::<LaneState>()) as u64
}

/// Bytes of the images, padded to whole words, and of the labels: of all images of a split, or of
/// as many of a stream as one iteration takes.
fn split_bytes(program: &Program, index: usize, lanes: usize) -> [u64; 2] {
    let word = size_of::<u32>();
    let split = &program.splits()[index];
    let streamed = streamed_len(program, index, lanes);
    let images = streamed.unwrap_or(split.bytes().len()).next_multiple_of(word).max(word);
    [images as u64, (split.labels.len() * word).max(word) as u64]
}

/// Bytes that one iteration takes of a split, if it is a stream.
fn streamed_len(program: &Program, index: usize, lanes: usize) -> Option<usize> {
    let batches = program.plans().iter().filter_map(|plan| StreamedPlan::of(plan, index));
    batches.map(|plan| plan.batches_len(lanes)).max()
}

/// Buffers through which parameters, data and batches are written.
fn upload_sizes(program: &Program, lanes: usize) -> UploadSizes {
    let splits = program.splits().iter();
    let data = splits.flat_map(|split| [split.bytes().len(), size_of_val(&split.labels[..])]);
    let parameters = program.n_parameters() * size_of::<f32>();
    let longest = data.chain([parameters]).max().unwrap_or(0) as u64;
    let splits = 0..program.splits().len();
    let batches = splits.filter_map(|index| streamed_len(program, index, lanes)).max();
    UploadSizes::new(longest, batches.map(|len| len as u64), MAX_AHEAD_OF_STREAM)
}

/// A buffer with a leading lane axis.
pub(crate) struct Allocation {
    pub(crate) buffer: wgpu::Buffer,
    /// Elements from one lane to the next.
    pub(crate) stride: usize,
}

/// All buffers of an executor.
pub(crate) struct Memory {
    pub(crate) allocations: HashMap<Storage, Allocation>,
    pub(crate) lanes: wgpu::Buffer,
    pub(crate) faults: wgpu::Buffer,
    pub(crate) splits: Vec<SplitBuffers>,
    /// Where the host reads from ...
    pub(crate) staging: wgpu::Buffer,
    /// ... and what it writes through.
    pub(crate) upload: Upload,
}

impl Memory {
    /// Checks all sizes, makes all buffers, zeroed, and puts the data into theirs once the device is known
    /// to have had room for all.
    ///
    /// # Errors
    /// If a buffer passes a limit of the device, or the device has no memory for them.
    pub(crate) fn new(
        device: &Device,
        program: &Program,
        kernels: &[Vec<Kernel>],
        lanes: usize,
    ) -> Result<Self, Error> {
        let mut memory = Self::make(device, program, kernels, lanes)?;
        device.check()?;
        for (split, buffers) in program.splits().iter().zip(&memory.splits) {
            buffers.write(device, &mut memory.upload, split.bytes())?;
            let labels = bytemuck::cast_slice(&split.labels);
            memory.upload.write(device, &buffers.labels, 0, labels)?;
        }
        device.check()?;
        Ok(memory)
    }

    fn make(
        device: &Device,
        program: &Program,
        kernels: &[Vec<Kernel>],
        lanes: usize,
    ) -> Result<Self, Error> {
        use wgpu::BufferUsages as Usage;
        let storage = Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST;
        let lens = lens(program, kernels);
        let state_bytes = (lanes * size_of::<LaneState>()) as u64;
        let mut allocations = HashMap::new();
        for (&key, &len) in &lens {
            let label = format!("{key:?}");
            let buffer = create(device, &label, len_bytes(len, lanes), storage)?;
            allocations.insert(key, Allocation { buffer, stride: stride(len) });
        }
        let splits = 0..program.splits().len();
        let splits =
            splits.map(|index| SplitBuffers::new(device, split_bytes(program, index, lanes)));
        Ok(Self {
            allocations,
            lanes: create(device, "lanes", state_bytes, storage)?,
            faults: create(device, "faults", (lanes * size_of::<u32>()) as u64, storage)?,
            splits: splits.collect::<Result<_, _>>()?,
            staging: create(
                device,
                "staging",
                staging_bytes(&lens, lanes),
                Usage::MAP_READ | Usage::COPY_DST,
            )?,
            upload: create_upload(device, upload_sizes(program, lanes))?,
        })
    }
}

/// The data of a split.
pub(crate) struct SplitBuffers {
    /// The examples, four bytes to a word: as many as one binding may have, and what goes beyond.
    pub(crate) words: [wgpu::Buffer; 2],
    pub(crate) labels: wgpu::Buffer,
}

impl SplitBuffers {
    fn new(device: &Device, [images_bytes, labels_bytes]: [u64; 2]) -> Result<Self, Error> {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        let word = size_of::<u32>() as u64;
        let most = binding_bytes(device) / word * word;
        // Kernels count bytes of images, or tokens, in 32 bits.
        let reach = u64::from(u32::MAX).min(2 * most);
        if images_bytes > reach {
            return Err(Error::TooLarge {
                what: "the examples of a split".to_owned(),
                needed_bytes: images_bytes,
                limit: format!("kernels reach {reach} bytes; train on the CPU"),
            });
        }
        let first_bytes = images_bytes.min(most);
        Ok(Self {
            words: [
                create(device, "images", first_bytes, usage)?,
                create(device, "more images", images_bytes - first_bytes, usage)?,
            ],
            labels: create(device, "labels", labels_bytes, usage)?,
        })
    }

    /// Writes examples from the beginning on.
    ///
    /// # Errors
    /// If the device failed.
    pub(crate) fn write(
        &self,
        device: &Device,
        upload: &mut Upload,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let [words, more_words] = &self.words;
        let n_first = usize::try_from(words.size()).unwrap_or(usize::MAX).min(bytes.len());
        let (first, rest) = bytes.split_at(n_first);
        upload.write(device, words, 0, first)?;
        upload.write(device, more_words, 0, rest)
    }
}

/// The most bytes of a buffer that kernels bind.
fn binding_bytes(device: &Device) -> u64 {
    let limits = device.device.limits();
    limits.max_buffer_size.min(limits.max_storage_buffer_binding_size)
}

fn create_upload(device: &Device, sizes: UploadSizes) -> Result<Upload, Error> {
    let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
    let buffers = (0..sizes.n_buffers).map(|_| create(device, "upload", sizes.bytes, usage));
    Ok(Upload::new(buffers.collect::<Result<_, _>>()?))
}

/// A buffer of at least one word, if the device can have it.
fn create(
    device: &Device,
    label: &str,
    bytes: u64,
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer, Error> {
    let limits = device.device.limits();
    let too_large = |limit: &str, most: u64| Error::TooLarge {
        what: format!("buffer '{label}'"),
        needed_bytes: bytes,
        limit: format!("'{}' has {limit} of {most} bytes at most", device.adapter().name),
    };
    if bytes > limits.max_buffer_size {
        return Err(too_large("buffers", limits.max_buffer_size));
    }
    let binding = limits.max_storage_buffer_binding_size;
    if usage.contains(wgpu::BufferUsages::STORAGE) && bytes > binding {
        return Err(too_large("bindings", binding));
    }
    if bytes > REACH {
        return Err(too_large("32-bit element indices", REACH));
    }
    Ok(device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: bytes.max(4),
        usage,
        mapped_at_creation: false,
    }))
}
