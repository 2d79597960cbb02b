// Two-dimensional convolution, gradient of the filter, as an implicit product.
// grad_f[u, v, c, o] = sum_{n, i, j} x[n, i s + u - p, j s + v - q, c] grad_y[n, i, j, o].
// x: [N, H, W, C], grad_y: [N, H', W', O], grad_filter: [parts, h, w, C, O], f32; sums in f32, in
// the order of (n, i, j) within a part. X_QUADS, GRAD_Y_QUADS: channels are whole vectors.
// Dispatch: one workgroup per tile of grad_f seen as [h w C, O] and part of (n, i, j)
// (gemm_*.wgsl).
// Source: own.

#import "gemm"
#import "index"
#import "lane"
#import "window"

override IN_CHANNELS: u32;
override OUT_CHANNELS: u32;
override X_QUADS: bool;
override GRAD_Y_QUADS: bool;
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
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> grad_y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> grad_filter: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

var<private> x_start: u32;
var<private> grad_y_start: u32;
var<private> grad_filter_start: u32;

@compute @workgroup_size(N_THREADS)
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
    let window = out_pixel(k);
    let is_window = k < params.k;
    var quad = vec4(0.0);
    if (X_QUADS) {
        let place = under_patch(window, row);
        if (is_window && place.is_inside) {
            quad = x[place.element / 4u];
        }
        return quad;
    }
    quad.x = x_element(under_patch(window, row), is_window);
    quad.y = x_element(under_patch(window, row + 1u), is_window);
    quad.z = x_element(under_patch(window, row + 2u), is_window);
    quad.w = x_element(under_patch(window, row + 3u), is_window);
    return quad;
}

struct Place {
    element: u32,
    is_inside: bool,
}

// Where element `row` of a window lies in x.
fn under_patch(window: vec3<u32>, row: u32) -> Place {
    let place = vec2(row / IN_CHANNELS / WINDOW_WIDTH, row / IN_CHANNELS % WINDOW_WIDTH);
    let pixel = under_window(window.yz, place);
    let element = (window.x * IN_HEIGHT + pixel.x) * IN_WIDTH + pixel.y;
    let is_inside = row < PATCH_LEN && is_inside(pixel);
    return Place(x_start + element * IN_CHANNELS + row % IN_CHANNELS, is_inside);
}

fn x_element(place: Place, is_window: bool) -> f32 {
    var element = 0.0;
    if (is_window && place.is_inside) {
        element = x[place.element / 4u][place.element % 4u];
    }
    return element;
}

// Elements (k, column .. column + 4) of grad_y.
fn load_rhs(k: u32, column: u32) -> vec4<f32> {
    let first = grad_y_start + k * OUT_CHANNELS + column;
    let n_inside = select(0u, OUT_CHANNELS - min(column, OUT_CHANNELS), k < params.k);
    var quad = vec4(0.0);
    if (GRAD_Y_QUADS) {
        if (n_inside > 0u) {
            quad = grad_y[first / 4u];
        }
        return quad;
    }
    quad.x = grad_y_element(first, n_inside > 0u);
    quad.y = grad_y_element(first + 1u, n_inside > 1u);
    quad.z = grad_y_element(first + 2u, n_inside > 2u);
    quad.w = grad_y_element(first + 3u, n_inside > 3u);
    return quad;
}

fn grad_y_element(index: u32, is_inside: bool) -> f32 {
    var element = 0.0;
    if (is_inside) {
        element = grad_y[index / 4u][index % 4u];
    }
    return element;
}

fn store(part: u32, row: u32, column: u32, quad: vec4<f32>) {
    if (row < PATCH_LEN) {
        store_element(part, row, column, quad.x);
        store_element(part, row, column + 1u, quad.y);
        store_element(part, row, column + 2u, quad.z);
        store_element(part, row, column + 3u, quad.w);
    }
}

fn store_element(part: u32, row: u32, column: u32, sum: f32) {
    if (column < OUT_CHANNELS) {
        let element = (part * PATCH_LEN + row) * OUT_CHANNELS + column;
        grad_filter[grad_filter_start + element] = sum;
    }
}
