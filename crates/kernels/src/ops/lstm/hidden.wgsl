// Hidden values of a cell.
// y = o tanh(c).
// state: [batch, 5 units], y: [batch, units], f32.
// Dispatch: one thread per unit of an example.
// Source: Sak, Senior and Beaufays 2014, without peepholes.

#import "index"
#import "lane"
#import "sigmoid"

struct Params {
    state: vec2<u32>,
    y: vec2<u32>,
    len: u32,
    n_units: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;

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
    let units = params.n_units;
    let n = i / units;
    let unit = i % units;
    let start = lane_start(params.state, lane) + n * 5u * units + unit;
    y[lane_start(params.y, lane) + i] = state[start + 3u * units] * accurate_tanh(state[start + 4u * units]);
}
