// State of a cell at one place: its gates and its value.
// z = gates[n, place] + product[n], f's 1 more; i, f, o = sigmoid(z), g = tanh(z); c = f c_before + i g.
// gates: [batch, places, 4 units], product: [batch, 4 units], before, y: [batch, 5 units], f32.
// Dispatch: one thread per unit of an example.
// Source: Sak, Senior and Beaufays 2014, without peepholes.

#import "index"
#import "lane"
#import "sigmoid"

override HAS_NEIGHBOUR: bool;

struct Params {
    gates: vec2<u32>,
    product: vec2<u32>,
    before: vec2<u32>,
    y: vec2<u32>,
    len: u32,
    n_units: u32,
    n_places: u32,
    place: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gates: array<f32>;
@group(0) @binding(2) var<storage, read> product: array<f32>;
@group(0) @binding(3) var<storage, read> before: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
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
    let units = params.n_units;
    let n = i / units;
    let unit = i % units;
    let gates_start = lane_start(params.gates, lane)
        + (n * params.n_places + params.place) * 4u * units + unit;
    var z = vec4<f32>(
        gates[gates_start],
        gates[gates_start + units],
        gates[gates_start + 2u * units],
        gates[gates_start + 3u * units],
    );
    var c = 0.0;
    if (HAS_NEIGHBOUR) {
        let product_start = lane_start(params.product, lane) + n * 4u * units + unit;
        z += vec4<f32>(
            product[product_start],
            product[product_start + units],
            product[product_start + 2u * units],
            product[product_start + 3u * units],
        );
        c = before[lane_start(params.before, lane) + (n * 5u + 4u) * units + unit];
    }
    let input_gate = sigmoid(z.x);
    let forget = sigmoid(z.y + 1.0);
    let candidate = accurate_tanh(z.z);
    let y_start = lane_start(params.y, lane) + n * 5u * units + unit;
    y[y_start] = input_gate;
    y[y_start + units] = forget;
    y[y_start + 2u * units] = candidate;
    y[y_start + 3u * units] = sigmoid(z.w);
    y[y_start + 4u * units] = forget * c + input_gate * candidate;
}
