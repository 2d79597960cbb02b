// Two-dimensional convolution, gradient of the input, as an implicit product.
// grad_x[n, a, b, c] = sum_{u, v, o} grad_y[n, (a + p - u) / s, (b + q - v) / s, o] f[u, v, c, o]
// over the places where both quotients are whole and inside.
// grad_y: [N, H', W', O], filter f: [h, w, C, O], grad_x: [parts, N, H, W, C], f32; sums in
// f32, in the order of (u, v, o) within a part. GRAD_Y_QUADS, FILTER_QUADS: channels are whole vectors.
// Dispatch: one workgroup per tile of grad_x seen as [N H W, C] and part of (u, v, o) (gemm_*.wgsl).
// Source: own.

#import "gemm"
#import "index"
#import "lane"
#import "window"

override IN_CHANNELS: u32;
override OUT_CHANNELS: u32;
override GRAD_Y_QUADS: bool;
override FILTER_QUADS: bool;
override PATCH_LEN: u32 = WINDOW_HEIGHT * WINDOW_WIDTH * OUT_CHANNELS;

const LHS_K_FASTEST = true;
const RHS_K_FASTEST = true;

struct Params {
    grad_y: vec2<u32>,
    filter_: vec2<u32>,
    grad_x: vec2<u32>,
    m: u32,
    k_per_part: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grad_y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> filter_: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

var<private> grad_y_start: u32;
var<private> filter_start: u32;
var<private> grad_x_start: u32;

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
    grad_y_start = lane_start(params.grad_y, lane);
    filter_start = lane_start(params.filter_, lane);
    grad_x_start = lane_start(params.grad_x, lane);
    let size = Gemm(params.m, PATCH_LEN, IN_CHANNELS, params.k_per_part);
    gemm(size, linear_workgroup(workgroup, n_workgroups), thread);
}

// grad_y of channels k mod O .. + 4 at the window that has the pixel `row` at place k / O.
fn load_lhs(row: u32, k: u32) -> vec4<f32> {
    let pixel = in_pixel(row);
    let is_row = row < params.m;
    var quad = vec4(0.0);
    if (GRAD_Y_QUADS) {
        let place = above_pixel(pixel, k);
        if (is_row && place.is_inside) {
            quad = grad_y[place.element / 4u];
        }
        return quad;
    }
    quad.x = grad_y_element(above_pixel(pixel, k), is_row);
    quad.y = grad_y_element(above_pixel(pixel, k + 1u), is_row);
    quad.z = grad_y_element(above_pixel(pixel, k + 2u), is_row);
    quad.w = grad_y_element(above_pixel(pixel, k + 3u), is_row);
    return quad;
}

struct Place {
    element: u32,
    is_inside: bool,
}

// Where term k of a pixel's sum lies in grad_y.
fn above_pixel(pixel: vec3<u32>, k: u32) -> Place {
    let place = vec2(k / OUT_CHANNELS / WINDOW_WIDTH, k / OUT_CHANNELS % WINDOW_WIDTH);
    // Below zero the numbers wrap around, and are too large for a window.
    let strides = pixel.yz + vec2(PAD_TOP, PAD_LEFT) - place;
    let window = strides / STRIDE;
    let is_inside = k < PATCH_LEN && all(strides % STRIDE == vec2(0u))
        && window.x < OUT_HEIGHT && window.y < OUT_WIDTH;
    let element = (pixel.x * OUT_HEIGHT + window.x) * OUT_WIDTH + window.y;
    return Place(grad_y_start + element * OUT_CHANNELS + k % OUT_CHANNELS, is_inside);
}

fn grad_y_element(place: Place, is_row: bool) -> f32 {
    var element = 0.0;
    if (is_row && place.is_inside) {
        element = grad_y[place.element / 4u][place.element % 4u];
    }
    return element;
}

// The filter of input channel `column` at terms k .. k + 4.
fn load_rhs(k: u32, column: u32) -> vec4<f32> {
    let is_column = column < IN_CHANNELS;
    var quad = vec4(0.0);
    if (FILTER_QUADS) {
        if (is_column && k < PATCH_LEN) {
            quad = filter_[filter_index(k, column) / 4u];
        }
        return quad;
    }
    quad.x = filter_element(k, column, is_column);
    quad.y = filter_element(k + 1u, column, is_column);
    quad.z = filter_element(k + 2u, column, is_column);
    quad.w = filter_element(k + 3u, column, is_column);
    return quad;
}

fn filter_index(k: u32, column: u32) -> u32 {
    let row = k / OUT_CHANNELS * IN_CHANNELS + column;
    return filter_start + row * OUT_CHANNELS + k % OUT_CHANNELS;
}

fn filter_element(k: u32, column: u32, is_column: bool) -> f32 {
    let index = filter_index(k, column);
    var element = 0.0;
    if (is_column && k < PATCH_LEN) {
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
    if (column < IN_CHANNELS) {
        grad_x[grad_x_start + (part * params.m + row) * IN_CHANNELS + column] = sum;
    }
}
