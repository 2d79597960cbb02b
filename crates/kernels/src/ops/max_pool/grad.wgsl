// Maximum over windows, backward.
// grad_x sums grad_y over the windows in which the pixel is the first largest, in their order;
// with RELU only where x > 0.
// x, grad_x: [N, H, W, C], grad_y: [N, H', W', C], f32.
// Dispatch: one thread per element of x.
// Source: own.

#import "index"
#import "lane"
#import "window"

override CHANNELS: u32;
override RELU: bool;

struct Params {
    x: vec2<u32>,
    grad_y: vec2<u32>,
    grad_x: vec2<u32>,
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> grad_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<f32>;
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
    let grad_y_start = lane_start(params.grad_y, lane);
    let grad_x_start = lane_start(params.grad_x, lane);
    let pixel = in_pixel(i / CHANNELS);
    let channel = i % CHANNELS;
    let image_start = x_start + pixel.x * IN_HEIGHT * IN_WIDTH * CHANNELS + channel;
    let first = first_window(pixel.yz);
    let end = end_window(pixel.yz);
    var sum = 0.0;
    for (var row = first.x; row < end.x; row++) {
        for (var column = first.y; column < end.y; column++) {
            if (all(largest(image_start, vec2(row, column)) == pixel.yz)) {
                let window = (pixel.x * OUT_HEIGHT + row) * OUT_WIDTH + column;
                sum += grad_y[grad_y_start + window * CHANNELS + channel];
            }
        }
    }
    let passes = !RELU || x[x_start + i] > 0.0;
    grad_x[grad_x_start + i] = select(0.0, sum, passes);
}

// Row and column of the first largest pixel of a window.
fn largest(image_start: u32, window: vec2<u32>) -> vec2<u32> {
    var best = vec2(0u);
    var best_value = 0.0;
    var has_value = false;
    for (var u = 0u; u < WINDOW_HEIGHT; u++) {
        for (var v = 0u; v < WINDOW_WIDTH; v++) {
            let pixel = under_window(window, vec2(u, v));
            if (is_inside(pixel)) {
                let value = x[image_start + (pixel.x * IN_WIDTH + pixel.y) * CHANNELS];
                if (!has_value || value > best_value) {
                    best = pixel;
                    best_value = value;
                }
                has_value = true;
            }
        }
    }
    return best;
}
