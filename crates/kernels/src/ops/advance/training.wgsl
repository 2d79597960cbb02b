// Moves a lane on after an update; ends it if the loss or a weight is no longer finite.
// `Advance::apply` word for word.
// loss: [1], f32.
// Dispatch: one thread.
// Source: own.

#import "index"
#import "lane"
#import "numeric"

struct Params {
    loss: vec2<u32>,
    n_batch: u32,
    n_examples: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> loss: array<f32>;
@group(0) @binding(2) var<storage, read_write> lanes: array<LaneState>;
@group(0) @binding(3) var<storage, read_write> faults: array<atomic<u32>>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>) {
    let lane = workgroup.z;
    var state = lanes[lane];
    if (state.remaining == 0u) {
        return;
    }
    state.remaining -= 1u;
    state.cursor += 1u;
    state.step += 1u;
    state.beta1_power *= state.momentum;
    state.beta2_power *= state.beta2;
    state.offset += params.n_batch;
    if (state.offset >= params.n_examples && params.n_examples > 0u) {
        state.offset -= params.n_examples;
        state.epoch += 1u;
    }
    let is_faulty = atomicExchange(&faults[lane], 0u) != 0u;
    if (is_faulty || !is_finite(loss[lane_start(params.loss, lane)])) {
        state.diverged_at = state.step;
        state.remaining = 0u;
    }
    lanes[lane] = state;
}
