// Running sum over the iterations of a run.
// y[i] = x[i] in the first iteration, y[i] + x[i] in those after it.
// x, y: any shape, f32.
// Dispatch: one thread per element.
// Source: own.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    y: vec2<u32>,
    len: u32,
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
    let place = lane_start(params.y, lane) + i;
    var sum = x[lane_start(params.x, lane) + i];
    if (lanes[lane].cursor > 0u) {
        sum = y[place] + sum;
    }
    y[place] = sum;
}
