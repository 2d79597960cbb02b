// Momentum, heavy-ball or Nesterov's.
// v <- gamma v + g (0 below smallest_velocity), w <- w - eta d, d = g + gamma v if NESTEROV,
// else v; a weight that is no longer finite is a fault of its lane.
// grads: [n_parts, len], their sum over parts is g; parameters w, velocity v: [len]; f32.
// Dispatch: one thread per parameter.
// Source: Shallue et al. 2018.

#import "index"
#import "lane"
#import "numeric"

override NESTEROV: bool;

struct Params {
    grads: vec2<u32>,
    parameters: vec2<u32>,
    velocity: vec2<u32>,
    len: u32,
    n_parts: u32,
    smallest_velocity: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grads: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;
@group(0) @binding(5) var<storage, read_write> faults: array<atomic<u32>>;

const N_THREADS = 256u;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let i = linear_workgroup(workgroup, n_workgroups) * N_THREADS + thread;
    if (lanes[lane].remaining == 0u || i >= params.len) {
        return;
    }
    let grads_start = lane_start(params.grads, lane);
    let parameters_start = lane_start(params.parameters, lane);
    let velocity_start = lane_start(params.velocity, lane);
    let eta = scheduled_learning_rate(lanes[lane]);
    let gamma = lanes[lane].momentum;
    var grad = grads[grads_start + i];
    for (var part = 1u; part < params.n_parts; part++) {
        grad += grads[grads_start + part * params.len + i];
    }
    let sum = gamma * velocity[velocity_start + i] + grad;
    let speed = zero_below(sum, params.smallest_velocity);
    velocity[velocity_start + i] = speed;
    let direction = select(speed, grad + gamma * speed, NESTEROV);
    let weight = parameters[parameters_start + i] - eta * direction;
    parameters[parameters_start + i] = weight;
    if (!is_finite(weight)) {
        atomicStore(&faults[lane], 1u);
    }
}
