// One place of every sequence.
// y[n, c] = x[n, place, c].
// x: [batch, places, columns], y: [batch, columns], f32.
// Dispatch: one thread per element of y.
// Source: own.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    y: vec2<u32>,
    len: u32,
    n_places: u32,
    n_columns: u32,
    place: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
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
    if (lanes[lane].remaining == 0u || i >= params.len) {
        return;
    }
    let row = i / params.n_columns;
    let in_sequence = (row * params.n_places + params.place) * params.n_columns + i % params.n_columns;
    y[lane_start(params.y, lane) + i] = x[lane_start(params.x, lane) + in_sequence];
}
