// Scaled sum of all elements.
// y = scale sum_i x_i.
// x: [len], y: [1], f32; 256 partial sums (element i goes to i mod 256), then a binary tree: the
// same order as on the native executor.
// Dispatch: one workgroup; any len.
// Source: own.

#import "index"
#import "lane"
#import "workgroup_rows"

struct Params {
    x: vec2<u32>,
    y: vec2<u32>,
    len: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    if (lanes[lane].remaining == 0u) {
        return;
    }
    let x_start = lane_start(params.x, lane);
    var partial = 0.0;
    for (var i = thread; i < params.len; i += N_THREADS) {
        partial += x[x_start + i];
    }
    let total = sum_of_threads(thread, partial);
    if (thread == 0u) {
        y[lane_start(params.y, lane)] = total * params.scale;
    }
}
