// The tiled product behind matmul and the three convolutions: y = lhs rhs, for GPUs.
// lhs: [m, k], rhs: [k, n], y: [m, n] in f32; the importing file says where their elements are:
//   load_lhs(row, k)             four elements from (row, k) on, zero outside: along k if
//                                LHS_K_FASTEST, else along the rows; that is how they lie in memory
//   load_rhs(k, column)          four from (k, column) on: along k if RHS_K_FASTEST, else along
//                                the columns
//   store(part, row, column, y)  elements (row, column .. column + 4), to be cut at the edge
// A workgroup makes a tile of THREAD_ROWS x THREAD_COLUMNS threads, a thread ROW_QUADS x
// COLUMN_QUADS (each 1 or 2) times 4 x 4 elements of it. K_TILE terms (a multiple of 4) pass
// through shared memory at a time. The sum over k may be cut into parts of k_per_part (a multiple
// of K_TILE), a workgroup each.

override THREAD_ROWS: u32;
override THREAD_COLUMNS: u32;
override ROW_QUADS: u32;
override COLUMN_QUADS: u32;
override K_TILE: u32;
override N_THREADS: u32 = THREAD_ROWS * THREAD_COLUMNS;
override N_ROW_QUADS: u32 = THREAD_ROWS * ROW_QUADS;
override N_COLUMN_QUADS: u32 = THREAD_COLUMNS * COLUMN_QUADS;

// One vector of padding keeps writes along k out of one memory bank.
override LHS_STRIDE: u32 = N_ROW_QUADS + 1u;
override RHS_STRIDE: u32 = N_COLUMN_QUADS + 1u;
override LHS_LEN: u32 = K_TILE * LHS_STRIDE;
override RHS_LEN: u32 = K_TILE * RHS_STRIDE;

// [k, row] and [k, column], four rows or columns to a vector.
var<workgroup> shared_lhs: array<vec4<f32>, LHS_LEN>;
var<workgroup> shared_rhs: array<vec4<f32>, RHS_LEN>;

struct Gemm {
    m: u32,
    k: u32,
    n: u32,
    k_per_part: u32,
}

// 4 x 4 elements of one thread, a vector for each row.
struct Quads {
    row_0: vec4<f32>,
    row_1: vec4<f32>,
    row_2: vec4<f32>,
    row_3: vec4<f32>,
}

fn gemm(size: Gemm, workgroup: u32, thread: u32) {
    let n_row_tiles = (size.m + 4u * N_ROW_QUADS - 1u) / (4u * N_ROW_QUADS);
    let n_column_tiles = (size.n + 4u * N_COLUMN_QUADS - 1u) / (4u * N_COLUMN_QUADS);
    let tile = workgroup / n_column_tiles;
    let part = tile / n_row_tiles;
    let first_row = (tile % n_row_tiles) * 4u * N_ROW_QUADS;
    let first_column = (workgroup % n_column_tiles) * 4u * N_COLUMN_QUADS;
    let k_first = part * size.k_per_part;
    let k_end = min(k_first + size.k_per_part, size.k);
    let thread_row = thread / THREAD_COLUMNS;
    let thread_column = thread % THREAD_COLUMNS;
    // A thread's second quads lie a whole row or column of threads further, so that neighbours
    // read neighbouring vectors.
    var quads_00: Quads;
    var quads_01: Quads;
    var quads_10: Quads;
    var quads_11: Quads;
    for (var k_tile = k_first; k_tile < k_end; k_tile += K_TILE) {
        load_tiles(first_row, first_column, k_tile, thread);
        workgroupBarrier();
        for (var k = 0u; k < K_TILE; k++) {
            let lhs_0 = shared_lhs[k * LHS_STRIDE + thread_row];
            let rhs_0 = shared_rhs[k * RHS_STRIDE + thread_column];
            add_products(&quads_00, lhs_0, rhs_0);
            if (ROW_QUADS > 1u) {
                let lhs_1 = shared_lhs[k * LHS_STRIDE + thread_row + THREAD_ROWS];
                add_products(&quads_10, lhs_1, rhs_0);
                if (COLUMN_QUADS > 1u) {
                    let rhs_1 = shared_rhs[k * RHS_STRIDE + thread_column + THREAD_COLUMNS];
                    add_products(&quads_01, lhs_0, rhs_1);
                    add_products(&quads_11, lhs_1, rhs_1);
                }
            } else if (COLUMN_QUADS > 1u) {
                let rhs_1 = shared_rhs[k * RHS_STRIDE + thread_column + THREAD_COLUMNS];
                add_products(&quads_01, lhs_0, rhs_1);
            }
        }
        workgroupBarrier();
    }
    if (k_first >= size.k) {
        return;
    }
    let row = first_row + 4u * thread_row;
    let column = first_column + 4u * thread_column;
    store_quads(part, row, column, quads_00);
    if (COLUMN_QUADS > 1u) {
        store_quads(part, row, column + 4u * THREAD_COLUMNS, quads_01);
    }
    if (ROW_QUADS > 1u) {
        store_quads(part, row + 4u * THREAD_ROWS, column, quads_10);
        if (COLUMN_QUADS > 1u) {
            store_quads(part, row + 4u * THREAD_ROWS, column + 4u * THREAD_COLUMNS, quads_11);
        }
    }
}

