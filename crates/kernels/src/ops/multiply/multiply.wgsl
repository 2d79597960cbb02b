// Elementwise product.
// y[i] = lhs[i] rhs[i].
// lhs, rhs, y: any shape, f32.
// Dispatch: one thread per element.
// Source: own.

#import "index"
#import "lane"

struct Params {
    lhs: vec2<u32>,
    rhs: vec2<u32>,
    y: vec2<u32>,
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lhs: array<f32>;
@group(0) @binding(2) var<storage, read> rhs: array<f32>;
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
    let product = lhs[lane_start(params.lhs, lane) + i] * rhs[lane_start(params.rhs, lane) + i];
    y[lane_start(params.y, lane) + i] = product;
}
