// Two-dimensional convolution, gradient of the input, as an implicit product.
// grad_x[n, a, b, c] = sum_{u, v, o} grad_y[n, (a + p - u) / s, (b + q - v) / s, o] f[u, v, c, o]
// over the places where both quotients are whole and inside.
// grad_y: [N, H', W', O], filter f: [h, w, C, O], grad_x: [N, H, W, C], f32; sums in f32, in the
// order of (u, v, o).
// Dispatch: one workgroup per tile of grad_x seen as [N H W, C] (gemm.wgsl).
// Source: own.

#import "gemm"
#import "index"
#import "lane"
#import "window"

override IN_CHANNELS: u32;
override OUT_CHANNELS: u32;
override PATCH_LEN: u32 = WINDOW_HEIGHT * WINDOW_WIDTH * OUT_CHANNELS;

const LHS_K_FASTEST = true;
const RHS_K_FASTEST = true;

struct Params {
    grad_y: vec2<u32>,
    filter_: vec2<u32>,
    grad_x: vec2<u32>,
    m: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grad_y: array<f32>;
@group(0) @binding(2) var<storage, read> filter_: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

var<private> grad_y_start: u32;
var<private> filter_start: u32;
var<private> grad_x_start: u32;

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
    grad_y_start = lane_start(params.grad_y, lane);
    filter_start = lane_start(params.filter_, lane);
    grad_x_start = lane_start(params.grad_x, lane);
    let size = Gemm(params.m, PATCH_LEN, IN_CHANNELS, PATCH_LEN + K_TILE);
    gemm(size, linear_workgroup(workgroup, n_workgroups), thread);
}

// grad_y of channel k mod O at the window that has each pixel at place k / O.
fn load_lhs(row: u32, k: u32) -> vec4<f32> {
    var quad = vec4(0.0);
    let place = vec2(k / OUT_CHANNELS / WINDOW_WIDTH, k / OUT_CHANNELS % WINDOW_WIDTH);
    for (var i = 0u; i < 4u; i++) {
        let pixel = in_pixel(row + i);
        // Below zero the numbers wrap around, and are too large for a window.
        let strides = pixel.yz + vec2(PAD_TOP, PAD_LEFT) - place;
        let window = strides / STRIDE;
        let is_window = all(strides % STRIDE == vec2(0u))
            && window.x < OUT_HEIGHT && window.y < OUT_WIDTH;
        if (row + i < params.m && k < PATCH_LEN && is_window) {
            let element = (pixel.x * OUT_HEIGHT + window.x) * OUT_WIDTH + window.y;
            quad[i] = grad_y[grad_y_start + element * OUT_CHANNELS + k % OUT_CHANNELS];
        }
    }
    return quad;
}

fn load_rhs(k: u32, column: u32) -> vec4<f32> {
    var quad = vec4(0.0);
    let place = k / OUT_CHANNELS;
    for (var i = 0u; i < 4u; i++) {
        if (k < PATCH_LEN && column + i < IN_CHANNELS) {
            let element = (place * IN_CHANNELS + column + i) * OUT_CHANNELS + k % OUT_CHANNELS;
            quad[i] = filter_[filter_start + element];
        }
    }
    return quad;
}

fn store(part: u32, row: u32, column: u32, quad: vec4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        if (row < params.m && column + i < IN_CHANNELS) {
            grad_x[grad_x_start + row * IN_CHANNELS + column + i] = quad[i];
        }
    }
}
