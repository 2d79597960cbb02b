// Sums and largest values over the threads of a row, as binary trees. A row has THREADS_PER_ROW of the N_THREADS
// threads of a workgroup, neighbours, a power of two; the importing file declares both.

// The row of a thread; those of the last workgroup may lie beyond the last row.
fn row_of_thread(group: u32, thread: u32) -> u32 {
    return group * (N_THREADS / THREADS_PER_ROW) + thread / THREADS_PER_ROW;
}

var<workgroup> shared_partial: array<f32, N_THREADS>;

// The same in each thread of a row; all threads of the workgroup must call it.
fn sum_of_threads(thread: u32, partial: f32) -> f32 {
    if (THREADS_PER_ROW == 1u) {
        return partial;
    }
    workgroupBarrier();
    shared_partial[thread] = partial;
    for (var half = THREADS_PER_ROW / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread % THREADS_PER_ROW < half) {
            shared_partial[thread] += shared_partial[thread + half];
        }
    }
    workgroupBarrier();
    return shared_partial[thread - thread % THREADS_PER_ROW];
}

// As above, the largest; NaN may be lost.
fn max_of_threads(thread: u32, partial: f32) -> f32 {
    if (THREADS_PER_ROW == 1u) {
        return partial;
    }
    workgroupBarrier();
    shared_partial[thread] = partial;
    for (var half = THREADS_PER_ROW / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread % THREADS_PER_ROW < half) {
            shared_partial[thread] = max(shared_partial[thread], shared_partial[thread + half]);
        }
    }
    workgroupBarrier();
    return shared_partial[thread - thread % THREADS_PER_ROW];
}
