// Smooth activations, backward.
// grad_x[i] = grad_y[i] f'(x[i]), f being GELU, tanh or the logistic function.
// x, grad_y, grad_x: any shape, f32.
// Dispatch: one thread per element.
// Source: Hendrycks and Gimpel 2016 (GELU).

#import "index"
#import "lane"
#import "activation"

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
    let slope = activation_derivative(x[lane_start(params.x, lane) + i]);
    grad_x[lane_start(params.grad_x, lane) + i] = grad_y[lane_start(params.grad_y, lane) + i] * slope;
}
