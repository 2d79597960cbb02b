//! Runs plans on a wgpu device.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::device::Device;
use super::dispatch::{Builder, Command};
use super::gemm::Tiling;
use super::lower::{Storage, lower};
use super::memory::{Allocation, Memory};
use super::stream::{MAX_AHEAD_OF_STREAM, StreamedPlan};
use super::submissions::{Limits, Submissions};
use crate::error::Error;
use crate::executor::{Executor, HostCost, Program, check_lane, check_run, check_snapshot};
use crate::graph::Node;
use crate::lane::{LaneState, LaneView, Snapshot};

/// Submissions, or whole iterations, that are recorded ahead of the device, so that the host's memory
/// stays small.
const MAX_AHEAD: usize = 8;

/// Runs plans through WGSL kernels.
pub struct GpuExecutor {
    device: Arc<Device>,
    program: Program,
    memory: Memory,
    /// Commands of each plan.
    commands: Vec<Vec<Command>>,
    /// How each plan's commands are submitted.
    submissions: Vec<Submissions>,
    /// The lanes' states as they were after the last call.
    states: Vec<LaneState>,
    host_cost: HostCost,
}

impl GpuExecutor {
    /// Device memory, pipelines and bind groups for `lanes` lanes of a program.
    ///
    /// # Errors
    /// If `lanes` is 0, a buffer or grid passes a limit of the device, or the device failed.
    pub fn new(device: &Arc<Device>, program: &Program, lanes: usize) -> Result<Self, Error> {
        Self::with_tiling(device, program, lanes, device.tiling)
    }

    /// As [`GpuExecutor::new`], with products cut in a way that need not be the device's own.
    pub(crate) fn with_tiling(
        device: &Arc<Device>,
        program: &Program,
        lanes: usize,
        tiling: Tiling,
    ) -> Result<Self, Error> {
        if lanes == 0 {
            let expected = "at least one".to_owned();
            return Err(Error::Call { call: "new", got: "0 lanes".to_owned(), expected });
        }
        // Whoever tries fewer lanes next needs the memory of those that were refused.
        Self::make(device, program, lanes, tiling).inspect_err(|_| device.release())
    }

    fn make(
        device: &Arc<Device>,
        program: &Program,
        lanes: usize,
        tiling: Tiling,
    ) -> Result<Self, Error> {
        let kernels = lower(program, tiling);
        let memory = Memory::new(device, program, &kernels, lanes)?;
        let builder = Builder::new(device, &memory, lanes);
        let commands =
            kernels.iter().map(|kernels| builder.commands(kernels)).collect::<Result<_, _>>()?;
        // Writes their `Params`.
        device.queue.submit([]);
        device.check()?;
        let executor = Self {
            device: Arc::clone(device),
            program: program.clone(),
            memory,
            commands,
            submissions: vec![],
            states: vec![LaneState::default(); lanes],
            host_cost: HostCost::default(),
        };
        Ok(executor.with_limits(Limits::default()))
    }

    /// The same with other limits of a submission.
    pub(super) fn with_limits(self, limits: Limits) -> Self {
        let cost = |command: &Command| command.cost;
        let cut =
            |commands: &Vec<Command>| limits.cut(&commands.iter().map(cost).collect::<Vec<_>>());
        let submissions = self.commands.iter().map(cut).collect();
        Self { submissions, ..self }
    }

    /// Records and submits so many iterations of a plan, without waiting for them to end.
    fn submit(&mut self, plan: usize, n_iterations: u32) -> Result<(), Error> {
        let streamed = StreamedPlan::find(&self.program.plans()[plan]);
        let Submissions { n_iterations: most, parts } = self.submissions[plan].clone();
        // Batches of a stream are written between submissions, before their iteration's first.
        let (most, max_ahead) = match streamed {
            None => (most, MAX_AHEAD),
            Some(_) => (1, MAX_AHEAD_OF_STREAM),
        };
        let mut states = self.states.clone();
        let mut ahead = VecDeque::new();
        let mut n_left = n_iterations;
        while n_left > 0 {
            let n_now = n_left.min(most);
            n_left -= n_now;
            if let Some(streamed) = streamed {
                self.write_batches(streamed, &mut states)?;
            }
            let mut last = None;
            for part in &parts {
                last = Some(self.submit_part(plan, part.clone(), n_now));
            }
            ahead.extend(last);
            if ahead.len() > max_ahead {
                self.device.wait(ahead.pop_front())?;
            }
        }
        self.device.check()
    }

