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
