//! From a file to what a network sees.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{ImageError, ImageReader, Limits, RgbImage};

use super::{SIDE, View};

/// The shorter side, in pixels, of a photograph of which the middle is seen ...
const CENTRAL_SIDE: u32 = 256;

/// ... and of one that is seen in part: at least and at most.
const RANDOM_SIDES: [u32; 2] = [256, 512];

/// Pixels of a side at most: a file may say that it is larger than memory.
const MAX_SIDE: u32 = 1 << 15;

/// Bytes that decoding takes at most.
const MAX_BYTES: u64 = 1 << 30;

/// The square of a photograph that is seen, in its own pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Square {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) side: f64,
    pub(super) is_mirrored: bool,
}

impl View {
    pub(super) fn square(self, width: u32, height: u32) -> Square {
        let (short, long_by) = (width.min(height), [width, height]);
        let (resized, [x, y], is_mirrored) = match self {
            View::Central => (CENTRAL_SIDE, [0.5; 2], false),
            View::Random([size, x, y, mirror]) => {
                let [least, most] = RANDOM_SIDES;
                (least + below(size, most - least + 1), [unit(x), unit(y)], mirror & 1 == 1)
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "224")]
        let side = SIDE as f64 * f64::from(short) / f64::from(resized);
        let [left, top] =
            [(long_by[0], x), (long_by[1], y)].map(|(len, at)| at * (f64::from(len) - side));
        Square { left, top, side, is_mirrored }
    }
}

/// One of `0..n`, as evenly as 32 bits allow.
fn below(bits: u32, n: u32) -> u32 {
    ((u64::from(bits) * u64::from(n)) >> 32) as u32
}

/// A number in (0, 1).
fn unit(bits: u32) -> f64 {
    (f64::from(bits) + 0.5) / 4_294_967_296.0
}

/// Decodes a file, whatever its name ends in.
fn open(path: &Path) -> Result<RgbImage, ImageError> {
    decode(BufReader::new(File::open(path)?))
}

/// Whether a file holds a whole photograph: of one that is cut off, the decoder shows what there is.
pub(super) fn check(path: &Path) -> Result<(), ImageError> {
    let content = fs::read(path)?;
    decode(Cursor::new(&content))?;
    match is_cut_off(&content) {
        true => Err(std::io::Error::other("the file ends before the photograph does").into()),
        false => Ok(()),
    }
}

/// Whether this is a JPEG whose last scan (after SOS) is not followed by the end of an image (EOI). Neither marker can
/// be within a scan, and those of a thumbnail come before the first.
pub(super) fn is_cut_off(content: &[u8]) -> bool {
    let last = |marker: u8| content.windows(2).rposition(|bytes| bytes == [0xff, marker]);
    content.starts_with(&[0xff, 0xd8]) && last(0xd9) < last(0xda)
}

/// Decodes a photograph; grey and CMYK become RGB.
pub(crate) fn decode(content: impl BufRead + Seek) -> Result<RgbImage, ImageError> {
    let mut reader = ImageReader::new(content).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    Ok(reader.decode()?.into_rgb8())
}

/// Writes a view of a file, `[SIDE, SIDE, 3]` bytes.
pub(super) fn read(path: &Path, view: View, bytes: &mut [u8]) -> Result<(), ImageError> {
    show(&open(path)?, view, bytes)
}

/// Writes a view of a photograph, `[SIDE, SIDE, 3]` bytes.
pub(crate) fn show(image: &RgbImage, view: View, bytes: &mut [u8]) -> Result<(), ImageError> {
    let (width, height) = image.dimensions();
    resize(image, view.square(width, height), bytes).map_err(|problem| {
        ImageError::IoError(std::io::Error::other(format!("{width} by {height} pixels: {problem}")))
    })
}

fn resize(
    image: &RgbImage,
    square: Square,
    bytes: &mut [u8],
) -> Result<(), Box<dyn std::error::Error>> {
    let (width, height) = image.dimensions();
    let source = TypedImageRef::<U8x3>::from_buffer(width, height, image.as_raw())?;
    let side = u32::try_from(SIDE)?;
    let mut seen = TypedImage::<U8x3>::from_buffer(side, side, bytes)?;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(square.left, square.top, square.side, square.side);
    // Of one kind of pixel: `resize` is of all that there are, which takes minutes to compile.
    Resizer::new().resize_typed(&source, &mut seen, &options)?;
    if square.is_mirrored {
        for row in bytes.chunks_exact_mut(3 * SIDE) {
            row.as_chunks_mut::<3>().0.reverse();
        }
    }
    Ok(())
}
