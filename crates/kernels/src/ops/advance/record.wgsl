// Writes a value into its columns of the row at the lane's cursor.
// records[cursor, column + i] = x[i].
// x: [len], records: [rows, columns], f32.
// Dispatch: one thread per element of x.
// Source: own.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    records: vec2<u32>,
    len: u32,
    n_rows: u32,
    n_columns: u32,
    column: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> records: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;

const N_THREADS = 256u;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let i = linear_workgroup(workgroup, n_workgroups) * N_THREADS + thread;
    let row = lanes[lane].cursor;
    if (lanes[lane].remaining == 0u || row >= params.n_rows || i >= params.len) {
        return;
    }
    let place = lane_start(params.records, lane) + row * params.n_columns + params.column + i;
    records[place] = x[lane_start(params.x, lane) + i];
}
