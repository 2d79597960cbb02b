// Causal attention, backward to the queries; leaves for each row of probabilities p
// rows[0] = the logarithm of the sum of exponentials and rows[1] = sum_j p[i, j] dp[i, j].
// grad_q[i] = sum_{j <= i} ds[i, j] k[j], ds = scale p (dp - rows[1]), dp[i, j] = grad_y[i] . v[j].
// qkv, grad_qkv: [N, T, 3, H, COLUMNS], grad_y: [N, T, H, COLUMNS], rows: [2, N, H, T], f32.
// Dispatch: one workgroup per sequence, head and place of a query.
// Source: Vaswani et al. 2017; Milakov and Gimelshein 2018; Dao et al. 2022.

#import "index"
#import "lane"
#import "attention"

struct Params {
    qkv: vec2<u32>,
    grad_y: vec2<u32>,
    grad_qkv: vec2<u32>,
    rows: vec2<u32>,
    n_sequences: u32,
    n_places: u32,
    n_heads: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> grad_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_qkv: array<f32>;
@group(0) @binding(4) var<storage, read_write> rows: array<f32>;
@group(0) @binding(5) var<storage, read> lanes: array<LaneState>;

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
    let grad_start = lane_start(params.grad_y, lane) + y_place(unit, unit.z, n_places, n_heads);
    var largest = -3.0e38;
    var total = 0.0;
    var weighted = 0.0;
    for (var first = 0u; first <= unit.z; first += N_THREADS) {
        let found = score_and_change(unit, first + thread, qkv_start, query, grad_start);
        let next_largest = max(largest, max_of_threads(thread, found.x));
        let shrink = exp(largest - next_largest);
        largest = next_largest;
        let weight = select(0.0, exp(found.x - largest), first + thread <= unit.z);
        total = total * shrink + sum_of_threads(thread, weight);
        weighted = weighted * shrink + sum_of_threads(thread, weight * found.y);
    }
    let log_total = largest + log(total);
    let mean = weighted / total;
    var sums: array<f32, MAX_COLUMNS_PER_THREAD>;
    for (var first = 0u; first <= unit.z; first += N_THREADS) {
        let found = score_and_change(unit, first + thread, qkv_start, query, grad_start);
        let p = select(0.0, exp(found.x - log_total), first + thread <= unit.z);
        workgroupBarrier();
        shared_values[thread] = params.scale * p * (found.y - mean);
        workgroupBarrier();
        let n_keys = min(N_THREADS, unit.z + 1u - first);
        for (var part = 0u; part < MAX_COLUMNS_PER_THREAD; part++) {
            let column = part * N_THREADS + thread;
            if (column < COLUMNS) {
                var sum = sums[part];
                for (var j = 0u; j < n_keys; j++) {
                    let key = qkv_start + qkv_place(unit, first + j, 1u, n_places, n_heads);
                    sum += shared_values[j] * qkv[key + column];
                }
                sums[part] = sum;
            }
        }
    }
    let target_start = lane_start(params.grad_qkv, lane)
        + qkv_place(unit, unit.z, 0u, n_places, n_heads);
    for (var part = 0u; part < MAX_COLUMNS_PER_THREAD; part++) {
        let column = part * N_THREADS + thread;
        if (column < COLUMNS) {
            grad_qkv[target_start + column] = sums[part];
        }
    }
    if (thread == 0u) {
        let rows_start = lane_start(params.rows, lane);
        let n_rows = params.n_sequences * n_heads * n_places;
        rows[rows_start + index] = log_total;
        rows[rows_start + n_rows + index] = mean;
    }
}

// Score of a key for the query, and the change that its value makes: s[i, j] and dp[i, j].
fn score_and_change(
    unit: vec3<u32>,
    place: u32,
    qkv_start: u32,
    query: u32,
    grad_start: u32,
) -> vec2<f32> {
    if (place > unit.z) {
        return vec2(-3.0e38, 0.0);
    }
    let key = qkv_start + qkv_place(unit, place, 1u, params.n_places, params.n_heads);
    let value = qkv_start + qkv_place(unit, place, 2u, params.n_places, params.n_heads);
    var product = 0.0;
    var change = 0.0;
    for (var c = 0u; c < COLUMNS; c++) {
        product += qkv[query + c] * qkv[key + c];
        change += grad_y[grad_start + c] * qkv[value + c];
    }
    return vec2(params.scale * product, change);
}
