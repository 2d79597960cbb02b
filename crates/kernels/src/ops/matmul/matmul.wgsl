// Matrix product with any transposes and a fused epilogue.
// y[r, c] = sum_k lhs[r, k] rhs[k, c], + bias[c] if BIAS, then max(., 0) if RELU.
// lhs: [m, k] or [k, m], rhs: [k, n] or [n, k], bias: [n], y: [parts, m, n], f32; sums in f32,
// in the order of k within a part. LHS_QUADS, RHS_QUADS: rows in memory are whole vectors.
// Dispatch: one workgroup per tile of y and part of k (gemm_*.wgsl); any m, k, n >= 1.
// Source: own.

#import "gemm"
#import "index"
#import "lane"
#import "numeric"

override TRANSPOSE_LHS: bool;
override TRANSPOSE_RHS: bool;
override LHS_QUADS: bool;
override RHS_QUADS: bool;
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
@group(0) @binding(1) var<storage, read> lhs: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> rhs: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> lanes: array<LaneState>;

var<private> lhs_start: u32;
var<private> rhs_start: u32;
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
    lhs_start = lane_start(params.lhs, lane);
    rhs_start = lane_start(params.rhs, lane);
    bias_start = lane_start(params.bias, lane);
    y_start = lane_start(params.y, lane);
    let size = Gemm(params.m, params.k, params.n, params.k_per_part);
    gemm(size, linear_workgroup(workgroup, n_workgroups), thread);
}

fn load_lhs(row: u32, k: u32) -> vec4<f32> {
    if (TRANSPOSE_LHS) {
        return lhs_quad(k, row, params.k, params.m);
    }
    return lhs_quad(row, k, params.m, params.k);
}

fn load_rhs(k: u32, column: u32) -> vec4<f32> {
    if (TRANSPOSE_RHS) {
        return rhs_quad(column, k, params.n, params.k);
    }
    return rhs_quad(k, column, params.k, params.n);
}

// Elements (i, j .. j + 4) of lhs as it is stored.
fn lhs_quad(i: u32, j: u32, n_rows: u32, n_columns: u32) -> vec4<f32> {
    let first = lhs_start + i * n_columns + j;
    var quad = vec4(0.0);
    if (LHS_QUADS) {
        if (i < n_rows && j < n_columns) {
            quad = lhs[first / 4u];
        }
        return quad;
    }
    let n_inside = select(0u, n_columns - min(j, n_columns), i < n_rows);
    quad.x = lhs_element(first, n_inside > 0u);
    quad.y = lhs_element(first + 1u, n_inside > 1u);
    quad.z = lhs_element(first + 2u, n_inside > 2u);
    quad.w = lhs_element(first + 3u, n_inside > 3u);
    return quad;
}

fn lhs_element(index: u32, is_inside: bool) -> f32 {
    var element = 0.0;
    if (is_inside) {
        element = lhs[index / 4u][index % 4u];
    }
    return element;
}

// Elements (i, j .. j + 4) of rhs as it is stored.
fn rhs_quad(i: u32, j: u32, n_rows: u32, n_columns: u32) -> vec4<f32> {
    let first = rhs_start + i * n_columns + j;
    var quad = vec4(0.0);
    if (RHS_QUADS) {
        if (i < n_rows && j < n_columns) {
            quad = rhs[first / 4u];
        }
        return quad;
    }
    let n_inside = select(0u, n_columns - min(j, n_columns), i < n_rows);
    quad.x = rhs_element(first, n_inside > 0u);
    quad.y = rhs_element(first + 1u, n_inside > 1u);
    quad.z = rhs_element(first + 2u, n_inside > 2u);
    quad.w = rhs_element(first + 3u, n_inside > 3u);
    return quad;
}

fn rhs_element(index: u32, is_inside: bool) -> f32 {
    var element = 0.0;
    if (is_inside) {
        element = rhs[index / 4u][index % 4u];
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
    if (column >= params.n) {
        return;
    }
    var value = sum;
    if (BIAS) {
        value += bias[bias_start + column];
    }
    if (RELU) {
        value = relu(value);
    }
    y[y_start + (part * params.m + row) * params.n + column] = value;
}
