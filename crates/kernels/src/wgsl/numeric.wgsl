// Tests of special values by their bits: compilers may assume that `x == x` always holds, and that `a < b`
// is `!(a >= b)`.

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// x, and 0 where its magnitude is below `smallest`, a positive number; NaN stays.
fn zero_below(x: f32, smallest: f32) -> f32 {
    return select(x, 0.0, (bitcast<u32>(x) & 0x7fffffffu) < bitcast<u32>(smallest));
}

// A NaN that no compiler sees as a constant, which WGSL would refuse.
fn nan() -> f32 {
    var bits = 0x7fc00000u;
    return bitcast<f32>(bits);
}

// max(x, 0) that keeps NaN, so that divergence is not hidden.
fn relu(x: f32) -> f32 {
    return select(max(x, 0.0), x, is_nan(x));
}
