// Sigmoid cross entropy over label sets, forward.
// y[r] = sum_k (log(1 + exp z[r, k]) - s / 2 z[r, k]) - (1 - s) sum_j z[r, sets[r, j]];
// 0 for an empty set, NaN for a label of K or more.
// logits z: [rows, K], sets: [rows, S], y: [rows], f32; sums in f32 over the threads.
// Dispatch: one workgroup per row.
// Source: own.

#import "index"
#import "lane"
#import "numeric"
#import "workgroup_rows"

struct Params {
    logits: vec2<u32>,
    sets: vec2<u32>,
    y: vec2<u32>,
    n_rows: u32,
    n_classes: u32,
    set_len: u32,
    smoothed: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> sets: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

// log(1 + exp z). The logarithm near 1 may be off by 2^-21 (WGSL), so a small argument takes its series, whose
// rest is below 3e-7 of it.
fn softplus(z: f32) -> f32 {
    let u = exp(-abs(z));
    return relu(z) + select(log(1.0 + u), u * (1.0 - u * (0.5 - u / 3.0)), u < 0.01);
}

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let row = linear_workgroup(workgroup, n_workgroups);
    if (lanes[lane].remaining == 0u || row >= params.n_rows) {
        return;
    }
    let z_start = lane_start(params.logits, lane) + row * params.n_classes;
    let set_start = lane_start(params.sets, lane) + row * params.set_len;
    let smoothing = select(0.0, lanes[lane].label_smoothing, params.smoothed != 0u);
    var partial = 0.0;
    for (var k = thread; k < params.n_classes; k += N_THREADS) {
        let z = logits[z_start + k];
        partial += softplus(z) - 0.5 * smoothing * z;
    }
    for (var j = thread; j < params.set_len; j += N_THREADS) {
        let label = sets[set_start + j];
        if (label >= f32(params.n_classes)) {
            partial = nan();
        } else if (label >= 0.0) {
            partial -= (1.0 - smoothing) * logits[z_start + u32(label)];
        }
    }
    let loss = sum_of_threads(thread, partial);
    if (thread == 0u) {
        y[lane_start(params.y, lane) + row] = select(0.0, loss, sets[set_start] >= 0.0);
    }
}
