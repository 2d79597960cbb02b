// Two-dimensional convolution, forward, as an implicit product, with a fused epilogue.
// y[n, i, j, o] = sum_{u, v, c} x[n, i s + u - p, j s + v - q, c] f[u, v, c, o], + bias[o] if
// BIAS, then max(., 0) if RELU.
// x: [N, H, W, C], filter f: [h, w, C, O], bias: [O], y: [parts, N, H', W', O], f32; sums in
// f32, in the order of (u, v, c) within a part. X_QUADS, FILTER_QUADS: channels are whole vectors.
// Dispatch: one workgroup per tile of y seen as [N H' W', O] and part of (u, v, c) (gemm_*.wgsl).
// Source: implicit form of Chellapilla, Puri, Simard 2006.

#import "gemm"
#import "index"
#import "lane"
#import "numeric"
#import "window"

override IN_CHANNELS: u32;
override OUT_CHANNELS: u32;
override X_QUADS: bool;
override FILTER_QUADS: bool;
override BIAS: bool;
override RELU: bool;
override PATCH_LEN: u32 = WINDOW_HEIGHT * WINDOW_WIDTH * IN_CHANNELS;

const LHS_K_FASTEST = true;
const RHS_K_FASTEST = false;

struct Params {
    x: vec2<u32>,
    filter_: vec2<u32>,
    bias: vec2<u32>,
    y: vec2<u32>,
    m: u32,
    k_per_part: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> filter_: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> lanes: array<LaneState>;

var<private> x_start: u32;
var<private> filter_start: u32;
var<private> bias_start: u32;
var<private> y_start: u32;

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
    filter_start = lane_start(params.filter_, lane);
    bias_start = lane_start(params.bias, lane);
    y_start = lane_start(params.y, lane);
    let size = Gemm(params.m, PATCH_LEN, OUT_CHANNELS, params.k_per_part);
    gemm(size, linear_workgroup(workgroup, n_workgroups), thread);
}

// Elements k .. k + 4 of the window `row`.
fn load_lhs(row: u32, k: u32) -> vec4<f32> {
    let window = out_pixel(row);
    let is_row = row < params.m;
    var quad = vec4(0.0);
    if (X_QUADS) {
        let place = under_patch(window, k);
        if (is_row && place.is_inside) {
            quad = x[place.element / 4u];
        }
        return quad;
    }
    quad.x = x_element(under_patch(window, k), is_row);
    quad.y = x_element(under_patch(window, k + 1u), is_row);
    quad.z = x_element(under_patch(window, k + 2u), is_row);
    quad.w = x_element(under_patch(window, k + 3u), is_row);
    return quad;
}

struct Place {
    element: u32,
    is_inside: bool,
}

// Where element k of a window lies in x.
fn under_patch(window: vec3<u32>, k: u32) -> Place {
    let place = vec2(k / IN_CHANNELS / WINDOW_WIDTH, k / IN_CHANNELS % WINDOW_WIDTH);
    let pixel = under_window(window.yz, place);
    let element = (window.x * IN_HEIGHT + pixel.x) * IN_WIDTH + pixel.y;
    let is_inside = k < PATCH_LEN && is_inside(pixel);
    return Place(x_start + element * IN_CHANNELS + k % IN_CHANNELS, is_inside);
}

fn x_element(place: Place, is_row: bool) -> f32 {
    var element = 0.0;
    if (is_row && place.is_inside) {
        element = x[place.element / 4u][place.element % 4u];
    }
    return element;
}

// Elements (k, column .. column + 4) of the filter.
fn load_rhs(k: u32, column: u32) -> vec4<f32> {
    let first = filter_start + k * OUT_CHANNELS + column;
    let n_inside = select(0u, OUT_CHANNELS - min(column, OUT_CHANNELS), k < PATCH_LEN);
    var quad = vec4(0.0);
    if (FILTER_QUADS) {
        if (n_inside > 0u) {
            quad = filter_[first / 4u];
        }
        return quad;
    }
    quad.x = filter_element(first, n_inside > 0u);
    quad.y = filter_element(first + 1u, n_inside > 1u);
    quad.z = filter_element(first + 2u, n_inside > 2u);
    quad.w = filter_element(first + 3u, n_inside > 3u);
    return quad;
}

fn filter_element(index: u32, is_inside: bool) -> f32 {
    var element = 0.0;
    if (is_inside) {
        element = filter_[index / 4u][index % 4u];
    }
    return element;
}

fn store(part: u32, row: u32, column: u32, quad: vec4<f32>) {
    if (row < params.m) {
        store_element(part, row, column, quad.x);
        store_element(part, row, column + 1u, quad.y);
        store_element(part, row, column + 2u, quad.z);
        store_element(part, row, column + 3u, quad.w);
    }
}

fn store_element(part: u32, row: u32, column: u32, sum: f32) {
    if (column >= OUT_CHANNELS) {
        return;
    }
    var value = sum;
    if (BIAS) {
        value += bias[bias_start + column];
    }
    if (RELU) {
        value = relu(value);
    }
    y[y_start + (part * params.m + row) * OUT_CHANNELS + column] = value;
}
