// Writes a scalar into its column of the row at the lane's cursor.
// records[cursor, column] = x.
// x: [1], records: [rows, columns], f32.
// Dispatch: one thread.
// Source: own.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    records: vec2<u32>,
    n_rows: u32,
    n_columns: u32,
    column: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> records: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>) {
    let lane = workgroup.z;
    let row = lanes[lane].cursor;
    if (lanes[lane].remaining == 0u || row >= params.n_rows) {
        return;
    }
    let place = lane_start(params.records, lane) + row * params.n_columns + params.column;
    records[place] = x[lane_start(params.x, lane)];
}
