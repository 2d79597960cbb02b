// Plain stochastic gradient descent.
// w <- w - eta g; a weight that is no longer finite is a fault of its lane.
// grads: [n_parts, len], their sum over parts is g; parameters w: [len]; f32.
// Dispatch: one thread per parameter.
// Source: Shallue et al. 2018.

#import "index"
#import "lane"
#import "numeric"

struct Params {
    grads: vec2<u32>,
    parameters: vec2<u32>,
    len: u32,
    n_parts: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grads: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;
@group(0) @binding(4) var<storage, read_write> faults: array<atomic<u32>>;

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
    let eta = scheduled_learning_rate(lanes[lane]);
    var grad = grads[grads_start + i];
    for (var part = 1u; part < params.n_parts; part++) {
        grad += grads[grads_start + part * params.len + i];
    }
    let weight = parameters[parameters_start + i] - eta * grad;
    parameters[parameters_start + i] = weight;
    if (!is_finite(weight)) {
        atomicStore(&faults[lane], 1u);
    }
}
