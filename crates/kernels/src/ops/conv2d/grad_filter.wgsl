// Two-dimensional convolution, gradient of the filter, as an implicit product.
// grad_f[u, v, c, o] = sum_{n, i, j} x[n, i s + u - p, j s + v - q, c] grad_y[n, i, j, o].
// x: [N, H, W, C], grad_y: [N, H', W', O], grad_filter: [parts, h, w, C, O], f32; sums in f32, in
// the order of (n, i, j) within a part.
// Dispatch: one workgroup per tile of grad_f seen as [h w C, O] and part of (n, i, j)
// (gemm.wgsl).
// Source: own.

#import "gemm"
#import "index"
#import "lane"
#import "window"

override IN_CHANNELS: u32;
override OUT_CHANNELS: u32;
override PATCH_LEN: u32 = WINDOW_HEIGHT * WINDOW_WIDTH * IN_CHANNELS;

const LHS_K_FASTEST = false;
const RHS_K_FASTEST = false;

struct Params {
    x: vec2<u32>,
    grad_y: vec2<u32>,
    grad_filter: vec2<u32>,
    k: u32,
    k_per_part: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> grad_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_filter: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

var<private> x_start: u32;
var<private> grad_y_start: u32;
var<private> grad_filter_start: u32;

@compute @workgroup_size(THREAD_ROWS * THREAD_COLUMNS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    if (lanes[lane].remaining == 0u) {
        return;
    }
    x_start = lane_start(params.x, lane);
    grad_y_start = lane_start(params.grad_y, lane);
    grad_filter_start = lane_start(params.grad_filter, lane);
    let size = Gemm(PATCH_LEN, params.k, OUT_CHANNELS, params.k_per_part);
    gemm(size, linear_workgroup(workgroup, n_workgroups), thread);
}

// Elements row .. row + 4 of window k.
fn load_lhs(row: u32, k: u32) -> vec4<f32> {
    var quad = vec4(0.0);
    let window = out_pixel(k);
    for (var i = 0u; i < 4u; i++) {
        let place = (row + i) / IN_CHANNELS;
        let pixel = under_window(window.yz, vec2(place / WINDOW_WIDTH, place % WINDOW_WIDTH));
        if (row + i < PATCH_LEN && k < params.k && is_inside(pixel)) {
            let element = (window.x * IN_HEIGHT + pixel.x) * IN_WIDTH + pixel.y;
            quad[i] = x[x_start + element * IN_CHANNELS + (row + i) % IN_CHANNELS];
        }
    }
    return quad;
}

fn load_rhs(k: u32, column: u32) -> vec4<f32> {
    var quad = vec4(0.0);
    for (var i = 0u; i < 4u; i++) {
        if (k < params.k && column + i < OUT_CHANNELS) {
            quad[i] = grad_y[grad_y_start + k * OUT_CHANNELS + column + i];
        }
    }
    return quad;
}

fn store(part: u32, row: u32, column: u32, quad: vec4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        if (row < PATCH_LEN && column + i < OUT_CHANNELS) {
            let element = (part * PATCH_LEN + row) * OUT_CHANNELS + column + i;
            grad_filter[grad_filter_start + element] = quad[i];
        }
    }
}
