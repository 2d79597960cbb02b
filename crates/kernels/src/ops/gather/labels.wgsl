// Labels of a batch out of the device-resident data set.
// y[n] = labels[example(n)], -1 past the end of a sequential pass.
// y: [batch], f32; labels: u32.
// Dispatch: one thread per example.
// Source: own.

#import "index"
#import "sampling"

override SAMPLING: u32;
override WHOLE_BATCH: u32;

struct Params {
    y: vec2<u32>,
    n_batch: u32,
    n_examples: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> lanes: array<LaneState>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;

const N_THREADS = 256u;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let i = linear_workgroup(workgroup, n_workgroups) * N_THREADS + thread;
    if (lanes[lane].remaining == 0u || i >= params.n_batch) {
        return;
    }
    let y_start = lane_start(params.y, lane);
    let example = example_index(lanes[lane], SAMPLING, params.n_batch, WHOLE_BATCH, i, params.n_examples);
    if (example == NO_EXAMPLE) {
        y[y_start + i] = -1.0;
    } else {
        y[y_start + i] = f32(labels[example]);
    }
}
