// Gradient of a normalisation by the moments of groups.
// grad_x = scale r (grad_y - sums[0] / k - h sums[1] / k), r = 1 / sqrt(variance + epsilon),
// h = (x - mean) r, k rows a group.
// x, grad_y, grad_x: [n_groups, group_rows, columns], moments, sums: [2, n_groups, columns],
// scale: [columns], f32.
// Dispatch: one thread per element.
// Source: Ioffe and Szegedy 2015.

#import "index"
#import "lane"

struct Params {
    x: vec2<u32>,
    moments: vec2<u32>,
    scale: vec2<u32>,
    grad_y: vec2<u32>,
    sums: vec2<u32>,
    grad_x: vec2<u32>,
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
@group(0) @binding(4) var<storage, read> grad_y: array<f32>;
@group(0) @binding(5) var<storage, read> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> grad_x: array<f32>;
@group(0) @binding(7) var<storage, read> lanes: array<LaneState>;

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
    let place = i / params.n_columns / params.group_rows * params.n_columns + column;
    let n_moments = params.n_groups * params.n_columns;
    let moments_start = lane_start(params.moments, lane) + place;
    let sums_start = lane_start(params.sums, lane) + place;
    let count = f32(params.group_rows);
    let reciprocal = 1.0 / sqrt(moments[moments_start + n_moments] + params.epsilon);
    let h = (x[lane_start(params.x, lane) + i] - moments[moments_start]) * reciprocal;
    let plain = sums[sums_start] / count;
    let weighted = sums[sums_start + n_moments] / count;
    let centred = grad_y[lane_start(params.grad_y, lane) + i] - plain - h * weighted;
    let factor = scale[lane_start(params.scale, lane) + column] * reciprocal;
    grad_x[lane_start(params.grad_x, lane) + i] = factor * centred;
}
