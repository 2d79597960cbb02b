// Layer norm: what the gradient of the scale sums over rows.
// weighted = grad_y h, h = (x - mean) / sqrt(variance + epsilon) of each row.
// x, grad_y, weighted: [rows, columns].
// f32; 256 partial sums a row (column c goes to c mod 256), then a binary tree.
// Dispatch: one workgroup per row.
// Source: Ba, Kiros and Hinton 2016.

#import "index"
#import "lane"
#import "workgroup_rows"

struct Params {
    x: vec2<u32>,
    grad_y: vec2<u32>,
    weighted: vec2<u32>,
    n_rows: u32,
    n_columns: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> grad_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> weighted: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let row = linear_workgroup(workgroup, n_workgroups);
    if (lanes[lane].remaining == 0u || row >= params.n_rows) {
        return;
    }
    let count = f32(params.n_columns);
    let row_start = row * params.n_columns;
    let x_start = lane_start(params.x, lane) + row_start;
    var partial = 0.0;
    for (var c = thread; c < params.n_columns; c += N_THREADS) {
        partial += x[x_start + c];
    }
    let mean = sum_of_threads(thread, partial) / count;
    partial = 0.0;
    for (var c = thread; c < params.n_columns; c += N_THREADS) {
        let difference = x[x_start + c] - mean;
        partial += difference * difference;
    }
    let reciprocal = 1.0 / sqrt(sum_of_threads(thread, partial) / count + params.epsilon);
    let grad_y_start = lane_start(params.grad_y, lane) + row_start;
    let weighted_start = lane_start(params.weighted, lane) + row_start;
    for (var c = thread; c < params.n_columns; c += N_THREADS) {
        weighted[weighted_start + c] = grad_y[grad_y_start + c] * ((x[x_start + c] - mean) * reciprocal);
    }
}
