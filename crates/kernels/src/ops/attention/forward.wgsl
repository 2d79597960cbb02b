// Causal attention, forward, with a running maximum and sum over tiles of 64 keys.
// y[i] = sum_{j <= i} softmax_j(scale q[i] . k[j]) v[j].
// qkv: [N, T, 3, H, COLUMNS], y: [N, T, H, COLUMNS], f32.
// Dispatch: one workgroup per sequence, head and place.
// Source: Vaswani et al. 2017; Milakov and Gimelshein 2018; Dao et al. 2022.

#import "index"
#import "lane"
#import "attention"

struct Params {
    qkv: vec2<u32>,
    y: vec2<u32>,
    n_sequences: u32,
    n_places: u32,
    n_heads: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> lanes: array<LaneState>;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let index = linear_workgroup(workgroup, n_workgroups);
    let n_places = params.n_places;
    let n_heads = params.n_heads;
    let unit = unit_of(index, n_places, n_heads);
    if (lanes[lane].remaining == 0u || unit.x >= params.n_sequences) {
        return;
    }
    let qkv_start = lane_start(params.qkv, lane);
    let query = qkv_start + qkv_place(unit, unit.z, 0u, n_places, n_heads);
    var sums: array<f32, MAX_COLUMNS_PER_THREAD>;
    var largest = -3.0e38;
    var total = 0.0;
    for (var first = 0u; first <= unit.z; first += N_THREADS) {
        let place = first + thread;
        var score = -3.0e38;
        if (place <= unit.z) {
            let key = qkv_start + qkv_place(unit, place, 1u, n_places, n_heads);
            var product = 0.0;
            for (var c = 0u; c < COLUMNS; c++) {
                product += qkv[query + c] * qkv[key + c];
            }
            score = params.scale * product;
        }
        let next_largest = max(largest, max_of_threads(thread, score));
        let shrink = exp(largest - next_largest);
        largest = next_largest;
        let weight = select(0.0, exp(score - largest), place <= unit.z);
        total = total * shrink + sum_of_threads(thread, weight);
        workgroupBarrier();
        shared_values[thread] = weight;
        workgroupBarrier();
        let n_keys = min(N_THREADS, unit.z + 1u - first);
        for (var part = 0u; part < MAX_COLUMNS_PER_THREAD; part++) {
            let column = part * N_THREADS + thread;
            if (column < COLUMNS) {
                var sum = sums[part] * shrink;
                for (var j = 0u; j < n_keys; j++) {
                    let value = qkv_start + qkv_place(unit, first + j, 2u, n_places, n_heads);
                    sum += shared_values[j] * qkv[value + column];
                }
                sums[part] = sum;
            }
        }
    }
    let y_start = lane_start(params.y, lane) + y_place(unit, unit.z, n_places, n_heads);
    for (var part = 0u; part < MAX_COLUMNS_PER_THREAD; part++) {
        let column = part * N_THREADS + thread;
        if (column < COLUMNS) {
            y[y_start + column] = sums[part] / total;
        }
    }
}
