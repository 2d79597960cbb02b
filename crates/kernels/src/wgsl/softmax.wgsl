// Stable log of a sum of exponentials; the importing file declares `logits`.

#import "numeric"
#import "row_threads"

// Natural logarithm of the smallest normal number.
const LOG_SMALLEST = -87.33654;

// exp(x), and 0 where that would be subnormal, as on the native executor.
fn exp_or_zero(x: f32) -> f32 {
    return select(exp(x), 0.0, x < LOG_SMALLEST && !is_nan(x));
}

// log sum_k exp z_k over n_classes logits from z_start, THREADS_PER_ROW at least; a NaN logit makes the
// result NaN, since the sum has it even where `max` drops it. All threads of the workgroup must call it.
fn log_sum_exp(z_start: u32, n_classes: u32, thread: u32) -> f32 {
    let first = thread % THREADS_PER_ROW;
    var largest = logits[z_start + first];
    for (var k = first + THREADS_PER_ROW; k < n_classes; k += THREADS_PER_ROW) {
        largest = max(largest, logits[z_start + k]);
    }
    largest = max_of_threads(thread, largest);
    var sum = 0.0;
    for (var k = first; k < n_classes; k += THREADS_PER_ROW) {
        sum += exp_or_zero(logits[z_start + k] - largest);
    }
    return largest + log(sum_of_threads(thread, sum));
}
