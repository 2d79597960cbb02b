// Gradient of the mean of the losses that have a label.
// grad_losses[n] = grad_y / max(1, number of all_labels >= 0) if labels[n] >= 0, else 0.
// labels, grad_losses: [rows], all_labels: [counted], grad_y: [1], f32.
// Dispatch: one workgroup.
// Source: own.

#import "index"
#import "lane"
#import "workgroup_rows"

struct Params {
    labels: vec2<u32>,
    all_labels: vec2<u32>,
    grad_y: vec2<u32>,
    grad_losses: vec2<u32>,
    n_rows: u32,
    n_counted: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read> all_labels: array<f32>;
@group(0) @binding(3) var<storage, read> grad_y: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_losses: array<f32>;
@group(0) @binding(5) var<storage, read> lanes: array<LaneState>;

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
    let share = grad_y[lane_start(params.grad_y, lane)] / max(n_labels, 1.0);
    let labels_start = lane_start(params.labels, lane);
    let grad_start = lane_start(params.grad_losses, lane);
    for (var i = thread; i < params.n_rows; i += N_THREADS) {
        grad_losses[grad_start + i] = select(0.0, share, labels[labels_start + i] >= 0.0);
    }
}
