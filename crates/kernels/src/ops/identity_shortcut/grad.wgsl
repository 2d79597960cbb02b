// The shortcut that changes a shape without weights, backward.
// grad_x[n, i s, j s, c] = grad_y[n, i, j, c], and 0 at pixels that were not taken.
// grad_y: [N, H', W', C'], grad_x: [N, H, W, C], f32.
// Dispatch: one thread per element of grad_x.
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
    grad_y: vec2<u32>,
    grad_x: vec2<u32>,
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grad_y: array<f32>;
@group(0) @binding(2) var<storage, read_write> grad_x: array<f32>;
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
    let channel = i % IN_CHANNELS;
    let pixel = i / IN_CHANNELS;
    let row = pixel / IN_WIDTH;
    let place = vec2(row % IN_HEIGHT, pixel % IN_WIDTH);
    var value = 0.0;
    if (all(place % STRIDE == vec2(0u))) {
        let out_row = row / IN_HEIGHT * OUT_HEIGHT + place.x / STRIDE;
        let out_pixel = out_row * OUT_WIDTH + place.y / STRIDE;
        value = grad_y[lane_start(params.grad_y, lane) + out_pixel * OUT_CHANNELS + channel];
    }
    grad_x[lane_start(params.grad_x, lane) + i] = value;
}
