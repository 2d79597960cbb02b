// What the kernels of the attention share: a workgroup of 64 threads for each (sequence, head, place),
// a thread for each key or query of a tile of 64, and for up to four columns.

#import "row_threads"

const N_THREADS = 64u;
const THREADS_PER_ROW = N_THREADS;
const MAX_COLUMNS_PER_THREAD = 4u;

override COLUMNS: u32;

// What one thread of a tile has for the others.
var<workgroup> shared_values: array<f32, N_THREADS>;

// (sequence, head, place) of a workgroup.
fn unit_of(index: u32, n_places: u32, n_heads: u32) -> vec3<u32> {
    return vec3(index / n_places / n_heads, index / n_places % n_heads, index % n_places);
}

// Start of queries (part 0), keys (1) or values (2) of a place, within [N, T, 3 H COLUMNS].
fn qkv_place(unit: vec3<u32>, place: u32, part: u32, n_places: u32, n_heads: u32) -> u32 {
    let row = unit.x * n_places + place;
    return ((row * 3u + part) * n_heads + unit.y) * COLUMNS;
}

// Start of a place within [N, T, H COLUMNS].
fn y_place(unit: vec3<u32>, place: u32, n_places: u32, n_heads: u32) -> u32 {
    return ((unit.x * n_places + place) * n_heads + unit.y) * COLUMNS;
}
