// Softmax cross entropy with label smoothing, backward.
// grad_logits[r, k] = grad_y[r] (exp(z[r, k] - lse_r) - (1 - s) [k = label] - s / K);
// 0 for a negative label, NaN for one of K or more.
// logits z, grad_logits: [rows, K], labels, grad_y: [rows], f32.
// Dispatch: THREADS_PER_ROW threads per row.
// Source: Szegedy et al. 2016, sec. 7.

#import "index"
#import "lane"
#import "numeric"
#import "softmax"

override THREADS_PER_ROW: u32;

const N_THREADS = 256u;

struct Params {
    logits: vec2<u32>,
    labels: vec2<u32>,
    grad_y: vec2<u32>,
    grad_logits: vec2<u32>,
    n_rows: u32,
    n_classes: u32,
    smoothed: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<f32>;
@group(0) @binding(3) var<storage, read> grad_y: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_logits: array<f32>;
@group(0) @binding(5) var<storage, read> lanes: array<LaneState>;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let row = row_of_thread(linear_workgroup(workgroup, n_workgroups), thread);
    if (lanes[lane].remaining == 0u) {
        return;
    }
    // Threads beyond the last row go along, since all have to meet, and write nothing.
    let i = min(row, params.n_rows - 1u);
    let first = thread % THREADS_PER_ROW;
    let logits_start = lane_start(params.logits, lane);
    let labels_start = lane_start(params.labels, lane);
    let grad_y_start = lane_start(params.grad_y, lane);
    let grad_logits_start = lane_start(params.grad_logits, lane);
    let label = labels[labels_start + i];
    let z_start = logits_start + i * params.n_classes;
    let smoothing = select(0.0, lanes[lane].label_smoothing, params.smoothed != 0u);
    let even_share = smoothing / f32(params.n_classes);
    let is_class = label >= 0.0 && label < f32(params.n_classes);
    let lse = log_sum_exp(z_start, params.n_classes, thread);
    // A row without a class has one value throughout.
    let without_class = select(nan(), 0.0, label < 0.0);
    if (row >= params.n_rows) {
        return;
    }
    for (var k = first; k < params.n_classes; k += THREADS_PER_ROW) {
        let target_share = select(0.0, 1.0 - smoothing, f32(k) == label) + even_share;
        let share = exp_or_zero(logits[z_start + k] - lse);
        let grad = grad_y[grad_y_start + i] * (share - target_share);
        let place = grad_logits_start + i * params.n_classes + k;
        grad_logits[place] = select(without_class, grad, is_class);
    }
}
