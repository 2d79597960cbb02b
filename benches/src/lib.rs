//! What the benchmarks share: both executors of one program, a check before the clock starts, and
//! throughput in FLOP/s (criterion prints elements per second; an element is one FLOP here).

use critbatch_kernels::cpu::CpuExecutor;
use critbatch_kernels::gpu::{Device, GpuExecutor, Selection};
use critbatch_kernels::testing::{assert_close, random_values};
use critbatch_kernels::{Executor, Graph, LaneState, Node, Plan, Program, Snapshot};
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use std::sync::{Arc, OnceLock};

/// One kernel under test: a graph and the value that it must compute.
pub struct Case {
    /// Shape, for the benchmark's name.
    pub name: String,
    /// The graph.
    pub graph: Graph,
    /// The values to compute and keep.
    pub outputs: Vec<Node>,
    /// Terms of the longest sum, which decides the tolerance.
    pub reduction_len: usize,
}

/// The adapter that WGSL is timed on: a GPU if there is one, else software Vulkan.
pub fn device() -> &'static Arc<Device> {
    static DEVICE: OnceLock<Arc<Device>> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let device = Device::open(&Selection::Gpu).or_else(|_| Device::open(&Selection::Software));
        device.expect(
            "a Vulkan adapter; 'apt-get install mesa-vulkan-drivers' brings software Vulkan",
        )
    })
}

/// Times a case on both executors, after holding their results to the native one in f64.
///
/// # Panics
/// If a result is wrong: nothing wrong is timed.
pub fn bench_case(criterion: &mut Criterion, group: &str, case: &Case) {
    let plan = Plan::forward(&case.graph, &case.outputs).expect("the case can be planned");
    let flops = plan.flops();
    let program = Program::new(vec![plan], vec![]).expect("the case is a program");
    let reference = outputs(&mut CpuExecutor::<f64>::new(&program, 1).expect("one lane"), case);
    let cpu = CpuExecutor::<f32>::new(&program, 1).expect("one lane");
    let gpu = GpuExecutor::new(device(), &program, 1).expect("the case fits the device");
    let adapter = device().adapter().name.clone();
    let executors: [(String, Box<dyn Executor<f32>>); 2] =
        [("cpu".to_owned(), Box::new(cpu)), (format!("wgpu {adapter}"), Box::new(gpu))];
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(flops));
    for (device, mut executor) in executors {
        let name = format!("{device} f32 {}", case.name);
        for (index, output) in outputs(executor.as_mut(), case).iter().enumerate() {
            let reference: Vec<f64> = reference[index].clone();
            assert_close(&name, output, &reference, case.reduction_len);
        }
        bench_run(&mut group, &name, executor.as_mut(), &[1]);
    }
    group.finish();
}

/// Times one call of `run`, which waits for its end.
pub fn bench_run(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    executor: &mut dyn Executor<f32>,
    repeats: &[u32],
) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| executor.run(0, repeats).expect("the plan runs"));
    });
}

fn outputs<T: critbatch_kernels::Real>(executor: &mut dyn Executor<T>, case: &Case) -> Vec<Vec<T>> {
    executor.poison().expect("it can be poisoned");
    // The same f32 numbers on all executors.
    let values: Vec<f32> = random_values(1, case.graph.n_parameters());
    let values = values.into_iter().map(|value| T::of(f64::from(value))).collect();
    executor.load(0, &Snapshot::fresh(LaneState::default(), values)).expect("the lane exists");
    executor.run(0, &[1]).expect("the plan runs");
    let read = |&node| executor.read(0, 0, node).expect("the value is kept");
    case.outputs.iter().map(read).collect()
}
