//! What the benchmarks share: both executors of one program, a check before the clock starts, and
//! beside criterion's time the FLOPs, the bytes and the share of what the machine can do at best.

mod ceilings;

pub use ceilings::{Work, n_threads};

use std::cell::Cell;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use critbatch_kernels::cpu::CpuExecutor;
use critbatch_kernels::gpu::{Device, GpuExecutor, Selection};
use critbatch_kernels::testing::{assert_close, random_values, sample_lane};
use critbatch_kernels::{Executor, Graph, LaneState, Node, Plan, Program, Real, Snapshot, Split};
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};

/// Iterations of a timed call: one host wait for all of them, as in a study's rounds.
const N_ITERATIONS: u32 = 8;

/// Which executor is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// The native executor.
    Cpu,
    /// WGSL on [`device`].
    Wgpu,
}

impl Processor {
    /// Both, in the order in which they are timed.
    pub const ALL: [Processor; 2] = [Processor::Cpu, Processor::Wgpu];

    /// First word of a benchmark's name, by which it is chosen: no device is opened for those that
    /// are not.
    pub fn name(self) -> &'static str {
        match self {
            Processor::Cpu => "cpu",
            Processor::Wgpu => "wgpu",
        }
    }

    /// Lane counts that are timed: one, and one a thread where threads are ours to fill.
    pub fn lane_counts(self) -> Vec<usize> {
        match self {
            Processor::Cpu if n_threads() > 1 => vec![1, n_threads()],
            _ => vec![1],
        }
    }

    /// An executor of a program.
    pub(crate) fn executor(self, program: &Program, lanes: usize) -> Box<dyn Executor<f32>> {
        match self {
            Processor::Cpu => Box::new(CpuExecutor::new(program, lanes).expect("lanes exist")),
            Processor::Wgpu => {
                Box::new(GpuExecutor::new(device(), program, lanes).expect("it fits the device"))
            }
        }
    }
}

/// One program under test and what shows that it computes the right thing.
pub struct Case {
    /// Shape, for the benchmark's name.
    pub name: String,
    /// The program.
    pub program: Program,
    /// Which of its plans is timed.
    pub plan: usize,
    /// Iterations of the plan in one timed call.
    pub n_iterations: u32,
    /// What is held to the native executor in f64.
    pub observed: Observed,
    /// Terms of the longest sum, which decides the tolerance.
    pub reduction_len: usize,
}

/// Where the result of a case is.
pub enum Observed {
    /// In values that the plan keeps.
    Values(Vec<Node>),
    /// In the parameters after the run.
    Parameters,
    /// In the rows that the plan recorded.
    Records,
}

impl Case {
    /// A graph, the values that it must compute, and the data that it gathers from, if any.
    pub fn forward(
        name: String,
        graph: &Graph,
        outputs: Vec<Node>,
        splits: Vec<Arc<Split>>,
        reduction_len: usize,
    ) -> Self {
        let plan = Plan::forward(graph, &outputs).expect("the case can be planned");
        let program = Program::new(vec![plan], splits).expect("the data is what it gathers from");
        let observed = Observed::Values(outputs);
        Self { name, program, plan: 0, n_iterations: N_ITERATIONS, observed, reduction_len }
    }

    /// Arithmetic and operands of one timed call in so many lanes.
    fn work(&self, lanes: usize) -> Work {
        let plan = &self.program.plans()[self.plan];
        let n_times = lanes as u64 * u64::from(self.n_iterations);
        Work::overlapped(
            n_times * plan.flops(),
            n_times * plan.bytes(),
            lanes as u64 * plan.bytes(),
        )
    }

    /// The observed values of every lane after one run from poisoned memory.
    fn results<T: Real>(&self, executor: &mut dyn Executor<T>) -> Vec<Vec<T>> {
        executor.poison().expect("it can be poisoned");
        self.load(executor, sample_lane(1));
        self.run(executor);
        let lanes = 0..executor.lanes();
        match &self.observed {
            Observed::Values(nodes) => {
                let of_lane = |lane| nodes.iter().map(move |&node| (lane, node));
                let read = |(lane, node)| executor.read(self.plan, lane, node).expect("it is kept");
                lanes.flat_map(of_lane).map(read).collect()
            }
            Observed::Parameters => {
                lanes.map(|lane| executor.save(lane).expect("the lane exists").parameters).collect()
            }
            Observed::Records => executor.records(self.plan).expect("the plan records").concat(),
        }
    }

