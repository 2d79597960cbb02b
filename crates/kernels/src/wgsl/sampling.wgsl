// The order in which a trial sees its data, bit for bit `sampling.rs` and `ops/gather/cpu.rs`.

#import "lane"
#import "random"

// No example: past the end of a sequential pass.
const NO_EXAMPLE = 0xffffffffu;

const N_ROUNDS = 8u;
const MIN_HALF_BITS = 4u;

// Kinds of sampling, as `ops/gather/gpu.rs` numbers them; what is neither is shuffled.
const SEQUENTIAL = 1u;
const DRAWN = 2u;
const PARTS = 3u;

// Index of the batch's n-th example, or NO_EXAMPLE; of parts of a batch, that of the part's n-th.
fn example_index(
    lane: LaneState,
    sampling: u32,
    batch: u32,
    whole_batch: u32,
    n: u32,
    n_examples: u32,
) -> u32 {
    if (sampling == SEQUENTIAL) {
        let index = lane.cursor * batch + n;
        return select(NO_EXAMPLE, index, index < n_examples);
    }
    if (sampling == DRAWN) {
        return drawn_index(lane.key, lane.step, lane.cursor * batch + n, n_examples);
    }
    let in_batch = select(n, lane.cursor * batch + n, sampling == PARTS);
    if (in_batch >= whole_batch) {
        return NO_EXAMPLE;
    }
    let place = lane.offset + in_batch;
    let wraps = place >= n_examples;
    let epoch = lane.epoch + u32(wraps);
    let position = select(place, place - n_examples, wraps);
    return shuffled_index(lane.key, epoch, position, n_examples);
}

// A permutation of 0..n for each key and epoch: a Feistel network walked along its cycle.
fn shuffled_index(key: vec2<u32>, epoch: u32, position: u32, n: u32) -> u32 {
    let n_bits = 32u - countLeadingZeros(n - 1u);
    let half_bits = max((n_bits + 1u) / 2u, MIN_HALF_BITS);
    let mask = (1u << half_bits) - 1u;
    let first = philox4x32(key, vec4(epoch, 0u, PURPOSE_SHUFFLE, 0u));
    let second = philox4x32(key, vec4(epoch, 1u, PURPOSE_SHUFFLE, 0u));
    var round_keys = array<u32, N_ROUNDS>(
        first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w,
    );
    var index = position;
    loop {
        var left = index >> half_bits;
        var right = index & mask;
        for (var round = 0u; round < N_ROUNDS; round++) {
            let next = left ^ (mix_bits(right ^ round_keys[round]) & mask);
            left = right;
            right = next;
        }
        index = (left << half_bits) | right;
        if (index < n) {
            break;
        }
    }
    return index;
}

// One of 0..n, uniform and with replacement.
fn drawn_index(key: vec2<u32>, step: u32, draw: u32, n: u32) -> u32 {
    let bits = philox4x32(key, vec4(draw / 4u, step, PURPOSE_DRAW, 0u));
    return multiply_wide(bits[draw % 4u], n).x;
}

// A 32-bit finaliser with low bias (Wellons 2018, "lowbias32").
fn mix_bits(value: u32) -> u32 {
    var x = value;
    x = (x ^ (x >> 16u)) * 0x7feb352du;
    x = (x ^ (x >> 15u)) * 0x846ca68bu;
    return x ^ (x >> 16u);
}
