//! Turns an SVG drawing into pixels, with a font that is part of the program.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use image::{DynamicImage, ImageFormat, RgbaImage};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");
const FONT_FAMILY: &str = "DejaVu Sans";

/// Pixels for each unit of the drawing: sharp in print and on dense screens.
const SCALE: f32 = 2.0;

/// Reading the font takes longer than drawing a figure.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family(FONT_FAMILY);
    Arc::new(fonts)
});

/// The drawing as a PNG file on white.
///
/// # Errors
///
/// What is wrong, where `svg` is no SVG document or too large.
pub(super) fn png(svg: &str) -> Result<Vec<u8>, String> {
    let options = Options { fontdb: Arc::clone(&FONTS), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let too_large = || format!("its size is {:?}, expected at most 16,384", tree.size());
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or_else(too_large)?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or_else(too_large)?;
    pixels.fill(Color::WHITE);
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    // On white every pixel is opaque, so premultiplied colours are plain ones.
    let image = RgbaImage::from_raw(size.width(), size.height(), pixels.take())
        .expect("a pixmap has four bytes for each pixel");
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(image)
        .to_rgb8()
        .write_to(&mut file, ImageFormat::Png)
        .map_err(|error| error.to_string())?;
    Ok(file.into_inner())
}
