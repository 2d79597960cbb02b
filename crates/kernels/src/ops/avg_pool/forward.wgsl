// Mean over windows, forward.
// y[n, i, j, c] = mean over u, v of x[n, i s + u - p, j s + v - q, c] inside the image.
// x: [N, H, W, C], y: [N, H', W', C], f32.
// Dispatch: one thread per element of y.
// Source: own.

#import "index"
#import "lane"
#import "window"

override CHANNELS: u32;

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
    let x_start = lane_start(params.x, lane);
    let y_start = lane_start(params.y, lane);
    let window = out_pixel(i / CHANNELS);
    let image_start = x_start + window.x * IN_HEIGHT * IN_WIDTH * CHANNELS + i % CHANNELS;
    var sum = 0.0;
    for (var u = 0u; u < WINDOW_HEIGHT; u++) {
        for (var v = 0u; v < WINDOW_WIDTH; v++) {
            let pixel = under_window(window.yz, vec2(u, v));
            if (is_inside(pixel)) {
                sum += x[image_start + (pixel.x * IN_WIDTH + pixel.y) * CHANNELS];
            }
        }
    }
    y[y_start + i] = sum * (1.0 / f32(n_pixels_inside(window.yz)));
}
