// Smooth activations and their derivatives, as `ops/activation`.

#import "sigmoid"

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
