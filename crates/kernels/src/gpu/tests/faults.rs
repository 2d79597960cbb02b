//! Devices that fail: kernels that do not compile or compute wrongly, memory that runs out, a device
//! that is lost.

use std::sync::Arc;

use super::device;
use super::training::{Network, RULES, named_program, trial};
use crate::cpu::CpuExecutor;
use crate::error::Error;
use crate::executor::{Executor, Program, Split};
use crate::gpu::launch::{Launch, Shader};
use crate::gpu::self_test::{difference, self_test};
use crate::gpu::{Device, GpuExecutor, Selection, memory_bytes};
use crate::graph::{Graph, Initialiser, Node};
use crate::lane::{LaneState, LaneView, Snapshot};
use crate::ops::update::UpdateRule;
use crate::plan::Plan;

/// A native executor, some of whose results are not its own.
struct Wrong {
    inner: CpuExecutor<f32>,
    spoil: fn(&mut Snapshot<f32>),
    spoil_record: fn(&mut f32),
}

impl Executor<f32> for Wrong {
    fn lanes(&self) -> usize {
        self.inner.lanes()
    }

    fn load(&mut self, lane: usize, snapshot: &Snapshot<f32>) -> Result<(), Error> {
        self.inner.load(lane, snapshot)
    }

    fn load_with(
        &mut self,
        lane: usize,
        state: LaneState,
        write: &mut dyn FnMut([&mut [f32]; 3]),
    ) -> Result<(), Error> {
        self.inner.load_with(lane, state, write)
    }

    fn view(&mut self, lane: usize) -> Result<LaneView<'_, f32>, Error> {
        let mut snapshot = self.inner.save(lane)?;
        (self.spoil)(&mut snapshot);
        Ok(snapshot.into())
    }

    fn run_from(
        &mut self,
        first: u32,
        plan: usize,
        repeats: &[u32],
    ) -> Result<Vec<LaneState>, Error> {
        self.inner.run_from(first, plan, repeats)
    }

    fn read(&mut self, plan: usize, lane: usize, node: Node) -> Result<Vec<f32>, Error> {
        self.inner.read(plan, lane, node)
    }

    fn records(&mut self, plan: usize) -> Result<Vec<Vec<Vec<f32>>>, Error> {
        let mut records = self.inner.records(plan)?;
        records.iter_mut().flatten().flatten().for_each(self.spoil_record);
        Ok(records)
    }

    fn poison(&mut self) -> Result<(), Error> {
        self.inner.poison()
    }
}

/// What the self-test says of an executor with these faults.
fn verdict(
    rule: UpdateRule,
    spoil: fn(&mut Snapshot<f32>),
    spoil_record: fn(&mut f32),
) -> Option<String> {
    let (program, parameters) = named_program(Network::Convolutional, rule);
    let executor = |lanes| CpuExecutor::<f32>::new(&program, lanes).unwrap();
    let mut wrong = Wrong { inner: executor(2), spoil, spoil_record };
    let start = trial(&program, 3);
    difference(&program, &parameters, &start, [&mut executor(1), &mut wrong]).unwrap()
}

/// The largest value but for its sign.
fn largest(values: &mut [f32]) -> &mut f32 {
    values.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap()
}

#[test]
fn a_wrong_result_is_seen_and_named() {
    let (right, right_record) = (|_: &mut Snapshot<f32>| {}, |_: &mut f32| {});
    for rule in RULES {
        assert_eq!(verdict(rule, right, right_record), None, "{rule:?}");
    }
    let expect = |found: Option<String>, expected: &str| {
        let found = found.unwrap_or_default();
        assert!(found.contains(expected), "'{found}' should contain '{expected}'");
    };
    let lost = |snapshot: &mut Snapshot<f32>| *largest(&mut snapshot.velocity) = 0.0;
    expect(verdict(UpdateRule::Momentum, lost, right_record), "the velocity of '");
    let not_a_number = |snapshot: &mut Snapshot<f32>| snapshot.velocity[0] = f32::NAN;
    expect(verdict(UpdateRule::Momentum, not_a_number, right_record), "'first_filter'");
    let lost = |snapshot: &mut Snapshot<f32>| *largest(&mut snapshot.second_moment) = 0.0;
    expect(verdict(UpdateRule::Adam, lost, right_record), "the second moment of '");
    let moved = |snapshot: &mut Snapshot<f32>| *snapshot.parameters.last_mut().unwrap() += 0.1;
    expect(verdict(UpdateRule::Sgd, moved, right_record), "the change of 'output_bias'");
    expect(verdict(UpdateRule::Momentum, moved, right_record), "the change of all parameters");
    expect(verdict(UpdateRule::Sgd, right, |loss| *loss *= 1.02), "what an evaluation measures");
}

#[test]
fn this_device_computes_what_the_native_executor_does() {
    for network in [Network::FullyConnected, Network::Convolutional] {
        for rule in RULES {
            let (program, parameters) = named_program(network, rule);
            let starts = [trial(&program, 1)];
            self_test(device(), &program, &parameters, &starts).unwrap();
        }
    }
}

