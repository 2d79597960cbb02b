// Softmax cross entropy with label smoothing, forward.
// y[r] = (1 - s) (lse_r - z[r, label]) + s / K sum_k (lse_r - z[r, k]),
// lse_r = log sum_k exp z[r, k]; 0 for a negative label, NaN for one of K or more.
// logits z: [rows, K], labels, y: [rows], f32; sums in f32 over the threads.
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
    y: vec2<u32>,
    n_rows: u32,
    n_classes: u32,
    smoothed: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

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
    let y_start = lane_start(params.y, lane);
    let label = labels[labels_start + i];
    let z_start = logits_start + i * params.n_classes;
    let lse = log_sum_exp(z_start, params.n_classes, thread);
    var total = 0.0;
    for (var k = first; k < params.n_classes; k += THREADS_PER_ROW) {
        total += lse - logits[z_start + k];
    }
    total = sum_of_threads(thread, total);
    var loss = 0.0;
    if (label >= f32(params.n_classes)) {
        loss = nan();
    } else if (label >= 0.0) {
        let smoothing = select(0.0, lanes[lane].label_smoothing, params.smoothed != 0u);
        let of_label = lse - logits[z_start + u32(label)];
        loss = (1.0 - smoothing) * of_label + smoothing / f32(params.n_classes) * total;
    }
    if (row < params.n_rows && first == 0u) {
        y[y_start + i] = loss;
    }
}
