//! Turns an SVG drawing into pixels, with a font that is part of the program.

use std::io::Cursor;
use std::sync::Arc;

use anyhow::Context;
use image::{DynamicImage, ImageFormat, RgbaImage};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");
const FONT_FAMILY: &str = "DejaVu Sans";

/// Pixels for each unit of the drawing: sharp in print and on dense screens.
const SCALE: f32 = 2.0;

/// The drawing as a PNG file.
///
/// # Errors
///
/// Where `svg` is no SVG document.
pub(crate) fn png(svg: &str) -> anyhow::Result<Vec<u8>> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family(FONT_FAMILY);
    let options = Options { fontdb: Arc::new(fonts), ..Options::default() };
    let tree = Tree::from_str(svg, &options).context("cannot read the figure's drawing")?;
    let size = tree.size().to_int_size().scale_by(SCALE).context("the figure is too large")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).context("the figure is too large")?;
    pixels.fill(resvg::tiny_skia::Color::WHITE);
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    // On white every pixel is opaque, so premultiplied colours are plain ones.
    let image = RgbaImage::from_raw(size.width(), size.height(), pixels.take())
        .context("the figure has too few pixels")?;
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(image).to_rgb8().write_to(&mut file, ImageFormat::Png)?;
    Ok(file.into_inner())
}
