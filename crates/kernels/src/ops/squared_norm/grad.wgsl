// Sum of squares, backward.
// grad_x[i] = 2 grad_y x[i].
// x, grad_x: [len], grad_y: [1], f32.
// Dispatch: one thread per element.
// Source: own.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    grad_y: vec2<u32>,
    grad_x: vec2<u32>,
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> grad_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<f32>;
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
    let scale = 2.0 * grad_y[lane_start(params.grad_y, lane)];
    grad_x[lane_start(params.grad_x, lane) + i] = scale * x[lane_start(params.x, lane) + i];
}
