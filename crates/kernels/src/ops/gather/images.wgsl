// Images of a batch out of the device-resident data set.
// y[n, i] = values[bytes[example(n), i]], 0 past the end of a sequential pass; values holds
// scale byte + shift as the host rounds it.
// bytes: [n_examples, example_len], four to a word, y: [batch, example_len], f32.
// Dispatch: one workgroup per example.
// Source: own.

#import "index"
#import "sampling"

override SAMPLING: u32;

struct Params {
    y: vec2<u32>,
    n_examples: u32,
    n_batch: u32,
    example_len: u32,
    padding_0: u32,
    padding_1: u32,
    padding_2: u32,
    values: array<vec4<f32>, 64>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> lanes: array<LaneState>;
@group(0) @binding(3) var<storage, read> bytes: array<u32>;

const N_THREADS = 256u;

var<workgroup> shared_values: array<f32, N_THREADS>;
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
    shared_values[thread] = params.values[thread / 4u][thread % 4u];
    if (thread == 0u) {
        shared_example =
            example_index(lanes[lane], SAMPLING, params.n_batch, n, params.n_examples);
    }
    workgroupBarrier();
    let example = shared_example;
    let y_start = lane_start(params.y, lane) + n * params.example_len;
    for (var i = thread; i < params.example_len; i += N_THREADS) {
        var value = 0.0;
        if (example != NO_EXAMPLE) {
            let place = example * params.example_len + i;
            value = shared_values[(bytes[place / 4u] >> (place % 4u * 8u)) & 0xffu];
        }
        y[y_start + i] = value;
    }
}
