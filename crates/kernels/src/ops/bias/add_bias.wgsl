// Adds a vector along the last axis.
// y[r, c] = x[r, c] + bias[c].
// x, y: [rows, columns], bias: [columns], f32.
// Dispatch: one thread per element.
// Source: own.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    bias: vec2<u32>,
    y: vec2<u32>,
    len: u32,
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
    let x_start = lane_start(params.x, lane);
    let bias_start = lane_start(params.bias, lane);
    let y_start = lane_start(params.y, lane);
    y[y_start + i] = x[x_start + i] + bias[bias_start + i % params.n_columns];
}