    /// Puts the same f32 numbers into all lanes.
    fn load<T: Real>(&self, executor: &mut dyn Executor<T>, state: LaneState) {
        let values: Vec<f32> = random_values(1, self.program.n_parameters());
        let values: Vec<T> = values.into_iter().map(|value| T::of(f64::from(value))).collect();
        for lane in 0..executor.lanes() {
            executor.load(lane, &Snapshot::fresh(state, values.clone())).expect("it fits");
        }
    }

    fn run<T: Real>(&self, executor: &mut dyn Executor<T>) {
        let repeats = vec![self.n_iterations; executor.lanes()];
        executor.run(self.plan, &repeats).expect("the plan runs");
    }

    /// An executor that is ready to be timed, after another one has computed the right thing.
    ///
    /// # Panics
    /// If a result is wrong: nothing wrong is timed.
    fn checked(&self, processor: Processor, lanes: usize) -> Box<dyn Executor<f32>> {
        let mut reference = CpuExecutor::<f64>::new(&self.program, 1).expect("one lane");
        let reference = self.results(&mut reference);
        let results = self.results(processor.executor(&self.program, lanes).as_mut());
        assert_eq!(results.len(), lanes * reference.len(), "{}: number of results", self.name);
        for (result, reference) in results.iter().zip(reference.iter().cycle()) {
            assert_close(&self.name, result, reference, self.reduction_len);
        }
        let mut executor = processor.executor(&self.program, lanes);
        // Hardly any learning: weights stay ordinary numbers however long an update is timed.
        let state = LaneState { learning_rate: 1e-7, ..sample_lane(1) };
        self.load(executor.as_mut(), state);
        executor
    }
}

/// The adapter that WGSL is timed on: a GPU if there is one, else software Vulkan.
pub fn device() -> &'static Arc<Device> {
    static DEVICE: OnceLock<Arc<Device>> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let device = Device::open(&Selection::Gpu).or_else(|_| Device::open(&Selection::Software));
        let device = device.expect(
            "a Vulkan adapter; 'apt-get install mesa-vulkan-drivers' brings software Vulkan",
        );
        say(&format!("wgpu is {}", device.adapter().name));
        device
    })
}

/// Times a case on both executors, after holding their results to the native one in f64.
///
/// # Panics
/// If a result is wrong: nothing wrong is timed.
pub fn bench_case(criterion: &mut Criterion, group: &str, case: &Case) {
    let mut group = criterion.benchmark_group(group);
    for processor in Processor::ALL {
        for lanes in processor.lane_counts() {
            let name = format!("{} f32, lanes {lanes}, {}", processor.name(), case.name);
            let prepare = || case.checked(processor, lanes);
            let call = |executor: &mut Box<dyn Executor<f32>>| case.run(executor.as_mut());
            bench(&mut group, &name, processor, case.work(lanes), prepare, call);
        }
    }
    group.finish();
}

/// Times `call` on what `prepare` makes, which happens only if the benchmark was chosen, and prints
/// work and share of the ceiling.
///
/// Criterion's throughput is FLOP/s ("elem/s") where there are products, else bytes.
pub fn bench<S>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    processor: Processor,
    work: Work,
    prepare: impl Fn() -> S,
    mut call: impl FnMut(&mut S),
) {
    let throughput = match work.flops {
        0 => Throughput::Bytes(work.bytes),
        flops => Throughput::Elements(flops),
    };
    group.throughput(throughput);
    let fastest = Cell::new(f64::INFINITY);
    let mut subject = None;
    group.bench_function(name, |bencher| {
        let subject = subject.get_or_insert_with(&prepare);
        bencher.iter_custom(|n_calls| {
            let elapsed = timed(n_calls, || call(subject));
            #[expect(clippy::cast_precision_loss, reason = "a benchmark makes few calls")]
            let per_call = elapsed.as_secs_f64() / n_calls as f64;
            fastest.set(fastest.get().min(per_call));
            elapsed
        });
    });
    drop(subject);
    if fastest.get().is_finite() {
        say(&work.describe(processor, fastest.get()));
    }
}

fn timed(n_calls: u64, mut call: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..n_calls {
        call();
    }
    start.elapsed()
}

#[expect(clippy::print_stdout, reason = "a benchmark's report, beside criterion's own")]
fn say(line: &str) {
    println!("{:24}{line}", "");
}
