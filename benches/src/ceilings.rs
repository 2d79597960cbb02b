//! What a machine can do at best, measured when it is first asked for: products and streams.
//!
//! The product is our own, as `critbatch throughput` measures it: how near it comes to others' is what
//! `benches/peers/compare` prints, and to a card's peak, its data sheet. The stream is on the CPU a
//! plain momentum update over arrays of the case's size, through wgpu our own ReLU.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Barrier, LazyLock, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use critbatch_kernels::{Graph, Initialiser, LaneState, Plan, Program, Snapshot};
use critbatch_models::{Compute, product_flop_per_second};

use crate::{Processor, device};

/// Bytes that a momentum update moves for each weight: weight, velocity and gradient in, weight
/// and velocity out.
const UPDATE_BYTES: u64 = 20;

/// Bytes of one measurement of a stream: some hundredths of a second.
const STREAMED_BYTES: u64 = 1 << 30;

/// Elements of one array of a stream at most: beyond every cache.
const MAX_STREAM_LEN: u64 = 1 << 24;

/// A measurement on a GPU takes so long at least.
const SHORTEST_SECONDS: f64 = 0.05;

/// A ceiling is the best of so many measurements.
const N_MEASUREMENTS: usize = 5;

/// Threads of this machine.
pub fn n_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// What one timed call does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// Floating-point operations: products and convolutions, a multiply-add counted as two.
    pub(crate) flops: u64,
    /// Bytes of operands, each read or written once.
    pub(crate) bytes: u64,
    /// Bytes that are in use at a time, whose place (which cache, or memory) decides the bandwidth.
    working_set: u64,
    /// Whether arithmetic and streaming can hide each other.
    overlapped: bool,
}

impl Work {
    /// Of ops, whose operands can stream while they compute: the longer of the two is the limit.
    pub fn overlapped(flops: u64, bytes: u64, working_set: u64) -> Self {
        Self { flops, bytes, working_set, overlapped: true }
    }

    /// Of whole steps: first the products, then the update, which needs all of them.
    pub fn in_turn(flops: u64, bytes: u64, working_set: u64) -> Self {
        Self { flops, bytes, working_set, overlapped: false }
    }

    /// Work, and which share of the ceiling a call of so many seconds reached.
    #[expect(clippy::cast_precision_loss, reason = "for a ratio")]
    pub(crate) fn describe(&self, processor: Processor, seconds: f64) -> String {
        let product = if self.flops > 0 { product_rate(processor) } else { f64::INFINITY };
        let stream = stream_rate(processor, self.working_set);
        let (arithmetic, streaming) = (self.flops as f64 / product, self.bytes as f64 / stream);
        let limit = match self.overlapped {
            true => arithmetic.max(streaming),
            false => arithmetic + streaming,
        };
        let product = match self.flops {
            0 => String::new(),
            _ => format!("{:.0} GFLOP/s, ", product / 1e9),
        };
        format!(
            "{:.3} MFLOP, {:.3} MB in {:.1} us: {:.0} % of the ceiling ({product}{:.1} GB/s)",
            self.flops as f64 / 1e6,
            self.bytes as f64 / 1e6,
            seconds * 1e6,
            100.0 * limit / seconds,
            stream / 1e9
        )
    }
}

/// Floating-point operations a second of the best product.
fn product_rate(processor: Processor) -> f64 {
    static CPU: OnceLock<f64> = OnceLock::new();
    static WGPU: OnceLock<f64> = OnceLock::new();
    let (rate, compute) = match processor {
        Processor::Cpu => (&CPU, Compute::Cpu),
        Processor::Wgpu => (&WGPU, Compute::Gpu(Arc::clone(device()))),
    };
    let start = Instant::now();
    *rate.get_or_init(|| {
        product_flop_per_second(&compute, &mut || start.elapsed()).expect("products run")
    })
}

