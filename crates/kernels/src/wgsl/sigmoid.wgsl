// Logistic function and hyperbolic tangent, accurate for all numbers.

// Without overflow: the exponential is of a number that is not positive.
fn sigmoid(x: f32) -> f32 {
    let small = exp(-abs(x));
    return select(1.0, small, x < 0.0) / (1.0 + small);
}

// WGSL allows its own tanh large errors. Near 0 the difference of two near numbers would lose digits,
// so there it is the series.
fn accurate_tanh(x: f32) -> f32 {
    let square = x * x;
    let series = x * (1.0 + square * (-0.33333334 + square * (0.13333334 + square * (-0.053968254
        + square * 0.021869488))));
    return select(2.0 * sigmoid(2.0 * x) - 1.0, series, abs(x) < 0.25);
}
