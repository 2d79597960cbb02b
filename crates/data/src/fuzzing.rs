//! Parsers of bytes that come from anywhere, for the targets in `fuzz/`; built for them only.

use std::io::Cursor;
use std::path::Path;

use image::RgbImage;

use crate::photos::{self, decode};
use crate::read::{Content, read_gzip};
use crate::text;
use crate::{View, idx as idx_format, records};

/// Bytes of content at most.
const LIMIT_BYTES: usize = 1 << 20;

/// Images and labels in the IDX format.
pub fn idx(content: &[u8]) {
    let path = Path::new("fuzzed");
    let gunzipped = read_gzip(path, content, LIMIT_BYTES).map(|content| content.bytes);
    for content in [content, &gunzipped.unwrap_or_default()] {
        if let Ok([n]) = idx_format::parse::<1>(path, content) {
            assert_eq!(content.len(), idx_format::header_len(1) + n);
        }
        if let Ok([n, height, width]) = idx_format::parse::<3>(path, content) {
            assert_eq!(content.len(), idx_format::header_len(3) + n * height * width);
        }
    }
}

/// Records of a label and an image of 4 x 4 pixels in 3 channels.
pub fn cifar(content: &[u8]) {
    const SHAPE: [usize; 3] = [4, 4, 3];
    let n_records = content.first().map_or(0, |&n| usize::from(n % 8));
    let content = Content { path: "fuzzed".into(), bytes: content.to_vec() };
    if records::check_len(&content, n_records, SHAPE).is_ok() {
        let mut pixels = vec![];
        records::append_pixels(&content.bytes, SHAPE, &mut pixels);
        assert_eq!(pixels.len(), n_records * 48);
        assert_eq!(records::labels(&content.bytes, SHAPE).len(), n_records);
    }
}

/// A web archive, and the same as plain text.
pub fn warc(content: &[u8]) {
    for layout in [text::Layout::Wet, text::Layout::Text] {
        for is_gzip in [false, true] {
            for line in text::Lines::of_bytes(content.to_vec(), is_gzip, layout) {
                let Ok(line) = line else { break };
                assert!(!line.trim().is_empty() && line.trim() == line);
            }
        }
    }
}

/// A photograph, seen whole and in part.
pub fn photograph(content: &[u8]) {
    let Ok(image) = decode::decode(Cursor::new(content)) else { return };
    see(&image, View::Central);
    see(&image, View::Random([7, 1 << 31, u32::MAX, 1]));
}

fn see(image: &RgbImage, view: View) {
    let mut bytes = vec![0; 3 * photos::SIDE * photos::SIDE];
    // A photograph of a pixel's height may be refused.
    let _ = decode::show(image, view, &mut bytes);
}
