// Rows of a table by token.
// y[r, c] = scale table[tokens[r], c]; 0 for a negative token, NaN for one beyond the table.
// table: [vocabulary, columns], tokens: [rows], y: [rows, columns], f32.
// Dispatch: one thread per element of y.
// Source: own.

#import "index"
#import "lane"
#import "numeric"

struct Params {
    table: vec2<u32>,
    tokens: vec2<u32>,
    y: vec2<u32>,
    len: u32,
    vocabulary: u32,
    n_columns: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read> tokens: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

const N_THREADS = 256u;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let i = linear_workgroup(workgroup, n_workgroups) * N_THREADS + thread;
    if (lanes[lane].remaining == 0u || i >= params.len) {
        return;
    }
    let token = tokens[lane_start(params.tokens, lane) + i / params.n_columns];
    var value = 0.0;
    if (token >= f32(params.vocabulary)) {
        value = nan();
    } else if (token >= 0.0) {
        let place = u32(token) * params.n_columns + i % params.n_columns;
        value = params.scale * table[lane_start(params.table, lane) + place];
    }
    y[lane_start(params.y, lane) + i] = value;
}
