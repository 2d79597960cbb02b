// Smooth activations and their derivatives, as `ops/activation`.

const GELU = 0u;
const TANH = 1u;

const ROOT = 0.7978845608028654;
const CUBE = 0.044715;

override FUNCTION: u32;

fn activation(x: f32) -> f32 {
    if (FUNCTION == GELU) {
        return x * sigmoid(gelu_argument(x));
    }
    if (FUNCTION == TANH) {
        return accurate_tanh(x);
    }
    return sigmoid(x);
}

fn activation_derivative(x: f32) -> f32 {
    if (FUNCTION == GELU) {
        let s = sigmoid(gelu_argument(x));
        return s + x * s * (1.0 - s) * (2.0 * ROOT * (1.0 + 3.0 * CUBE * x * x));
    }
    if (FUNCTION == TANH) {
        let y = accurate_tanh(x);
        return 1.0 - y * y;
    }
    let y = sigmoid(x);
    return y * (1.0 - y);
}

fn gelu_argument(x: f32) -> f32 {
    return 2.0 * ROOT * (x + CUBE * x * x * x);
}

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
