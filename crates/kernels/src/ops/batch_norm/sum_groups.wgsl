// One of the two sums of the backward pass over all groups: the gradient of scale or offset.
// y[c] = sum over g of sums[WHICH, g, c].
// sums: [2, n_groups, columns], y: [columns], f32.
// Dispatch: one thread per column.
// Source: own.

#import "index"
#import "lane"

override WHICH: u32;

struct Params {
    sums: vec2<u32>,
    y: vec2<u32>,
    len: u32,
    n_groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
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
    let sums_start = lane_start(params.sums, lane) + WHICH * params.n_groups * params.len + i;
    var sum = 0.0;
    for (var group = 0u; group < params.n_groups; group++) {
        sum += sums[sums_start + group * params.len];
    }
    y[lane_start(params.y, lane) + i] = sum;
}
