// Philox4x32 with 10 rounds, bit for bit `random.rs`.
// Source: Salmon, Moraes, Dror, Shaw 2011.

const PURPOSE_SHUFFLE = 2u;
const PURPOSE_DROPOUT = 3u;
const PURPOSE_DRAW = 5u;

// High and low half of the 64-bit product.
fn multiply_wide(a: u32, b: u32) -> vec2<u32> {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let low_low = a_low * b_low;
    let middle = a_high * b_low + (low_low >> 16u);
    let cross = a_low * b_high + (middle & 0xffffu);
    return vec2(a_high * b_high + (middle >> 16u) + (cross >> 16u), a * b);
}

fn philox4x32(key: vec2<u32>, counter: vec4<u32>) -> vec4<u32> {
    var round_key = key;
    var c = counter;
    for (var round = 0u; round < 10u; round++) {
        let first = multiply_wide(0xd2511f53u, c.x);
        let second = multiply_wide(0xcd9e8d57u, c.z);
        c = vec4(second.x ^ c.y ^ round_key.x, second.y, first.x ^ c.w ^ round_key.y, first.y);
        round_key += vec2(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}
