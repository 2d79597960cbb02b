// Stable log of a sum of exponentials; the importing file declares `logits`.

// Natural logarithm of the smallest normal number.
const LOG_SMALLEST = -87.33654;

// exp(x), and 0 where that would be subnormal, as on the native executor.
fn exp_or_zero(x: f32) -> f32 {
    return select(exp(x), 0.0, x < LOG_SMALLEST);
}

// log sum_k exp z_k over n_classes logits from z_start; a NaN logit makes the result NaN, since
// the sum has it even where `max` drops it.
fn log_sum_exp(z_start: u32, n_classes: u32) -> f32 {
    var largest = logits[z_start];
    for (var k = 1u; k < n_classes; k++) {
        largest = max(largest, logits[z_start + k]);
    }
    var sum = 0.0;
    for (var k = 0u; k < n_classes; k++) {
        sum += exp_or_zero(logits[z_start + k] - largest);
    }
    return largest + log(sum);
}