/// Bytes a second of a stream over so many bytes.
fn stream_rate(processor: Processor, working_set: u64) -> f64 {
    static RATES: LazyLock<Mutex<HashMap<(&str, u64), f64>>> = LazyLock::new(Mutex::default);
    let len = (working_set / UPDATE_BYTES).clamp(1, MAX_STREAM_LEN);
    let mut rates = RATES.lock().unwrap_or_else(PoisonError::into_inner);
    *rates.entry((processor.name(), len)).or_insert_with(|| match processor {
        Processor::Cpu => 1.0 / least(|| cpu_seconds_per_byte(len)),
        Processor::Wgpu => 1.0 / least(|| wgpu_seconds_per_byte(len)),
    })
}

fn least(measure: impl Fn() -> f64) -> f64 {
    (0..N_MEASUREMENTS).map(|_| measure()).fold(f64::INFINITY, f64::min)
}

/// Seconds per byte of a momentum update over `len` weights, divided among all threads.
fn cpu_seconds_per_byte(len: u64) -> f64 {
    let n_threads = n_threads();
    let part = usize::try_from(len).expect("at most MAX_STREAM_LEN").div_ceil(n_threads);
    let n_bytes = (part * n_threads) as u64 * UPDATE_BYTES;
    let n_passes = (STREAMED_BYTES / n_bytes).max(1);
    let barrier = Barrier::new(n_threads);
    let slowest = thread::scope(|scope| {
        let workers: Vec<_> = (0..n_threads)
            .map(|_| scope.spawn(|| update_seconds(part, n_passes, &barrier)))
            .collect();
        let seconds = workers.into_iter().map(|worker| worker.join().expect("it does not panic"));
        seconds.fold(0.0, f64::max)
    });
    #[expect(clippy::cast_precision_loss, reason = "for a rate")]
    let n_bytes = (n_passes * n_bytes) as f64;
    slowest / n_bytes
}

fn update_seconds(len: usize, n_passes: u64, barrier: &Barrier) -> f64 {
    let (mut weights, mut velocities) = (vec![1.0_f32; len], vec![0.5_f32; len]);
    let gradients = vec![0.1_f32; len];
    let mut update = || {
        for ((w, v), &g) in weights.iter_mut().zip(&mut velocities).zip(&gradients) {
            *v = 0.9 * *v + g;
            *w -= 1e-6 * (g + 0.9 * *v);
        }
        black_box((&mut weights, &mut velocities));
    };
    update();
    barrier.wait();
    let start = Instant::now();
    for _ in 0..n_passes {
        update();
    }
    start.elapsed().as_secs_f64()
}

fn wgpu_seconds_per_byte(len: u64) -> f64 {
    let mut graph = Graph::new();
    let len = usize::try_from(len).expect("at most MAX_STREAM_LEN");
    let x = graph.parameter("x", &[len], Initialiser::Zeros).expect("a fresh name");
    let y = graph.relu(x).expect("any shape");
    let plan = Plan::forward(&graph, &[y]).expect("it can be planned");
    #[expect(clippy::cast_precision_loss, reason = "for a rate")]
    let n_bytes = plan.bytes() as f64;
    let program = Program::new(vec![plan], vec![]).expect("it is a program");
    let mut executor = Processor::Wgpu.executor(&program, 1);
    let values = vec![0.5; program.n_parameters()];
    executor.load(0, &Snapshot::fresh(LaneState::default(), values)).expect("it fits");
    let mut run = |n_times| {
        let start = Instant::now();
        executor.run(0, &[n_times]).expect("the plan runs");
        start.elapsed().as_secs_f64()
    };
    run(1);
    // So often that the host's wait at the end does not count.
    let mut n_times = 4;
    loop {
        let seconds = run(n_times);
        if seconds >= SHORTEST_SECONDS {
            return seconds / f64::from(n_times) / n_bytes;
        }
        n_times *= 4;
    }
}
