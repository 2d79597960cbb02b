// What the kernels of the attention share: a workgroup of 64 threads for each (sequence, head, place),
// a thread for each key or query of a tile of 64, and for up to four columns.

const N_THREADS = 64u;
const MAX_COLUMNS_PER_THREAD = 4u;

override COLUMNS: u32;

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

// Sum over the threads, the same in each; all must call it.
fn sum_of_workgroup(thread: u32, value: f32) -> f32 {
    workgroupBarrier();
    shared_values[thread] = value;
    for (var half = N_THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            shared_values[thread] += shared_values[thread + half];
        }
    }
    workgroupBarrier();
    return shared_values[0];
}

// As above, the maximum.
fn max_of_workgroup(thread: u32, value: f32) -> f32 {
    workgroupBarrier();
    shared_values[thread] = value;
    for (var half = N_THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            shared_values[thread] = max(shared_values[thread], shared_values[thread + half]);
        }
    }
    workgroupBarrier();
    return shared_values[0];
}
