// Matrix product with any transposes and a fused epilogue.
// y[r, c] = sum_k lhs[r, k] rhs[k, c], + bias[c] if BIAS, then max(., 0) if RELU.
// lhs: [m, k] or [k, m], rhs: [k, n] or [n, k], bias: [n], y: [parts, m, n], f32; sums in f32,
// in the order of k within a part.
// Dispatch: one workgroup per tile of y and part of k (gemm.wgsl); any m, k, n >= 1.
// Source: own.

#import "gemm"
#import "index"
#import "lane"
#import "numeric"

override TRANSPOSE_LHS: bool;
override TRANSPOSE_RHS: bool;
override BIAS: bool;
override RELU: bool;
override LHS_K_FASTEST: bool = !TRANSPOSE_LHS;
override RHS_K_FASTEST: bool = TRANSPOSE_RHS;

struct Params {
    lhs: vec2<u32>,
    rhs: vec2<u32>,
    bias: vec2<u32>,
    y: vec2<u32>,
    m: u32,
    k: u32,
    n: u32,
    k_per_part: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lhs: array<f32>;
@group(0) @binding(2) var<storage, read> rhs: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> lanes: array<LaneState>;

var<private> lhs_start: u32;
var<private> rhs_start: u32;
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
    lhs_start = lane_start(params.lhs, lane);
    rhs_start = lane_start(params.rhs, lane);
    bias_start = lane_start(params.bias, lane);
    y_start = lane_start(params.y, lane);
    let size = Gemm(params.m, params.k, params.n, params.k_per_part);
    gemm(size, linear_workgroup(workgroup, n_workgroups), thread);
}

fn load_lhs(row: u32, k: u32) -> vec4<f32> {
    var quad = vec4(0.0);
    if (k < params.k) {
        for (var i = 0u; i < 4u; i++) {
            if (row + i < params.m) {
                let plain = (row + i) * params.k + k;
                let transposed = k * params.m + row + i;
                quad[i] = lhs[lhs_start + select(plain, transposed, TRANSPOSE_LHS)];
            }
        }
    }
    return quad;
}

fn load_rhs(k: u32, column: u32) -> vec4<f32> {
    var quad = vec4(0.0);
    if (k < params.k) {
        for (var i = 0u; i < 4u; i++) {
            if (column + i < params.n) {
                let plain = k * params.n + column + i;
                let transposed = (column + i) * params.k + k;
                quad[i] = rhs[rhs_start + select(plain, transposed, TRANSPOSE_RHS)];
            }
        }
    }
    return quad;
}

fn store(part: u32, row: u32, column: u32, quad: vec4<f32>) {
    if (row >= params.m) {
        return;
    }
    for (var i = 0u; i < min(4u, params.n - min(column, params.n)); i++) {
        var value = quad[i];
        if (BIAS) {
            value += bias[bias_start + column + i];
        }
        if (RELU) {
            value = relu(value);
        }
        y[y_start + (part * params.m + row) * params.n + column + i] = value;
    }
}
