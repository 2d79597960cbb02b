// Normalisation by the moments of groups.
// y = scale (x - mean) / sqrt(variance + epsilon) + offset.
// x, y: [n_groups, group_rows, columns], moments: [2, n_groups, columns], scale, offset: [columns], f32.
// Dispatch: one thread per element.
// Source: Ioffe and Szegedy 2015.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    moments: vec2<u32>,
    scale: vec2<u32>,
    offset: vec2<u32>,
    y: vec2<u32>,
    len: u32,
    n_groups: u32,
    group_rows: u32,
    n_columns: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> moments: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> offset: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read> lanes: array<LaneState>;

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
    let column = i % params.n_columns;
    let group = i / params.n_columns / params.group_rows;
    let moments_start = lane_start(params.moments, lane) + group * params.n_columns + column;
    let mean = moments[moments_start];
    let variance = moments[moments_start + params.n_groups * params.n_columns];
    let reciprocal = 1.0 / sqrt(variance + params.epsilon);
    let normalised = (x[lane_start(params.x, lane) + i] - mean) * reciprocal;
    let scaled = scale[lane_start(params.scale, lane) + column] * normalised;
    y[lane_start(params.y, lane) + i] = scaled + offset[lane_start(params.offset, lane) + column];
}
