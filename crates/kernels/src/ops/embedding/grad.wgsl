// Gradient of the table of an embedding.
// grad_table[v, c] = sum of scale grad_y[r, c] over the places r of token v, in their order.
// tokens: [rows], grad_y: [rows, columns], grad_table: [vocabulary, columns], f32.
// Dispatch: one workgroup per row of the table and 256 columns. It looks at 256 tokens at a time and
// adds up only where one of them is its own, which in a large vocabulary is hardly ever.
// Source: own.

#import "index"
#import "lane"

struct Params {
    tokens: vec2<u32>,
    grad_y: vec2<u32>,
    grad_table: vec2<u32>,
    n_rows: u32,
    vocabulary: u32,
    n_columns: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tokens: array<f32>;
@group(0) @binding(2) var<storage, read> grad_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_table: array<f32>;
@group(0) @binding(4) var<storage, read> lanes: array<LaneState>;

const N_THREADS = 256u;

var<workgroup> shared_is_own: array<u32, N_THREADS>;
var<workgroup> shared_n_own: atomic<u32>;

@compute @workgroup_size(N_THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = workgroup.z;
    let n_tiles = (params.n_columns + N_THREADS - 1u) / N_THREADS;
    let tile = linear_workgroup(workgroup, n_workgroups);
    let own = tile / n_tiles;
    if (lanes[lane].remaining == 0u || own >= params.vocabulary) {
        return;
    }
    let column = tile % n_tiles * N_THREADS + thread;
    let tokens_start = lane_start(params.tokens, lane);
    let grad_y_start = lane_start(params.grad_y, lane) + column;
    var sum = 0.0;
    for (var first = 0u; first < params.n_rows; first += N_THREADS) {
        if (thread == 0u) {
            atomicStore(&shared_n_own, 0u);
        }
        workgroupBarrier();
        var is_own = false;
        if (first + thread < params.n_rows) {
            is_own = tokens[tokens_start + first + thread] == f32(own);
        }
        shared_is_own[thread] = select(0u, 1u, is_own);
        if (is_own) {
            atomicAdd(&shared_n_own, 1u);
        }
        workgroupBarrier();
        if (atomicLoad(&shared_n_own) > 0u && column < params.n_columns) {
            for (var i = 0u; i < N_THREADS; i++) {
                if (shared_is_own[i] == 1u) {
                    sum += params.scale * grad_y[grad_y_start + (first + i) * params.n_columns];
                }
            }
        }
        workgroupBarrier();
    }
    if (column < params.n_columns) {
        grad_table[lane_start(params.grad_table, lane) + own * params.n_columns + column] = sum;
    }
}
