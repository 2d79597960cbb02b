// Sums over blocks of rows: the gradient of a bias, and the parts of a product put together.
// y[b, c] = sum of x[r, c] over the block_rows rows from b block_rows on.
// x: [rows, columns], y: [blocks, columns], f32; 8 partial sums a block (row r goes to r mod 8),
// added in order.
// Dispatch: one workgroup per block and 32 columns.
// Source: own.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    y: vec2<u32>,
    n_rows: u32,
    n_columns: u32,
    block_rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
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
    if (lanes[lane].remaining == 0u) {
        return;
    }
    let n_tiles = (params.n_columns + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let tile = linear_workgroup(workgroup, n_workgroups);
    let first_row = tile / n_tiles * params.block_rows;
    let end_row = min(first_row + params.block_rows, params.n_rows);
    let column = tile % n_tiles * TILE_COLUMNS + thread % TILE_COLUMNS;
    var partial = 0.0;
    if (column < params.n_columns) {
        let x_start = lane_start(params.x, lane) + column;
        for (var r = first_row + thread / TILE_COLUMNS; r < end_row; r += N_PARTIAL_SUMS) {
            partial += x[x_start + r * params.n_columns];
        }
    }
    shared_partial[thread] = partial;
    workgroupBarrier();
    if (thread < TILE_COLUMNS && column < params.n_columns && first_row < params.n_rows) {
        var sum = shared_partial[thread];
        for (var i = 1u; i < N_PARTIAL_SUMS; i++) {
            sum += shared_partial[i * TILE_COLUMNS + thread];
        }
        y[lane_start(params.y, lane) + tile / n_tiles * params.n_columns + column] = sum;
    }
}
