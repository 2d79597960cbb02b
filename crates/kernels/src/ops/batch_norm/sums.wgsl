// What the backward pass sums over the rows of each group.
// sums[0, g, c] = sum of grad_y[g, r, c] over rows r, sums[1, g, c] = sum of grad_y h,
// h = (x - mean) / sqrt(variance + epsilon).
// x, grad_y: [n_groups, group_rows, columns], moments, sums: [2, n_groups, columns], f32; 8 partial
// sums a column (row r goes to r mod 8), added in order.
// Dispatch: one workgroup per group and 32 columns.
// Source: Ioffe and Szegedy 2015.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    moments: vec2<u32>,
    grad_y: vec2<u32>,
    sums: vec2<u32>,
    n_groups: u32,
    group_rows: u32,
    n_columns: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> moments: array<f32>;
@group(0) @binding(3) var<storage, read> grad_y: array<f32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<storage, read> lanes: array<LaneState>;

const TILE_COLUMNS = 32u;
const N_PARTIAL_SUMS = 8u;

var<workgroup> shared_partial: array<f32, TILE_COLUMNS * N_PARTIAL_SUMS>;

@compute @workgroup_size(TILE_COLUMNS * N_PARTIAL_SUMS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let n_tiles = (params.n_columns + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let tile = linear_workgroup(workgroup, n_workgroups);
    let group = tile / n_tiles;
    if (lanes[lane].remaining == 0u || group >= params.n_groups) {
        return;
    }
    let column = tile % n_tiles * TILE_COLUMNS + thread % TILE_COLUMNS;
    let is_column = column < params.n_columns;
    let first = group * params.group_rows * params.n_columns + column;
    let x_start = lane_start(params.x, lane) + first;
    let grad_y_start = lane_start(params.grad_y, lane) + first;
    let place = group * params.n_columns + column;
    let n_moments = params.n_groups * params.n_columns;
    var plain = 0.0;
    var weighted = 0.0;
    if (is_column) {
        let moments_start = lane_start(params.moments, lane) + place;
        let mean = moments[moments_start];
        let reciprocal = 1.0 / sqrt(moments[moments_start + n_moments] + params.epsilon);
        for (var r = thread / TILE_COLUMNS; r < params.group_rows; r += N_PARTIAL_SUMS) {
            let grad = grad_y[grad_y_start + r * params.n_columns];
            plain += grad;
            weighted += grad * ((x[x_start + r * params.n_columns] - mean) * reciprocal);
        }
    }
    plain = sum_of_column(thread, plain);
    weighted = sum_of_column(thread, weighted);
    if (thread < TILE_COLUMNS && is_column) {
        let sums_start = lane_start(params.sums, lane) + place;
        sums[sums_start] = plain;
        sums[sums_start + n_moments] = weighted;
    }
}

// Sum of a column over the threads that have it, the same in each of them.
fn sum_of_column(thread: u32, partial: f32) -> f32 {
    workgroupBarrier();
    shared_partial[thread] = partial;
    workgroupBarrier();
    var sum = shared_partial[thread % TILE_COLUMNS];
    for (var i = 1u; i < N_PARTIAL_SUMS; i++) {
        sum += shared_partial[i * TILE_COLUMNS + thread % TILE_COLUMNS];
    }
    return sum;
}
