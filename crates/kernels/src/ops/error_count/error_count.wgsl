// Whether the largest logit is not the label's.
// y[r] = 0 if the first largest of logits[r, ..] is at labels[r], else 1; a NaN logit makes an
// error; 0 for a negative label.
// logits: [rows, K], labels, y: [rows], f32.
// Dispatch: one thread per row.
// Source: own.

#import "index"
#import "lane"
#import "numeric"

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
    let y_start = lane_start(params.y, lane);
    let z_start = logits_start + i * params.n_classes;
    var best = 0u;
    var has_nan = false;
    for (var k = 0u; k < params.n_classes; k++) {
        has_nan = has_nan || is_nan(logits[z_start + k]);
        if (logits[z_start + k] > logits[z_start + best]) {
            best = k;
        }
    }
    let label = labels[labels_start + i];
    let is_error = label >= 0.0 && (has_nan || f32(best) != label);
    y[y_start + i] = select(0.0, 1.0, is_error);
}
