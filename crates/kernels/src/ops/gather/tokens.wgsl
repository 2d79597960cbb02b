// Tokens of a batch out of the device-resident data set.
// y[n, t] = tokens[example(n), first + t]; -1 for padding (65535) and past the end of a sequential
// pass.
// Tokens, in words: [n_examples, example_len] of 16 bits, two to a word; y: [batch, length], f32.
// Dispatch: one thread per element of y.
// Source: own.

#import "index"
#import "sampling"
#import "words"

override SAMPLING: u32;
override WHOLE_BATCH: u32;

struct Params {
    y: vec2<u32>,
    len: u32,
    n_examples: u32,
    n_batch: u32,
    example_len: u32,
    first: u32,
    length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> lanes: array<LaneState>;
@group(0) @binding(3) var<storage, read> words: array<u32>;
@group(0) @binding(4) var<storage, read> more_words: array<u32>;

const N_THREADS = 256u;
const PADDING = 0xffffu;

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
    let n = i / params.length;
    let example = example_index(lanes[lane], SAMPLING, params.n_batch, WHOLE_BATCH, n, params.n_examples);
    var value = -1.0;
    if (example != NO_EXAMPLE) {
        let place = example * params.example_len + params.first + i % params.length;
        let token = (word_at(place / 2u) >> (place % 2u * 16u)) & 0xffffu;
        if (token != PADDING) {
            value = f32(token);
        }
    }
    y[lane_start(params.y, lane) + i] = value;
}
