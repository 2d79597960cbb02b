// Running moments.
// running[m, c] <- decay running[m, c] + (1 - decay) mean over g of moments[m, g, c], which may be sums
// over the parts of a batch: n_averaged is the number of groups in all parts.
// moments: [2, n_groups, columns], running: [2, columns], f32.
// Dispatch: one thread per element of running.
// Source: Ioffe and Szegedy 2015.

#import "index"
#import "lane"

struct Params {
    moments: vec2<u32>,
    running: vec2<u32>,
    len: u32,
    n_groups: u32,
    n_averaged: u32,
    n_columns: u32,
    decay: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> moments: array<f32>;
@group(0) @binding(2) var<storage, read_write> running: array<f32>;
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
    let n_moments = params.n_groups * params.n_columns;
    let moments_start = lane_start(params.moments, lane)
        + i / params.n_columns * n_moments + i % params.n_columns;
    var sum = 0.0;
    for (var group = 0u; group < params.n_groups; group++) {
        sum += moments[moments_start + group * params.n_columns];
    }
    let place = lane_start(params.running, lane) + i;
    let mean = sum / f32(params.n_averaged);
    running[place] = params.decay * running[place] + (1.0 - params.decay) * mean;
}
