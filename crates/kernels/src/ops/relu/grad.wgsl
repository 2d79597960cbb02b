// Rectified linear unit, backward, from the output.
// grad_x[i] = grad_y[i] if y[i] > 0, else 0.
// y, grad_y, grad_x: any shape, f32.
// Dispatch: one thread per element.
// Source: Nair and Hinton 2010.

#import "index"
#import "lane"
#import "numeric"

struct Params {
    y: vec2<u32>,
    grad_y: vec2<u32>,
    grad_x: vec2<u32>,
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
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
    let y_start = lane_start(params.y, lane);
    let grad_y_start = lane_start(params.grad_y, lane);
    let grad_x_start = lane_start(params.grad_x, lane);
    let value = y[y_start + i];
    let passes = value > 0.0 && !is_nan(value);
    grad_x[grad_x_start + i] = select(0.0, grad_y[grad_y_start + i], passes);
}
