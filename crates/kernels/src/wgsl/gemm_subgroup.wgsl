// The product behind matmul and the three convolutions: y = lhs rhs, for software devices.
// What the importing file declares is as in gemm_shared.wgsl.
// There a subgroup is a vector of the host, and every load, from shared memory too, a loop over
// its elements that costs as much as 50 products. So nothing is shared through memory: a subgroup
// is a workgroup and makes a tile of 8 ROW_BLOCKS (1, 2 or 4) x 4 SUBGROUP_SIZE COLUMN_QUADS (1
// or 2) elements. Its threads, at least 8, stand side by side along the columns, fetch each element
// of both operands once, and hand those of lhs round by broadcast. The sum over k may be cut into
// parts of k_per_part (a multiple of 4), a workgroup each.

override ROW_BLOCKS: u32;
override COLUMN_QUADS: u32;
override SUBGROUP_SIZE: u32;
override N_THREADS: u32 = SUBGROUP_SIZE;

struct Gemm {
    m: u32,
    k: u32,
    n: u32,
    k_per_part: u32,
}

// 8 x 4 elements, or terms of 8 rows of lhs: a vector for each row.
struct Block {
    upper: mat4x4<f32>,
    lower: mat4x4<f32>,
}

fn gemm(size: Gemm, workgroup: u32, thread: u32) {
    let quad_stride = 4u * SUBGROUP_SIZE;
    let n_row_tiles = (size.m + 8u * ROW_BLOCKS - 1u) / (8u * ROW_BLOCKS);
    let n_column_tiles = (size.n + quad_stride * COLUMN_QUADS - 1u) / (quad_stride * COLUMN_QUADS);
    let tile = workgroup / n_column_tiles;
    let part = tile / n_row_tiles;
    let row = (tile % n_row_tiles) * 8u * ROW_BLOCKS;
    let column = (workgroup % n_column_tiles) * quad_stride * COLUMN_QUADS + 4u * thread;
    let k_first = part * size.k_per_part;
    let k_end = min(k_first + size.k_per_part, size.k);
    var blocks_00: Block;
    var blocks_01: Block;
    var blocks_10: Block;
    var blocks_11: Block;
    var blocks_20: Block;
    var blocks_21: Block;
    var blocks_30: Block;
    var blocks_31: Block;
    for (var k = k_first; k < k_end; k += 4u) {
        let rhs_0 = rhs_terms(k, column);
        var rhs_1: mat4x4<f32>;
        if (COLUMN_QUADS > 1u) {
            rhs_1 = rhs_terms(k, column + quad_stride);
        }
        add_products(&blocks_00, &blocks_01, lhs_terms(row, k, thread), rhs_0, rhs_1);
        if (ROW_BLOCKS > 1u) {
            add_products(&blocks_10, &blocks_11, lhs_terms(row + 8u, k, thread), rhs_0, rhs_1);
        }
        if (ROW_BLOCKS > 2u) {
            add_products(&blocks_20, &blocks_21, lhs_terms(row + 16u, k, thread), rhs_0, rhs_1);
            add_products(&blocks_30, &blocks_31, lhs_terms(row + 24u, k, thread), rhs_0, rhs_1);
        }
    }
    if (k_first >= size.k) {
        return;
    }
    store_blocks(part, row, column, blocks_00, blocks_01);
    if (ROW_BLOCKS > 1u) {
        store_blocks(part, row + 8u, column, blocks_10, blocks_11);
    }
    if (ROW_BLOCKS > 2u) {
        store_blocks(part, row + 16u, column, blocks_20, blocks_21);
        store_blocks(part, row + 24u, column, blocks_30, blocks_31);
    }
}

// Terms k .. k + 4 of four columns: a vector of columns for each term.
fn rhs_terms(k: u32, column: u32) -> mat4x4<f32> {
    if (RHS_K_FASTEST) {
        return transpose(mat4x4(
            load_rhs(k, column),
            load_rhs(k, column + 1u),
            load_rhs(k, column + 2u),
            load_rhs(k, column + 3u),
        ));
    }
    return mat4x4(
        load_rhs(k, column),
        load_rhs(k + 1u, column),
        load_rhs(k + 2u, column),
        load_rhs(k + 3u, column),
    );
}

// Terms k .. k + 4 of eight rows: a vector of terms for each row. Each thread fetches one vector:
// a row's terms, or half the rows of one term.
fn lhs_terms(row: u32, k: u32, thread: u32) -> Block {
    if (LHS_K_FASTEST) {
        let quad = load_lhs(row + thread % 8u, k);
        let upper = mat4x4(
            subgroupBroadcast(quad, 0u),
            subgroupBroadcast(quad, 1u),
            subgroupBroadcast(quad, 2u),
            subgroupBroadcast(quad, 3u),
        );
        let lower = mat4x4(
            subgroupBroadcast(quad, 4u),
            subgroupBroadcast(quad, 5u),
            subgroupBroadcast(quad, 6u),
            subgroupBroadcast(quad, 7u),
        );
        return Block(upper, lower);
    }
    let quad = load_lhs(row + 4u * (thread % 2u), k + thread / 2u % 4u);
    let upper = mat4x4(
        subgroupBroadcast(quad, 0u),
        subgroupBroadcast(quad, 2u),
        subgroupBroadcast(quad, 4u),
        subgroupBroadcast(quad, 6u),
    );
    let lower = mat4x4(
        subgroupBroadcast(quad, 1u),
        subgroupBroadcast(quad, 3u),
        subgroupBroadcast(quad, 5u),
        subgroupBroadcast(quad, 7u),
    );
    return Block(transpose(upper), transpose(lower));
}

// Four terms of the sum over k. A row of y is a sum of rows of rhs, so with rows as the vectors
// of a matrix, rhs comes first.
fn add_products(
    block_0: ptr<function, Block>,
    block_1: ptr<function, Block>,
    lhs: Block,
    rhs_0: mat4x4<f32>,
    rhs_1: mat4x4<f32>,
) {
    (*block_0).upper += rhs_0 * lhs.upper;
    (*block_0).lower += rhs_0 * lhs.lower;
    if (COLUMN_QUADS > 1u) {
        (*block_1).upper += rhs_1 * lhs.upper;
        (*block_1).lower += rhs_1 * lhs.lower;
    }
}

fn store_blocks(part: u32, row: u32, column: u32, block_0: Block, block_1: Block) {
    store_quads(part, row, column, block_0.upper);
    store_quads(part, row + 4u, column, block_0.lower);
    if (COLUMN_QUADS > 1u) {
        store_quads(part, row, column + 4u * SUBGROUP_SIZE, block_1.upper);
        store_quads(part, row + 4u, column + 4u * SUBGROUP_SIZE, block_1.lower);
    }
}

fn store_quads(part: u32, row: u32, column: u32, quads: mat4x4<f32>) {
    store(part, row, column, quads[0]);
    store(part, row + 1u, column, quads[1]);
    store(part, row + 2u, column, quads[2]);
    store(part, row + 3u, column, quads[3]);
}
