// Rows that have all threads of a workgroup.

#import "row_threads"

const THREADS_PER_ROW = N_THREADS;
