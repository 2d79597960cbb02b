// Two-dimensional convolution, forward, as an implicit product, with a fused epilogue.
// y[n, i, j, o] = sum_{u, v, c} x[n, i s + u - p, j s + v - q, c] f[u, v, c, o], + bias[o] if
// BIAS, then max(., 0) if RELU.
// x: [N, H, W, C], filter f: [h, w, C, O], bias: [O], y: [N, H', W', O], f32; sums in f32, in the
// order of (u, v, c).
// Dispatch: one workgroup per tile of y seen as [N H' W', O] (gemm.wgsl).
// Source: implicit form of Chellapilla, Puri, Simard 2006.

#import "gemm"
#import "index"
#import "lane"
#import "numeric"
#import "window"

override IN_CHANNELS: u32;
override OUT_CHANNELS: u32;
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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> filter_: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> lanes: array<LaneState>;

var<private> x_start: u32;
var<private> filter_start: u32;
var<private> bias_start: u32;
var<private> y_start: u32;

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
    filter_start = lane_start(params.filter_, lane);
    bias_start = lane_start(params.bias, lane);
    y_start = lane_start(params.y, lane);
    let size = Gemm(params.m, PATCH_LEN, OUT_CHANNELS, PATCH_LEN + K_TILE);
    gemm(size, linear_workgroup(workgroup, n_workgroups), thread);
}

// Element k of the windows row .. row + 4.
fn load_lhs(row: u32, k: u32) -> vec4<f32> {
    var quad = vec4(0.0);
    let place = vec2(k / IN_CHANNELS / WINDOW_WIDTH, k / IN_CHANNELS % WINDOW_WIDTH);
    for (var i = 0u; i < 4u; i++) {
        let window = out_pixel(row + i);
        let pixel = under_window(window.yz, place);
        if (row + i < params.m && k < PATCH_LEN && is_inside(pixel)) {
            let element = (window.x * IN_HEIGHT + pixel.x) * IN_WIDTH + pixel.y;
            quad[i] = x[x_start + element * IN_CHANNELS + k % IN_CHANNELS];
        }
    }
    return quad;
}

fn load_rhs(k: u32, column: u32) -> vec4<f32> {
    var quad = vec4(0.0);
    for (var i = 0u; i < 4u; i++) {
        if (k < PATCH_LEN && column + i < OUT_CHANNELS) {
            quad[i] = filter_[filter_start + k * OUT_CHANNELS + column + i];
        }
    }
    return quad;
}

fn store(part: u32, row: u32, column: u32, quad: vec4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        if (row < params.m && column + i < OUT_CHANNELS) {
            var value = quad[i];
            if (BIAS) {
                value += bias[bias_start + column + i];
            }
            if (RELU) {
                value = relu(value);
            }
            y[y_start + row * OUT_CHANNELS + column + i] = value;
        }
    }
}