    /// Records and submits a part of a plan's commands, so many times.
    fn submit_part(
        &mut self,
        plan: usize,
        part: Range<usize>,
        n_times: u32,
    ) -> wgpu::SubmissionIndex {
        let commands = &self.commands[plan][part];
        let start = Instant::now();
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            (0..n_times).flat_map(|_| commands).for_each(|command| command.record(&mut pass));
        }
        let recorded = encoder.finish();
        // A software device may run what is submitted before the call returns.
        let recording = start.elapsed();
        let submission = self.device.queue.submit([recorded]);
        let is_software = self.device.adapter().is_software();
        self.host_cost.recording += if is_software { recording } else { start.elapsed() };
        self.host_cost.n_dispatches += u64::from(n_times) * commands.len() as u64;
        submission
    }

    /// Reads the batches of the next iteration and puts them before what is submitted next.
    fn write_batches(
        &mut self,
        streamed: StreamedPlan,
        states: &mut [LaneState],
    ) -> Result<(), Error> {
        let split = streamed.split();
        let Some(stream) = self.program.splits()[split].stream() else { return Ok(()) };
        let bytes = streamed.read(stream, states);
        self.program.check_streams()?;
        self.memory.splits[split].write(&self.device, &mut self.memory.upload, &bytes)
    }

    /// Waits for all work and copies a part of a buffer to the host.
    fn read_buffer<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        offset: usize,
        len: usize,
    ) -> Result<Vec<T>, Error> {
        if len == 0 {
            return Ok(vec![]);
        }
        let bytes = (len * size_of::<T>()) as u64;
        let staging = &self.memory.staging;
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, (offset * size_of::<T>()) as u64, staging, 0, bytes);
        let copied = self.device.queue.submit([encoder.finish()]);
        self.device.map(staging, wgpu::MapMode::Read, bytes, Some(copied))?;
        let view = staging.get_mapped_range(0..bytes);
        let view = view.map_err(|error| self.device.error(&error.to_string()))?;
        let values = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        staging.unmap();
        Ok(values)
    }

    fn read_lane(
        &self,
        storage: Storage,
        lane: usize,
        offset: usize,
        len: usize,
    ) -> Result<Vec<f32>, Error> {
        if len == 0 {
            return Ok(vec![]);
        }
        let allocation = &self.memory.allocations[&storage];
        self.read_buffer(&allocation.buffer, lane * allocation.stride + offset, len)
    }

    /// The first elements of all lanes, so many of each: of as many lanes at once as the staging buffer
    /// holds, because each read waits for the device.
    fn read_lanes(&self, storage: Storage, lens: &[usize]) -> Result<Vec<Vec<f32>>, Error> {
        let Allocation { buffer, stride } = &self.memory.allocations[&storage];
        let staged = self.memory.staging.size() as usize / size_of::<f32>();
        let mut all = vec![];
        while all.len() < lens.len() {
            let first = all.len();
            // From the first lane's first element to the last lane's last.
            let ends = |n_lanes: usize| (n_lanes - 1) * stride + lens[first + n_lanes - 1];
            let n_lanes = (1..=lens.len() - first).rev().find(|&n| ends(n) <= staged).unwrap_or(1);
            let values = self.read_buffer::<f32>(buffer, first * stride, ends(n_lanes))?;
            let lane = |index: usize| {
                let begin = index * stride;
                values[begin..begin + lens[first + index]].to_vec()
            };
            all.extend((0..n_lanes).map(lane));
        }
        Ok(all)
    }

    fn write_lane(&mut self, storage: Storage, lane: usize, values: &[f32]) -> Result<(), Error> {
        let Memory { allocations, upload, .. } = &mut self.memory;
        let Allocation { buffer, stride } = &allocations[&storage];
        let start = (lane * stride * size_of::<f32>()) as u64;
        upload.write(&self.device, buffer, start, bytemuck::cast_slice(values))
    }

    fn write_states(&self) {
        let bytes = bytemuck::cast_slice(&self.states);
        self.device.queue.write_buffer(&self.memory.lanes, 0, bytes);
    }
}

