// Number of logits in each bin: first of those of labels, then of all.
// y[0, b] = #{r, j: bin(z[r, sets[r, j]]) = b}, y[1, b] = #{r, k: bin(z[r, k]) = b}, of rows with a
// label; bin(z) = floor(32 (z + 16)) cut to 0..1024, 0 for a NaN.
// logits z: [rows, K], sets: [rows, S], y: [2, 1024], f32; whole numbers are counted, so in no order.
// Dispatch: one workgroup.
// Source: own.

#import "index"
#import "lane"
#import "numeric"

struct Params {
    logits: vec2<u32>,
    sets: vec2<u32>,
    y: vec2<u32>,
    n_rows: u32,
    n_classes: u32,
    set_len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> sets: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

const N_THREADS = 256u;
const N_BINS = 1024u;

var<workgroup> counts: array<atomic<u32>, 2048>;

fn bin(z: f32) -> u32 {
    let place = clamp(32.0 * (z + 16.0), 0.0, f32(N_BINS - 1u));
    return select(u32(place), 0u, is_nan(z));
}

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    if (lanes[lane].remaining == 0u) {
        return;
    }
    for (var i = thread; i < 2u * N_BINS; i += N_THREADS) {
        atomicStore(&counts[i], 0u);
    }
    workgroupBarrier();
    let z_start = lane_start(params.logits, lane);
    let sets_start = lane_start(params.sets, lane);
    for (var i = thread; i < params.n_rows * params.n_classes; i += N_THREADS) {
        if (sets[sets_start + i / params.n_classes * params.set_len] >= 0.0) {
            atomicAdd(&counts[N_BINS + bin(logits[z_start + i])], 1u);
        }
    }
    for (var i = thread; i < params.n_rows * params.set_len; i += N_THREADS) {
        let label = sets[sets_start + i];
        if (label >= 0.0 && label < f32(params.n_classes)) {
            let row = i / params.set_len;
            let z = logits[z_start + row * params.n_classes + u32(label)];
            atomicAdd(&counts[bin(z)], 1u);
        }
    }
    workgroupBarrier();
    let y_start = lane_start(params.y, lane);
    for (var i = thread; i < 2u * N_BINS; i += N_THREADS) {
        y[y_start + i] = f32(atomicLoad(&counts[i]));
    }
}