// Neighbouring threads fetch neighbours in memory; what lies along k is turned on the way, 4 x 4
// elements at a time.
fn load_tiles(first_row: u32, first_column: u32, k_tile: u32, thread: u32) {
    if (LHS_K_FASTEST) {
        for (var i = thread; i < K_TILE / 4u * N_ROW_QUADS; i += N_THREADS) {
            let k = 4u * (i % (K_TILE / 4u));
            let quad = i / (K_TILE / 4u);
            let row = first_row + 4u * quad;
            let turned = transpose(mat4x4(
                load_lhs(row, k_tile + k),
                load_lhs(row + 1u, k_tile + k),
                load_lhs(row + 2u, k_tile + k),
                load_lhs(row + 3u, k_tile + k),
            ));
            shared_lhs[k * LHS_STRIDE + quad] = turned[0];
            shared_lhs[(k + 1u) * LHS_STRIDE + quad] = turned[1];
            shared_lhs[(k + 2u) * LHS_STRIDE + quad] = turned[2];
            shared_lhs[(k + 3u) * LHS_STRIDE + quad] = turned[3];
        }
    } else {
        for (var i = thread; i < K_TILE * N_ROW_QUADS; i += N_THREADS) {
            let k = i / N_ROW_QUADS;
            let quad = i % N_ROW_QUADS;
            shared_lhs[k * LHS_STRIDE + quad] = load_lhs(first_row + 4u * quad, k_tile + k);
        }
    }
    if (RHS_K_FASTEST) {
        for (var i = thread; i < K_TILE / 4u * N_COLUMN_QUADS; i += N_THREADS) {
            let k = 4u * (i % (K_TILE / 4u));
            let quad = i / (K_TILE / 4u);
            let column = first_column + 4u * quad;
            let turned = transpose(mat4x4(
                load_rhs(k_tile + k, column),
                load_rhs(k_tile + k, column + 1u),
                load_rhs(k_tile + k, column + 2u),
                load_rhs(k_tile + k, column + 3u),
            ));
            shared_rhs[k * RHS_STRIDE + quad] = turned[0];
            shared_rhs[(k + 1u) * RHS_STRIDE + quad] = turned[1];
            shared_rhs[(k + 2u) * RHS_STRIDE + quad] = turned[2];
            shared_rhs[(k + 3u) * RHS_STRIDE + quad] = turned[3];
        }
    } else {
        for (var i = thread; i < K_TILE * N_COLUMN_QUADS; i += N_THREADS) {
            let k = i / N_COLUMN_QUADS;
            let quad = i % N_COLUMN_QUADS;
            shared_rhs[k * RHS_STRIDE + quad] = load_rhs(k_tile + k, first_column + 4u * quad);
        }
    }
}

// One term of the sum over k.
fn add_products(quads: ptr<function, Quads>, lhs: vec4<f32>, rhs: vec4<f32>) {
    (*quads).row_0 += lhs.x * rhs;
    (*quads).row_1 += lhs.y * rhs;
    (*quads).row_2 += lhs.z * rhs;
    (*quads).row_3 += lhs.w * rhs;
}

fn store_quads(part: u32, row: u32, column: u32, quads: Quads) {
    store(part, row, column, quads.row_0);
    store(part, row + 1u, column, quads.row_1);
    store(part, row + 2u, column, quads.row_2);
    store(part, row + 3u, column, quads.row_3);
}
