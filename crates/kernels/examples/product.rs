//! Times matrix products through WGSL, to try tiles quickly:
//! `cargo run --release -p critbatch-kernels --example product -- [M K N [LANES [TRANSPOSES]]]`,
//! TRANSPOSES being `nn`, `nt`, `tn` or `tt`. Without arguments, the shapes that training uses.
//!
//! Prints GFLOP/s by the clock, and where the system tells it, by the processor time that a
//! software device took, spread over all threads: on a busy machine the steadier of the two.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use critbatch_kernels::gpu::{Device, GpuExecutor, Selection};
use critbatch_kernels::testing::random_values;
use critbatch_kernels::{Executor, Graph, Initialiser, LaneState, Plan, Program, Snapshot};

/// m, k, n, lanes, transposes: square; fully connected and convolutional layers, forward and
/// backward.
const CASES: [(usize, usize, usize, usize, &str); 12] = [
    (1024, 1024, 1024, 1, "nn"),
    (1024, 1024, 1024, 1, "tn"),
    (1024, 1024, 1024, 1, "nt"),
    (2, 784, 256, 8, "nn"),
    (8, 784, 256, 8, "nn"),
    (64, 784, 256, 8, "nn"),
    (784, 64, 256, 8, "tn"),
    (8, 256, 10, 8, "nn"),
    (8, 3136, 1024, 2, "nn"),
    (64, 3136, 1024, 2, "nn"),
    (3136, 8, 1024, 2, "tn"),
    (8, 1024, 3136, 2, "nt"),
];

/// Seconds that a case is timed.
const SECONDS: f64 = 1.0;

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::open(&Selection::Gpu).or_else(|_| Device::open(&Selection::Software))?;
    let mut out = std::io::stdout();
    writeln!(out, "{}, {}", device.adapter().name, device.adapter().driver)?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [m, k, n, rest @ ..] = &arguments[..] else {
        for (m, k, n, lanes, transposes) in CASES {
            time(&device, [m, k, n], lanes, transposes, &mut out)?;
        }
        return Ok(());
    };
    let lanes = rest.first().map_or(Ok(1), |lanes| lanes.parse())?;
    let transposes = rest.get(1).map_or("nn", String::as_str);
    time(&device, [m.parse()?, k.parse()?, n.parse()?], lanes, transposes, &mut out)
}

fn time(
    device: &std::sync::Arc<Device>,
    [m, k, n]: [usize; 3],
    lanes: usize,
    transposes: &str,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let (transpose_lhs, transpose_rhs) = (&transposes[..1] == "t", &transposes[1..] == "t");
    let mut graph = Graph::new();
    let shape = |rows, columns, turned| if turned { [columns, rows] } else { [rows, columns] };
    let lhs = graph.parameter("lhs", &shape(m, k, transpose_lhs), Initialiser::Zeros)?;
    let rhs = graph.parameter("rhs", &shape(k, n, transpose_rhs), Initialiser::Zeros)?;
    let product = graph.matmul_transposed(lhs, rhs, transpose_lhs, transpose_rhs)?;
    let plan = Plan::forward(&graph, &[product])?;
    let flops = plan.flops() as f64 * lanes as f64;
    let program = Program::new(vec![plan], vec![])?;
    let mut executor = GpuExecutor::new(device, &program, lanes)?;
    for lane in 0..lanes {
        let values = random_values(1, graph.n_parameters());
        executor.load(lane, &Snapshot::fresh(LaneState::default(), values))?;
    }
    // Some drivers compile when a kernel first runs.
    executor.run(0, &vec![1; lanes])?;
    let mut repeats = 1;
    loop {
        let (start, processor) = (Instant::now(), processor_seconds());
        executor.run(0, &vec![repeats; lanes])?;
        let seconds = start.elapsed().as_secs_f64();
        if seconds < SECONDS / 2.0 {
            repeats = (f64::from(repeats) * (SECONDS / seconds).clamp(1.5, 50.0)) as u32;
            continue;
        }
        let gflop_per_second = |seconds: f64| 1e-9 * flops * f64::from(repeats) / seconds;
        write!(out, "{m} x {k} x {n} {transposes}, {lanes} lanes: ")?;
        write!(out, "{:.2} GFLOP/s", gflop_per_second(seconds))?;
        if let (Some(before), Some(after)) = (processor, processor_seconds()) {
            let n_threads = std::thread::available_parallelism()?.get() as f64;
            let by_processor = gflop_per_second((after - before) / n_threads);
            write!(out, ", {by_processor:.2} by processor time")?;
        }
        writeln!(out)?;
        return Ok(());
    }
}

/// Processor time of this process, from Linux's `/proc`, in its ticks of 10 ms.
fn processor_seconds() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = status.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
