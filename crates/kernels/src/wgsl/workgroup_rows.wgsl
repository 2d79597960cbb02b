// Rows that have all 256 threads of a workgroup.

#import "row_threads"

const N_THREADS = 256u;
const THREADS_PER_ROW = N_THREADS;
