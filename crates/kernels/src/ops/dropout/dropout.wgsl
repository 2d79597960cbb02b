// Dropout, forward and backward.
// y[i] = 0 if the i-th random bits are below threshold, else scale x[i]; the bits are
// philox(key, [i / 4 + cursor iteration_stride, step, dropout, stream])[i mod 4], the same as on the
// native executor.
// x, y: any shape, f32.
// Dispatch: one thread per four elements, which share one Philox block.
// Source: Srivastava et al. 2014.

#import "index"
#import "lane"
#import "random"

struct Params {
    x: vec2<u32>,
    y: vec2<u32>,
    n_quads: u32,
    len: u32,
    threshold: u32,
    scale: f32,
    stream: u32,
    iteration_stride: u32,
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
    if (lanes[lane].remaining == 0u || i >= params.n_quads) {
        return;
    }
    let x_start = lane_start(params.x, lane);
    let y_start = lane_start(params.y, lane);
    let block = i + lanes[lane].cursor * params.iteration_stride;
    let counter = vec4(block, lanes[lane].step, PURPOSE_DROPOUT, params.stream);
    let bits = philox4x32(lanes[lane].key, counter);
    for (var j = 0u; j < min(4u, params.len - 4u * i); j++) {
        let element = 4u * i + j;
        let stays = bits[j] >= params.threshold;
        y[y_start + element] = select(0.0, params.scale * x[x_start + element], stays);
    }
}
