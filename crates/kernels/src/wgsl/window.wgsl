// Sliding windows over an [H, W] plane, as `ops/window.rs`. Pipeline constants, so that the
// divisions by them become multiplications.

override IN_HEIGHT: u32;
override IN_WIDTH: u32;
override WINDOW_HEIGHT: u32;
override WINDOW_WIDTH: u32;
override STRIDE: u32;
override PAD_TOP: u32;
override PAD_LEFT: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;

// (image, row, column) of a pixel counted over all images.
fn in_pixel(pixel: u32) -> vec3<u32> {
    let row = pixel / IN_WIDTH;
    return vec3(row / IN_HEIGHT, row % IN_HEIGHT, pixel % IN_WIDTH);
}

// (image, row, column) of a window counted over all images.
fn out_pixel(pixel: u32) -> vec3<u32> {
    let row = pixel / OUT_WIDTH;
    return vec3(row / OUT_HEIGHT, row % OUT_HEIGHT, pixel % OUT_WIDTH);
}

// Input row and column under place (u, v) of the window at (row, column). Above and left of the
// image the numbers wrap around, so `is_inside` has to look at the lower edges only.
fn under_window(window: vec2<u32>, place: vec2<u32>) -> vec2<u32> {
    return window * STRIDE + place - vec2(PAD_TOP, PAD_LEFT);
}

fn is_inside(pixel: vec2<u32>) -> bool {
    return pixel.x < IN_HEIGHT && pixel.y < IN_WIDTH;
}

// First row and column of windows that reach the pixel.
fn first_window(pixel: vec2<u32>) -> vec2<u32> {
    let padded = pixel + vec2(PAD_TOP, PAD_LEFT);
    let size = vec2(WINDOW_HEIGHT, WINDOW_WIDTH);
    return select(vec2(0u), (padded - size) / STRIDE + 1u, padded >= size);
}

// Row and column after those of the last windows that reach the pixel.
fn end_window(pixel: vec2<u32>) -> vec2<u32> {
    return min((pixel + vec2(PAD_TOP, PAD_LEFT)) / STRIDE + 1u, vec2(OUT_HEIGHT, OUT_WIDTH));
}

// Pixels of the window at (row, column) that lie inside the image.
fn n_pixels_inside(window: vec2<u32>) -> u32 {
    let start = window * STRIDE;
    let padding = vec2(PAD_TOP, PAD_LEFT);
    let size = vec2(WINDOW_HEIGHT, WINDOW_WIDTH);
    let first = max(start, padding);
    let end = min(start + size, vec2(IN_HEIGHT, IN_WIDTH) + padding);
    return (end.x - first.x) * (end.y - first.y);
}
