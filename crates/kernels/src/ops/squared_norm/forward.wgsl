// Sums of squares over blocks of elements.
// y[b] = sum of x[i]^2 over the block_len elements from b block_len on.
// x: [len], y: [blocks], f32; 256 partial sums a block (element i goes to i mod 256), then a binary
// tree: the same order as on the native executor.
// Dispatch: one workgroup per block; any len.
// Source: own.

#import "index"
#import "lane"
#import "workgroup_rows"

struct Params {
    x: vec2<u32>,
    y: vec2<u32>,
    len: u32,
    block_len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let block = linear_workgroup(workgroup, n_workgroups);
    let first = block * params.block_len;
    if (lanes[lane].remaining == 0u || first >= params.len) {
        return;
    }
    let end = min(first + params.block_len, params.len);
    let x_start = lane_start(params.x, lane);
    var partial = 0.0;
    for (var i = first + thread; i < end; i += N_THREADS) {
        let value = x[x_start + i];
        partial += value * value;
    }
    let total = sum_of_threads(thread, partial);
    if (thread == 0u) {
        y[lane_start(params.y, lane) + block] = total;
    }
}
