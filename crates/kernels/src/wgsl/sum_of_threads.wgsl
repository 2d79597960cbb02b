// The sum over the threads of a workgroup of 256, as a binary tree.

const N_THREADS = 256u;

var<workgroup> shared_partial: array<f32, N_THREADS>;

// The same in each thread; all must call it.
fn sum_of_threads(thread: u32, partial: f32) -> f32 {
    workgroupBarrier();
    shared_partial[thread] = partial;
    for (var half = N_THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            shared_partial[thread] += shared_partial[thread + half];
        }
    }
    workgroupBarrier();
    return shared_partial[0];
}