#[test]
fn a_kernel_that_does_not_compile_is_named() {
    let source = "@compute @workgroup_size(64) fn main() { let missing = nothing; }";
    let launch = Launch::new(Shader { name: "test/broken.wgsl", source }, 1);
    let device = device();
    let refused = device.pipelines.get(&device.device, &[&launch]).unwrap_err();
    let error = device.refusal(&refused).to_string();
    let name = &device.adapter().name;
    for expected in ["does not compile the kernel 'test/broken.wgsl'", name, "native executor"] {
        assert!(error.contains(expected), "{error}");
    }
    assert!(!error.contains('\n'), "{error}");
    device.check().unwrap();
}

/// A program whose lanes have so many parameters, with data of 1 MiB.
fn program_of(n_parameters: usize) -> Program {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[n_parameters], Initialiser::Zeros).unwrap();
    let y = graph.sum(x, 1.0).unwrap();
    let split = Arc::new(Split::resident(vec![1; 1 << 20], vec![0; 1 << 10]));
    Program::new(vec![Plan::forward(&graph, &[y]).unwrap()], vec![split]).unwrap()
}

/// Bytes of all buffers that the device holds, those of wgpu's own among them.
fn held_bytes(device: &Device) -> u64 {
    let report = device.device.generate_allocator_report();
    report.expect("Vulkan's buffers are kept count of").total_allocated_bytes
}

/// Nothing bounds the memory of a software device but what the process may have.
#[cfg(unix)]
#[test]
fn memory_that_runs_out_is_its_own_error_and_the_device_goes_on() {
    let test = "gpu::tests::faults::in_a_process_of_little_memory --exact --ignored";
    let binary = std::env::current_exe().unwrap();
    let command = format!("ulimit -v 60000000 && exec '{}' {test}", binary.display());
    let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "run by memory_that_runs_out_is_its_own_error_and_the_device_goes_on"]
fn in_a_process_of_little_memory() {
    let device = Device::open(&Selection::Software).unwrap();
    // Lanes of some 200 MiB.
    let program = program_of(1 << 24);
    let mut held = vec![];
    let (error, bytes) = loop {
        let bytes = held_bytes(&device);
        match GpuExecutor::new(&device, &program, 1) {
            Ok(executor) => held.push(executor),
            Err(error) => break (error, bytes),
        }
        assert!(held.len() < 1_000, "more than 200 GB of a process of 60 GB");
    };
    assert!(matches!(error, Error::OutOfMemory { .. }), "after {}: {error}", held.len());
    assert!(held_bytes(&device) <= bytes, "a refused executor left something behind");
    held.clear();
    let (program, _) = named_program(Network::FullyConnected, UpdateRule::Sgd);
    let mut executor = GpuExecutor::new(&device, &program, 2).unwrap();
    executor.load(0, &trial(&program, 1)).unwrap();
    executor.run(0, &[3, 0]).unwrap();
}

/// What wgpu makes for itself, of a size that nobody knows, would be lost with the device.
#[test]
fn a_device_holds_what_was_planned_and_nothing_that_waits_to_be_written() {
    const SLACK: u64 = 64 << 10;
    let device = Device::open(&Selection::Software).unwrap();
    let before = held_bytes(&device);
    let program = program_of(1 << 18);
    let planned = memory_bytes(&program, 3);
    let mut executor = GpuExecutor::new(&device, &program, 3).unwrap();
    executor.poison().unwrap();
    for lane in 0..3 {
        executor.load(lane, &trial(&program, 1)).unwrap();
        let held = held_bytes(&device) - before;
        assert!(held.abs_diff(planned) < SLACK, "{held} bytes held, {planned} planned");
    }
}

/// Parameters that go through the upload buffer in pieces, the last of them no whole one.
#[test]
fn more_than_the_upload_buffer_holds_arrives_whole() {
    let program = program_of((1 << 22) + (1 << 20) + 3);
    let mut executor = GpuExecutor::new(device(), &program, 1).unwrap();
    let values = (0..program.n_parameters()).map(|index| index as f32).collect();
    let trial = Snapshot::fresh(LaneState::default(), values);
    executor.load(0, &trial).unwrap();
    assert!(executor.save(0).unwrap().parameters == trial.parameters);
}

#[test]
fn a_lost_device_is_an_error_of_every_call() {
    let device = Device::open(&Selection::Software).unwrap();
    let (program, _) = named_program(Network::FullyConnected, UpdateRule::Sgd);
    let mut executor = GpuExecutor::new(&device, &program, 1).unwrap();
    executor.load(0, &trial(&program, 1)).unwrap();
    device.device.destroy();
    for _ in 0..2 {
        let error = executor.run(0, &[3]).unwrap_err();
        assert!(matches!(error, Error::Device { .. }), "{error}");
        assert!(executor.save(0).is_err());
    }
    assert!(GpuExecutor::new(&device, &program, 1).is_err());
}
