// The parts of a product put together, with its epilogue.
// y[i] = sum_p x[p, i], + bias[i mod n_columns] if BIAS, then max(., 0) if RELU.
// x: [parts, len], bias: [n_columns], y: [len], f32; sums in the order of p.
// Dispatch: one thread per element of y.
// Source: own.

#import "index"
#import "lane"
#import "numeric"

override BIAS: bool;
override RELU: bool;

struct Params {
    x: vec2<u32>,
    bias: vec2<u32>,
    y: vec2<u32>,
    len: u32,
    n_parts: u32,
    n_columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

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
    let x_start = lane_start(params.x, lane) + i;
    var sum = 0.0;
    for (var part = 0u; part < params.n_parts; part++) {
        sum += x[x_start + part * params.len];
    }
    if (BIAS) {
        sum += bias[lane_start(params.bias, lane) + i % params.n_columns];
    }
    if (RELU) {
        sum = relu(sum);
    }
    y[lane_start(params.y, lane) + i] = sum;
}