impl Executor<f32> for GpuExecutor {
    fn lanes(&self) -> usize {
        self.states.len()
    }

    fn load(&mut self, lane: usize, snapshot: &Snapshot<f32>) -> Result<(), Error> {
        check_lane("load", self.states.len(), lane)?;
        check_snapshot(&self.program, snapshot)?;
        self.states[lane] = snapshot.state;
        self.write_lane(Storage::Parameters, lane, &snapshot.parameters)?;
        self.write_lane(Storage::Velocity, lane, &snapshot.velocity)?;
        match snapshot.second_moment.as_slice() {
            [] => {
                let zeros = vec![0.0; self.program.second_moment_len()];
                self.write_lane(Storage::SecondMoment, lane, &zeros)?;
            }
            values => self.write_lane(Storage::SecondMoment, lane, values)?,
        }
        self.device.check()
    }

    fn load_with(
        &mut self,
        lane: usize,
        state: LaneState,
        write: &mut dyn FnMut([&mut [f32]; 3]),
    ) -> Result<(), Error> {
        let zeros = vec![0.0; self.program.n_parameters()];
        let mut snapshot = Snapshot::fresh(state, zeros);
        snapshot.second_moment = vec![0.0; self.program.second_moment_len()];
        let Snapshot { parameters, velocity, second_moment, .. } = &mut snapshot;
        write([parameters, velocity, second_moment]);
        self.load(lane, &snapshot)
    }

    fn view(&mut self, lane: usize) -> Result<LaneView<'_, f32>, Error> {
        check_lane("save", self.states.len(), lane)?;
        let read = |storage, len| self.read_lane(storage, lane, 0, len);
        let n_parameters = self.program.n_parameters();
        Ok(LaneView {
            state: self.states[lane],
            parameters: read(Storage::Parameters, n_parameters)?.into(),
            velocity: read(Storage::Velocity, n_parameters)?.into(),
            second_moment: read(Storage::SecondMoment, self.program.second_moment_len())?.into(),
        })
    }

    fn run_from(
        &mut self,
        first: u32,
        plan: usize,
        repeats: &[u32],
    ) -> Result<Vec<LaneState>, Error> {
        check_run(&self.program, self.states.len(), first, plan, repeats)?;
        let n_iterations = repeats.iter().copied().max().unwrap_or(0);
        for (state, &repeats) in self.states.iter_mut().zip(repeats) {
            state.set_out(first, repeats);
        }
        self.write_states();
        self.submit(plan, n_iterations)?;
        self.states = self.read_buffer(&self.memory.lanes, 0, self.states.len())?;
        Ok(self.states.clone())
    }

    fn read(&mut self, plan: usize, lane: usize, node: Node) -> Result<Vec<f32>, Error> {
        check_lane("read", self.states.len(), lane)?;
        let view = self.program.plans()[plan].view_of(node)?;
        self.read_lane(Storage::of(plan, view.buffer), lane, view.offset, view.len)
    }

    fn records(&mut self, plan: usize) -> Result<Vec<Vec<Vec<f32>>>, Error> {
        let (n_values, n_rows) = self.program.plans()[plan].records;
        let lens: Vec<usize> =
            self.states.iter().map(|state| n_rows.min(state.cursor as usize) * n_values).collect();
        let values = self.read_lanes(Storage::Records(plan), &lens)?;
        let rows = |values: Vec<f32>| values.chunks(n_values.max(1)).map(<[f32]>::to_vec).collect();
        Ok(values.into_iter().map(rows).collect())
    }

    fn is_lockstep(&self) -> bool {
        true
    }

    fn host_cost(&self) -> Option<HostCost> {
        Some(self.host_cost)
    }

    fn poison(&mut self) -> Result<(), Error> {
        let keeps = |storage| {
            matches!(storage, Storage::Parameters | Storage::Velocity | Storage::SecondMoment)
        };
        let Memory { allocations, upload, .. } = &mut self.memory;
        let poisoned = allocations.iter().filter(|(key, _)| !keeps(**key));
        let targets = poisoned.map(|(_, Allocation { buffer, .. })| (buffer, 0..buffer.size()));
        upload.fill(&self.device, f32::NAN.to_ne_bytes(), targets)?;
        self.device.check()
    }
}
