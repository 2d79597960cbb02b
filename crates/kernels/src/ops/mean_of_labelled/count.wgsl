// Number of labels that are not negative.
// labels: [rows], y: [1], f32.
// Dispatch: one workgroup.
// Source: own.

#import "index"
#import "lane"
#import "workgroup_rows"

struct Params {
    labels: vec2<u32>,
    y: vec2<u32>,
    n_rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    if (lanes[lane].remaining == 0u) {
        return;
    }
    let labels_start = lane_start(params.labels, lane);
    var n_labels = 0.0;
    for (var i = thread; i < params.n_rows; i += N_THREADS) {
        n_labels += select(0.0, 1.0, labels[labels_start + i] >= 0.0);
    }
    n_labels = sum_of_threads(thread, n_labels);
    if (thread == 0u) {
        y[lane_start(params.y, lane)] = n_labels;
    }
}
