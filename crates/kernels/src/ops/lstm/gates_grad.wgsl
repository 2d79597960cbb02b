// Gradient of the gates' arguments.
// y = [c' g i (1 - i) | c' c_before f (1 - f) | c' i (1 - g^2) | h' tanh(c) o (1 - o)].
// state, before: [batch, 5 units], grad_h, grad_c: [batch, units], y: [batch, 4 units], f32.
// Dispatch: one thread per unit of an example.
// Source: Sak, Senior and Beaufays 2014, without peepholes.

#import "index"
#import "lane"
#import "sigmoid"

override HAS_NEIGHBOUR: bool;

struct Params {
    state: vec2<u32>,
    grad_h: vec2<u32>,
    grad_c: vec2<u32>,
    before: vec2<u32>,
    y: vec2<u32>,
    len: u32,
    n_units: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read> grad_h: array<f32>;
@group(0) @binding(3) var<storage, read> grad_c: array<f32>;
@group(0) @binding(4) var<storage, read> before: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read> lanes: array<LaneState>;

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
    let units = params.n_units;
    let n = i / units;
    let unit = i % units;
    let start = lane_start(params.state, lane) + n * 5u * units + unit;
    let input_gate = state[start];
    let forget = state[start + units];
    let candidate = state[start + 2u * units];
    let output = state[start + 3u * units];
    let squashed = accurate_tanh(state[start + 4u * units]);
    var c_before = 0.0;
    if (HAS_NEIGHBOUR) {
        c_before = before[lane_start(params.before, lane) + (n * 5u + 4u) * units + unit];
    }
    let of_h = grad_h[lane_start(params.grad_h, lane) + i];
    let of_c = grad_c[lane_start(params.grad_c, lane) + i];
    let y_start = lane_start(params.y, lane) + n * 4u * units + unit;
    y[y_start] = of_c * candidate * input_gate * (1.0 - input_gate);
    y[y_start + units] = of_c * c_before * forget * (1.0 - forget);
    y[y_start + 2u * units] = of_c * input_gate * (1.0 - candidate * candidate);
    y[y_start + 3u * units] = of_h * squashed * output * (1.0 - output);
}
