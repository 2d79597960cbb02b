// The tiled product behind matmul and the three convolutions: y = lhs rhs.
// lhs: [m, k], rhs: [k, n], y: [m, n] in f32; the importing file says where their elements are:
//   load_lhs(row, k)             elements (row .. row + 4, k), zero outside
//   load_rhs(k, column)          elements (k, column .. column + 4), zero outside
//   store(part, row, column, y)  elements (row, column .. column + 4), to be cut at the edge
//   LHS_K_FASTEST, RHS_K_FASTEST whether neighbours in memory are neighbours in k
// A workgroup makes a tile of 4 THREAD_ROWS x 4 THREAD_COLUMNS, a thread 4 x 4 of it. The sum
// over k may be cut into parts of k_per_part (a multiple of K_TILE), a workgroup each.

const K_TILE = 16u;

override THREAD_ROWS: u32;
override THREAD_COLUMNS: u32;
override N_THREADS: u32 = THREAD_ROWS * THREAD_COLUMNS;

// One column of padding keeps writes along k out of one memory bank.
override LHS_STRIDE: u32 = THREAD_ROWS + 1u;
override RHS_STRIDE: u32 = THREAD_COLUMNS + 1u;
override LHS_LEN: u32 = K_TILE * LHS_STRIDE;
override RHS_LEN: u32 = K_TILE * RHS_STRIDE;

var<workgroup> shared_lhs: array<vec4<f32>, LHS_LEN>;
var<workgroup> shared_rhs: array<vec4<f32>, RHS_LEN>;

struct Gemm {
    m: u32,
    k: u32,
    n: u32,
    k_per_part: u32,
}

// The 4 x 4 elements of one thread, a vector for each row.
struct Quads {
    row_0: vec4<f32>,
    row_1: vec4<f32>,
    row_2: vec4<f32>,
    row_3: vec4<f32>,
}

fn gemm(size: Gemm, workgroup: u32, thread: u32) {
    let n_row_tiles = (size.m + 4u * THREAD_ROWS - 1u) / (4u * THREAD_ROWS);
    let n_column_tiles = (size.n + 4u * THREAD_COLUMNS - 1u) / (4u * THREAD_COLUMNS);
    let tile = workgroup / n_column_tiles;
    let part = tile / n_row_tiles;
    let first_row = (tile % n_row_tiles) * 4u * THREAD_ROWS;
    let first_column = (workgroup % n_column_tiles) * 4u * THREAD_COLUMNS;
    let k_first = part * size.k_per_part;
    let k_end = min(k_first + size.k_per_part, size.k);
    let thread_row = thread / THREAD_COLUMNS;
    let thread_column = thread % THREAD_COLUMNS;
    var quads: Quads;
    for (var k_tile = k_first; k_tile < k_end; k_tile += K_TILE) {
        for (var i = thread; i < K_TILE * THREAD_ROWS; i += N_THREADS) {
            let place = tile_place(i, THREAD_ROWS, LHS_K_FASTEST);
            let quad = load_lhs(first_row + 4u * place.y, k_tile + place.x);
            shared_lhs[place.x * LHS_STRIDE + place.y] = quad;
        }
        for (var i = thread; i < K_TILE * THREAD_COLUMNS; i += N_THREADS) {
            let place = tile_place(i, THREAD_COLUMNS, RHS_K_FASTEST);
            let quad = load_rhs(k_tile + place.x, first_column + 4u * place.y);
            shared_rhs[place.x * RHS_STRIDE + place.y] = quad;
        }
        workgroupBarrier();
        for (var k = 0u; k < K_TILE; k += 4u) {
            add_products(&quads, k, thread_row, thread_column);
            add_products(&quads, k + 1u, thread_row, thread_column);
            add_products(&quads, k + 2u, thread_row, thread_column);
            add_products(&quads, k + 3u, thread_row, thread_column);
        }
        workgroupBarrier();
    }
    let row = first_row + 4u * thread_row;
    let column = first_column + 4u * thread_column;
    if (k_first < size.k) {
        store(part, row, column, quads.row_0);
        store(part, row + 1u, column, quads.row_1);
        store(part, row + 2u, column, quads.row_2);
        store(part, row + 3u, column, quads.row_3);
    }
}

// (k, quad) that the i-th load of a tile fetches; neighbours in i should be neighbours in memory.
fn tile_place(i: u32, n_quads: u32, k_fastest: bool) -> vec2<u32> {
    if (k_fastest) {
        return vec2(i % K_TILE, i / K_TILE);
    }
    return vec2(i / n_quads, i % n_quads);
}

// One term of the sum over k. Called four times in a row: the loop around it costs as much as
// one call.
fn add_products(quads: ptr<function, Quads>, k: u32, thread_row: u32, thread_column: u32) {
    let lhs = shared_lhs[k * LHS_STRIDE + thread_row];
    let rhs = shared_rhs[k * RHS_STRIDE + thread_column];
    (*quads).row_0 += lhs.x * rhs;
    (*quads).row_1 += lhs.y * rhs;
    (*quads).row_2 += lhs.z * rhs;
    (*quads).row_3 += lhs.w * rhs;
}
