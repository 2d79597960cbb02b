// Mean over windows, backward.
// grad_x sums grad_y / k over the windows that the pixel is in, in their order; k pixels of such a
// window lie inside the image.
// grad_y: [N, H', W', C], grad_x: [N, H, W, C], f32.
// Dispatch: one thread per element of grad_x.
// Source: own.

#import "index"
#import "lane"
#import "window"

override CHANNELS: u32;

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
    let grad_y_start = lane_start(params.grad_y, lane);
    let grad_x_start = lane_start(params.grad_x, lane);
    let pixel = in_pixel(i / CHANNELS);
    let first = first_window(pixel.yz);
    let end = end_window(pixel.yz);
    var sum = 0.0;
    for (var row = first.x; row < end.x; row++) {
        for (var column = first.y; column < end.y; column++) {
            let window = (pixel.x * OUT_HEIGHT + row) * OUT_WIDTH + column;
            let share = 1.0 / f32(n_pixels_inside(vec2(row, column)));
            sum += share * grad_y[grad_y_start + window * CHANNELS + i % CHANNELS];
        }
    }
    grad_x[grad_x_start + i] = sum;
}
