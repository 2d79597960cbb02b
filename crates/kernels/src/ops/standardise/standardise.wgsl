// Mean 0 and variance 1 for each example.
// y[n, i] = (x[n, i] - mean_n) / max(deviation_n, least_deviation).
// x, y: [rows, columns], f32; 256 partial sums a row (element i goes to i mod 256), then a binary
// tree.
// Dispatch: one workgroup per row.
// Source: own.

#import "index"
#import "lane"
#import "workgroup_rows"

struct Params {
    x: vec2<u32>,
    y: vec2<u32>,
    n_rows: u32,
    n_columns: u32,
    least_deviation: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;

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
    let x_start = lane_start(params.x, lane) + row * params.n_columns;
    let y_start = lane_start(params.y, lane) + row * params.n_columns;
    let n_elements = f32(params.n_columns);
    var partial = 0.0;
    for (var i = thread; i < params.n_columns; i += N_THREADS) {
        partial += x[x_start + i];
    }
    let mean = sum_of_threads(thread, partial) / n_elements;
    partial = 0.0;
    for (var i = thread; i < params.n_columns; i += N_THREADS) {
        let difference = x[x_start + i] - mean;
        partial += difference * difference;
    }
    let deviation = sqrt(sum_of_threads(thread, partial) / n_elements);
    // NaN must show: max could drop it.
    let scale = 1.0 / select(deviation, params.least_deviation, deviation < params.least_deviation);
    for (var i = thread; i < params.n_columns; i += N_THREADS) {
        y[y_start + i] = (x[x_start + i] - mean) * scale;
    }
}
