// The shortcut that changes a shape without weights, forward.
// y[n, i, j, c] = x[n, i s, j s, c] for c < C, else 0.
// x: [N, H, W, C], y: [N, H', W', C'], f32.
// Dispatch: one thread per element of y.
// Source: He et al. 2016, option A.

#import "index"
#import "lane"

override IN_HEIGHT: u32;
override IN_WIDTH: u32;
override IN_CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override OUT_CHANNELS: u32;
override STRIDE: u32;

struct Params {
    x: vec2<u32>,
    y: vec2<u32>,
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;

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
    let channel = i % OUT_CHANNELS;
    let pixel = i / OUT_CHANNELS;
    let row = pixel / OUT_WIDTH;
    let image = row / OUT_HEIGHT;
    let in_row = image * IN_HEIGHT + row % OUT_HEIGHT * STRIDE;
    let in_pixel = in_row * IN_WIDTH + pixel % OUT_WIDTH * STRIDE;
    var value = 0.0;
    if (channel < IN_CHANNELS) {
        value = x[lane_start(params.x, lane) + in_pixel * IN_CHANNELS + channel];
    }
    y[lane_start(params.y, lane) + i] = value;
}
