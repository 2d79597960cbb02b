//! Tests of the GPU side: shaders against their launches (no adapter needed), every kernel
//! against the native executor, whole training runs.

mod contracts;
mod faults;
mod iterations;
mod ops;
mod parts;
mod samples;
mod shaders;
mod streams;
mod training;
mod windows;

use std::sync::{Arc, OnceLock};

use crate::Error;
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program, Split};
use crate::gpu::gemm::Tiling;
use crate::gpu::{Device, GpuExecutor, Selection};
use crate::graph::{Graph, Node};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::{assert_close, random_projection, random_values, sample_lane};

/// The one device of the test process: a GPU if there is one, else software Vulkan. One only,
/// since Mesa's software Vulkan leaks memory with every device.
fn device() -> &'static Arc<Device> {
    static DEVICE: OnceLock<Arc<Device>> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let device = Device::open(&Selection::Gpu).or_else(|_| Device::open(&Selection::Software));
        device.expect(
            "no Vulkan adapter: install Mesa's software Vulkan with 'apt-get install mesa-vulkan-drivers'",
        )
    })
}

/// A lane of its own key, place in training and metaparameters for each seed.
fn lane(seed: u32) -> LaneState {
    let mut lane = sample_lane(seed);
    lane.step = seed;
    lane.epoch = seed / 2;
    lane.momentum = [0.9, 0.5, 0.0][seed as usize % 3];
    lane.label_smoothing = [0.1, 0.0, 0.3][seed as usize % 3];
    lane
}

fn gpu(program: &Program, lanes: usize) -> GpuExecutor {
    gpu_with(program, lanes, device().tiling)
}

fn gpu_with(program: &Program, lanes: usize, tiling: Tiling) -> GpuExecutor {
    let mut executor = GpuExecutor::with_tiling(device(), program, lanes, tiling).unwrap();
    executor.poison().unwrap();
    executor
}

/// Runs the op that `build` adds, forward and backward, in three lanes of different parameters
/// and states, and compares value and gradients with the native executor in f64. All sums of
/// the graph must have at most `reduction_len` terms.
fn check(name: &str, reduction_len: usize, build: impl FnOnce(&mut Graph) -> Result<Node, Error>) {
    check_with(name, reduction_len, &[device().tiling], build);
}

/// As [`check`], with the device's own tiling of products and with that of GPUs.
fn check_product(
    name: &str,
    reduction_len: usize,
    build: impl FnOnce(&mut Graph) -> Result<Node, Error>,
) {
    let mut tilings = vec![device().tiling, Tiling::Shared];
    tilings.dedup();
    check_with(name, reduction_len, &tilings, build);
}

fn check_with(
    name: &str,
    reduction_len: usize,
    tilings: &[Tiling],
    build: impl FnOnce(&mut Graph) -> Result<Node, Error>,
) {
    let mut graph = Graph::new();
    let y = build(&mut graph).unwrap();
    let loss = random_projection(&mut graph, y).unwrap();
    let nodes: Vec<Node> = graph.trained_parameters().map(|parameter| parameter.node).collect();
    let gradients = graph.gradients(loss, &nodes).unwrap();
    let keep: Vec<Node> = [y].into_iter().chain(gradients).collect();
    for &tiling in tilings {
        check_values(&format!("{name}, {tiling:?}"), reduction_len, tiling, &graph, &keep, vec![]);
    }
}

/// Compares the given values of a graph with those of the native executor in f64.
fn check_values(
    name: &str,
    reduction_len: usize,
    tiling: Tiling,
    graph: &Graph,
    keep: &[Node],
    splits: Vec<Arc<Split>>,
) {
    const LANES: u32 = 3;
    let program = Program::new(vec![Plan::forward(graph, keep).unwrap()], splits).unwrap();
    let mut tested = gpu_with(&program, LANES as usize, tiling);
    let mut oracle = CpuExecutor::<f64>::new(&program, LANES as usize).unwrap();
    for (index, seed) in (0..).zip(0..LANES) {
        let parameters: Vec<f32> = random_values(seed + 1, graph.n_parameters());
        let exact = parameters.iter().map(|&value| f64::from(value)).collect();
        tested.load(index, &Snapshot::fresh(lane(seed), parameters)).unwrap();
        oracle.load(index, &Snapshot::fresh(lane(seed), exact)).unwrap();
    }
    tested.run(0, &[1; LANES as usize]).unwrap();
    oracle.run(0, &[1; LANES as usize]).unwrap();
    for lane in 0..LANES as usize {
        for (index, &node) in keep.iter().enumerate() {
            let got = tested.read(0, lane, node).unwrap();
            let reference = oracle.read(0, lane, node).unwrap();
            let name = format!("{name}, lane {lane}, value {index} {}", graph.shape(node));
            assert_close(&name, &got, &reference, reduction_len);
        }
    }
}

/// Bits of a trial, for comparisons that allow no difference.
fn bits(snapshot: &Snapshot<f32>) -> Vec<u32> {
    let state: [u32; 20] = bytemuck::cast(snapshot.state);
    let moments = snapshot.velocity.iter().chain(&snapshot.second_moment);
    let values = snapshot.parameters.iter().chain(moments).map(|x| x.to_bits());
    state.into_iter().chain(values).collect()
}
