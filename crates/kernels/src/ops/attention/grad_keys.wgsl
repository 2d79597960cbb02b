// Causal attention, backward to keys and values.
// grad_k[j] = sum_{i >= j} ds[i, j] q[i], grad_v[j] = sum_{i >= j} p[i, j] grad_y[i], with
// p[i, j] = exp(scale q[i] . k[j] - rows[0, i]), ds = scale p (grad_y[i] . v[j] - rows[1, i]).
// qkv, grad_qkv: [N, T, 3, H, COLUMNS], grad_y: [N, T, H, COLUMNS], rows: [2, N, H, T], f32.
// Dispatch: one workgroup per sequence, head and place of a key.
// Source: Vaswani et al. 2017; Milakov and Gimelshein 2018; Dao et al. 2022.

#import "index"
#import "lane"
#import "attention"

struct Params {
    qkv: vec2<u32>,
    grad_y: vec2<u32>,
    rows: vec2<u32>,
    grad_qkv: vec2<u32>,
    n_sequences: u32,
    n_places: u32,
    n_heads: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> grad_y: array<f32>;
@group(0) @binding(3) var<storage, read> rows: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_qkv: array<f32>;
@group(0) @binding(5) var<storage, read> lanes: array<LaneState>;

var<workgroup> shared_changes: array<f32, N_THREADS>;

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
    let key = qkv_start + qkv_place(unit, unit.z, 1u, n_places, n_heads);
    let value = qkv_start + qkv_place(unit, unit.z, 2u, n_places, n_heads);
    let grad_y_start = lane_start(params.grad_y, lane);
    let rows_start = lane_start(params.rows, lane) + index - unit.z;
    let n_rows = params.n_sequences * n_heads * n_places;
    var key_sums: array<f32, MAX_COLUMNS_PER_THREAD>;
    var value_sums: array<f32, MAX_COLUMNS_PER_THREAD>;
    for (var first = unit.z; first < n_places; first += N_THREADS) {
        let place = first + thread;
        var p = 0.0;
        var change = 0.0;
        if (place < n_places) {
            let query = qkv_start + qkv_place(unit, place, 0u, n_places, n_heads);
            let grad = grad_y_start + y_place(unit, place, n_places, n_heads);
            var product = 0.0;
            for (var c = 0u; c < COLUMNS; c++) {
                product += qkv[query + c] * qkv[key + c];
                change += grad_y[grad + c] * qkv[value + c];
            }
            p = exp(params.scale * product - rows[rows_start + place]);
            change = params.scale * p * (change - rows[rows_start + n_rows + place]);
        }
        workgroupBarrier();
        shared_values[thread] = p;
        shared_changes[thread] = change;
        workgroupBarrier();
        let n_queries = min(N_THREADS, n_places - first);
        for (var part = 0u; part < MAX_COLUMNS_PER_THREAD; part++) {
            let column = part * N_THREADS + thread;
            if (column < COLUMNS) {
                for (var i = 0u; i < n_queries; i++) {
                    let query = qkv_start + qkv_place(unit, first + i, 0u, n_places, n_heads);
                    let grad = grad_y_start + y_place(unit, first + i, n_places, n_heads);
                    key_sums[part] += shared_changes[i] * qkv[query + column];
                    value_sums[part] += shared_values[i] * grad_y[grad + column];
                }
            }
        }
    }
    let target_start = lane_start(params.grad_qkv, lane);
    let grad_key = target_start + qkv_place(unit, unit.z, 1u, n_places, n_heads);
    let grad_value = target_start + qkv_place(unit, unit.z, 2u, n_places, n_heads);
    for (var part = 0u; part < MAX_COLUMNS_PER_THREAD; part++) {
        let column = part * N_THREADS + thread;
        if (column < COLUMNS) {
            grad_qkv[grad_key + column] = key_sums[part];
            grad_qkv[grad_value + column] = value_sums[part];
        }
    }
}
