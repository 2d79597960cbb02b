// Sigmoid cross entropy over label sets, backward.
// grad_logits[r, k] = grad_y[r] (sigmoid(z[r, k]) - (1 - s) [k in sets[r]] - s / 2);
// 0 for an empty set, NaN for a label of K or more.
// logits z, grad_logits: [rows, K], sets: [rows, S], grad_y: [rows], f32.
// Dispatch: one thread per element of grad_logits.
// Source: own.

#import "index"
#import "lane"
#import "numeric"
#import "sigmoid"

struct Params {
    logits: vec2<u32>,
    sets: vec2<u32>,
    grad_y: vec2<u32>,
    grad_logits: vec2<u32>,
    len: u32,
    n_classes: u32,
    set_len: u32,
    smoothed: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> sets: array<f32>;
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
    if (lanes[lane].remaining == 0u || i >= params.len) {
        return;
    }
    let row = i / params.n_classes;
    let own = f32(i % params.n_classes);
    let set_start = lane_start(params.sets, lane) + row * params.set_len;
    let smoothing = select(0.0, lanes[lane].label_smoothing, params.smoothed != 0u);
    var error = sigmoid(logits[lane_start(params.logits, lane) + i]) - 0.5 * smoothing;
    for (var j = 0u; j < params.set_len; j++) {
        let label = sets[set_start + j];
        if (label == own) {
            error -= 1.0 - smoothing;
        }
        if (label >= f32(params.n_classes)) {
            error = nan();
        }
    }
    let grad = grad_y[lane_start(params.grad_y, lane) + row] * error;
    grad_logits[lane_start(params.grad_logits, lane) + i] =
        select(0.0, grad, sets[set_start] >= 0.0);
}
