// Mean of the losses that have a label.
// y = sum of losses / max(1, number of all_labels >= 0).
// losses: [rows], all_labels: [counted], y: [1], f32; 256 partial sums, then a binary tree.
// Dispatch: one workgroup.
// Source: own.

#import "index"
#import "lane"
#import "workgroup_rows"

struct Params {
    losses: vec2<u32>,
    all_labels: vec2<u32>,
    y: vec2<u32>,
    n_rows: u32,
    n_counted: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(2) var<storage, read> all_labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    if (lanes[lane].remaining == 0u) {
        return;
    }
    let all_start = lane_start(params.all_labels, lane);
    var n_labels = 0.0;
    for (var i = thread; i < params.n_counted; i += N_THREADS) {
        n_labels += select(0.0, 1.0, all_labels[all_start + i] >= 0.0);
    }
    n_labels = sum_of_threads(thread, n_labels);
    let losses_start = lane_start(params.losses, lane);
    var partial = 0.0;
    for (var i = thread; i < params.n_rows; i += N_THREADS) {
        partial += losses[losses_start + i];
    }
    let sum = sum_of_threads(thread, partial);
    if (thread == 0u) {
        y[lane_start(params.y, lane)] = sum / max(n_labels, 1.0);
    }
}
