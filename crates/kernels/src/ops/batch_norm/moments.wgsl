// Mean and biased variance of each channel of each group.
// moments[0, g, c] = mean of x[g, r, c] over rows r, moments[1, g, c] = mean of (x - mean)^2.
// x: [n_groups, group_rows, columns], moments: [2, n_groups, columns], f32; 8 partial sums a column
// (row r goes to r mod 8), added in order.
// Dispatch: one workgroup per group and 32 columns.
// Source: Ioffe and Szegedy 2015.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    moments: vec2<u32>,
    n_groups: u32,
    group_rows: u32,
    n_columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> moments: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;

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
    let count = f32(params.group_rows);
    var partial = 0.0;
    if (is_column) {
        for (var r = thread / TILE_COLUMNS; r < params.group_rows; r += N_PARTIAL_SUMS) {
            partial += x[x_start + r * params.n_columns];
        }
    }
    let mean = sum_of_column(thread, partial) / count;
    partial = 0.0;
    if (is_column) {
        for (var r = thread / TILE_COLUMNS; r < params.group_rows; r += N_PARTIAL_SUMS) {
            let difference = x[x_start + r * params.n_columns] - mean;
            partial += difference * difference;
        }
    }
    let variance = sum_of_column(thread, partial) / count;
    if (thread < TILE_COLUMNS && is_column) {
        let place = lane_start(params.moments, lane) + group * params.n_columns + column;
        moments[place] = mean;
        moments[place + params.n_groups * params.n_columns] = variance;
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
