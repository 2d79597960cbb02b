// Whether the largest logit is not the label's.
// y[r] = 0 if the first largest of logits[r, ..] is at labels[r], else 1; a NaN logit makes an
// error; 0 for a negative label.
// logits: [rows, K], labels, y: [rows], f32.
// Dispatch: THREADS_PER_ROW threads per row.
// Source: own.

#import "index"
#import "lane"
#import "numeric"
#import "row_threads"

override THREADS_PER_ROW: u32;

const N_THREADS = 256u;

struct Params {
    logits: vec2<u32>,
    labels: vec2<u32>,
    y: vec2<u32>,
    n_rows: u32,
    n_classes: u32,
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
    let z_start = logits_start + i * params.n_classes;
    var best = first;
    var has_nan = false;
    for (var k = first; k < params.n_classes; k += THREADS_PER_ROW) {
        has_nan = has_nan || is_nan(logits[z_start + k]);
        if (logits[z_start + k] > logits[z_start + best]) {
            best = k;
        }
    }
    // Of the threads that have the largest, the one with the first class: classes are exact in f32.
    let largest = max_of_threads(thread, logits[z_start + best]);
    let is_largest = logits[z_start + best] == largest;
    let first_best = -max_of_threads(thread, select(-f32(params.n_classes), -f32(best), is_largest));
    let nan_count = sum_of_threads(thread, select(0.0, 1.0, has_nan));
    let label = labels[labels_start + i];
    let is_error = label >= 0.0 && (nan_count > 0.0 || first_best != label);
    if (row < params.n_rows && first == 0u) {
        y[y_start + i] = select(0.0, 1.0, is_error);
    }
}
