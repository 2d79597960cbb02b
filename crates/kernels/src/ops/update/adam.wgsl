// Adam with decoupled weight decay.
// v <- beta1 v + (1 - beta1) g, s <- beta2 s + (1 - beta2) g^2 (each 0 below smallest_velocity),
// w <- w (1 - eta lambda) - eta v' / (sqrt(s') + epsilon), v' = v / (1 - beta1^t),
// s' = s / (1 - beta2^t); a weight that is no longer finite is a fault of its lane.
// grads: [n_parts, len], their sum over parts is g; parameters w, velocity v, squares s: [len]; f32.
// Dispatch: one thread per parameter.
// Source: Kingma and Ba 2015; Loshchilov and Hutter 2019.

#import "index"
#import "lane"
#import "numeric"

struct Params {
    grads: vec2<u32>,
    parameters: vec2<u32>,
    velocity: vec2<u32>,
    squares: vec2<u32>,
    len: u32,
    n_parts: u32,
    smallest_velocity: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grads: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(4) var<storage, read_write> squares: array<f32>;
@group(0) @binding(5) var<storage, read> lanes: array<LaneState>;
@group(0) @binding(6) var<storage, read_write> faults: array<atomic<u32>>;

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
    let squares_start = lane_start(params.squares, lane);
    let eta = scheduled_learning_rate(lanes[lane]);
    let beta1 = lanes[lane].momentum;
    let beta2 = lanes[lane].beta2;
    var grad = grads[grads_start + i];
    for (var part = 1u; part < params.n_parts; part++) {
        grad += grads[grads_start + part * params.len + i];
    }
    let mean = beta1 * velocity[velocity_start + i] + (1.0 - beta1) * grad;
    let speed = zero_below(mean, params.smallest_velocity);
    velocity[velocity_start + i] = speed;
    let mean_square = beta2 * squares[squares_start + i] + (1.0 - beta2) * (grad * grad);
    let square = zero_below(mean_square, params.smallest_velocity);
    squares[squares_start + i] = square;
    let correction1 = 1.0 / (1.0 - lanes[lane].beta1_power * beta1);
    let correction2 = 1.0 / (1.0 - lanes[lane].beta2_power * beta2);
    let root = sqrt(square * correction2) + lanes[lane].epsilon;
    let kept = 1.0 - eta * lanes[lane].weight_decay;
    let weight = parameters[parameters_start + i] * kept - eta * (speed * correction1) / root;
    parameters[parameters_start + i] = weight;
    if (!is_finite(weight)) {
        atomicStore(&faults[lane], 1u);
    }
}
