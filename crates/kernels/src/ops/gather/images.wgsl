// Images of a batch out of the data set.
// y[n, i] = values[i mod N_CHANNELS][bytes[example(n), i]], 0 past the end of a sequential pass; values
// holds scale byte + shift as the host rounds it.
// Bytes, in words: [n_examples, example_len], four to a word; of a stream [lanes, batch, example_len], the
// lanes' batches, or [batch, example_len] if all read the same. y: [batch, example_len], f32.
// Dispatch: one workgroup per example.
// Source: own.

#import "index"
#import "sampling"
#import "words"

override SAMPLING: u32;
override WHOLE_BATCH: u32;
override N_CHANNELS: u32;
override IS_STREAMED: bool;

struct Params {
    y: vec2<u32>,
    n_examples: u32,
    n_batch: u32,
    example_len: u32,
    padding_0: u32,
    padding_1: u32,
    padding_2: u32,
    values: array<vec4<f32>, 192>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> lanes: array<LaneState>;
@group(0) @binding(3) var<storage, read> words: array<u32>;
@group(0) @binding(4) var<storage, read> more_words: array<u32>;

const N_THREADS = 256u;

const N_VALUES = 768u;

var<workgroup> shared_values: array<f32, N_VALUES>;
var<workgroup> shared_example: u32;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let n = linear_workgroup(workgroup, n_workgroups);
    if (lanes[lane].remaining == 0u || n >= params.n_batch) {
        return;
    }
    for (var i = thread; i < N_VALUES; i += N_THREADS) {
        shared_values[i] = params.values[i / 4u][i % 4u];
    }
    if (thread == 0u) {
        shared_example =
            example_index(lanes[lane], SAMPLING, params.n_batch, WHOLE_BATCH, n, params.n_examples);
    }
    workgroupBarrier();
    let example = shared_example;
    var place_start = example * params.example_len;
    if (IS_STREAMED) {
        let batch_lane = select(lane, 0u, SAMPLING == SEQUENTIAL);
        place_start = (batch_lane * params.n_batch + n) * params.example_len;
    }
    let y_start = lane_start(params.y, lane) + n * params.example_len;
    for (var i = thread; i < params.example_len; i += N_THREADS) {
        var value = 0.0;
        if (example != NO_EXAMPLE) {
            let place = place_start + i;
            let byte = (word_at(place / 4u) >> (place % 4u * 8u)) & 0xffu;
            value = shared_values[i % N_CHANNELS * 256u + byte];
        }
        y[y_start + i] = value;
    }
}
