// Softmax cross entropy with label smoothing, backward.
// grad_logits[r, k] = grad_y[r] (exp(z[r, k] - lse_r) - (1 - s) [k = label] - s / K);
// 0 for a negative label, NaN for one of K or more.
// logits z, grad_logits: [rows, K], labels, grad_y: [rows], f32.
// Dispatch: one thread per row.
// Source: Szegedy et al. 2016, sec. 7.

#import "index"
#import "lane"
#import "numeric"
#import "softmax"

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

const N_THREADS = 256u;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let i = linear_workgroup(workgroup, n_workgroups) * N_THREADS + thread;
    if (lanes[lane].remaining == 0u || i >= params.n_rows) {
        return;
    }
    let logits_start = lane_start(params.logits, lane);
    let labels_start = lane_start(params.labels, lane);
    let grad_y_start = lane_start(params.grad_y, lane);
    let grad_logits_start = lane_start(params.grad_logits, lane);
    let label = labels[labels_start + i];
    let z_start = logits_start + i * params.n_classes;
    let smoothing = select(0.0, lanes[lane].label_smoothing, params.smoothed != 0u);
    let even_share = smoothing / f32(params.n_classes);
    let is_class = label >= 0.0 && label < f32(params.n_classes);
    // A row without a class has one value throughout, and needs no sums.
    var lse = 0.0;
    if (is_class) {
        lse = log_sum_exp(z_start, params.n_classes);
    }
    let without_class = select(nan(), 0.0, label < 0.0);
    for (var k = 0u; k < params.n_classes; k++) {
        let target_share = select(0.0, 1.0 - smoothing, f32(k) == label) + even_share;
        let share = exp_or_zero(logits[z_start + k] - lse);
        let grad = grad_y[grad_y_start + i] * (share - target_share);
        let place = grad_logits_start + i * params.n_classes + k;
        grad_logits[place] = select(without_class, grad, is_class);
    }
}
