//! The colours of all figures and of the page, defined once.
//!
//! A drawing has the light colours. The page repaints it: its style sheet gives every element with
//! a colour of this palette the custom property of the same name, which is another one in the dark.
//!
//! # Source
//!
//! The hues are those of Okabe & Ito (2008), which readers with any kind of colour blindness tell
//! apart, darkened on white and lightened on black until thin lines and small text are readable.
//! The ramp of ordered colours follows viridis without its palest end.

use plotters::style::RGBColor;

/// A colour by its role or hue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Color {
    /// Text and axes.
    Ink,
    /// Text of second rank, and lines to compare with.
    Muted,
    /// Lines of a grid.
    Grid,
    /// The background.
    Paper,
    /// What was measured.
    Blue,
    /// What lacks or fails.
    Vermilion,
    /// What is good.
    Green,
    /// A fit or a model.
    Purple,
    /// A second thing to compare with.
    Amber,
    /// A third thing to compare with.
    Sky,
    /// The i-th of [`N_ORDERED`] colours that ascend, for series with an order.
    Ordered(usize),
}

/// Number of ordered colours.
pub const N_ORDERED: usize = 8;

type Shades = [u32; 2];

const ORDERED: [Shades; N_ORDERED] = [
    [0x44_0F_62, 0xB9_8C_F0],
    [0x46_34_80, 0x93_8D_F5],
    [0x3A_53_8C, 0x6F_9B_F2],
    [0x2C_70_8E, 0x55_B0_E0],
    [0x1E_82_80, 0x3F_C2_B8],
    [0x2C_8A_55, 0x55_CF_86],
    [0x5C_8E_1F, 0xA0_D2_4B],
    [0x8F_7A_00, 0xE3_D0_3A],
];

impl Color {
    /// All colours.
    pub fn all() -> impl Iterator<Item = Color> {
        use Color::{Amber, Blue, Green, Grid, Ink, Muted, Paper, Purple, Sky, Vermilion};
        let named = [Ink, Muted, Grid, Paper, Blue, Vermilion, Green, Purple, Amber, Sky];
        named.into_iter().chain((0..N_ORDERED).map(Color::Ordered))
    }

    /// One of the colours that tell unordered series apart.
    #[must_use]
    pub fn distinct(index: usize) -> Color {
        const DISTINCT: [Color; 6] =
            [Color::Blue, Color::Vermilion, Color::Green, Color::Purple, Color::Amber, Color::Sky];
        DISTINCT[index % DISTINCT.len()]
    }

    /// The colour of the `index`-th of `n` series in an order, spread over the whole ramp.
    #[must_use]
    pub fn ordered(index: usize, n: usize) -> Color {
        let last = n.saturating_sub(1).max(1);
        Color::Ordered((index * (N_ORDERED - 1) + last / 2) / last)
    }

    /// Name of the custom property in the page's style sheet.
    #[must_use]
    pub fn property(self) -> String {
        match self {
            Color::Ordered(index) => format!("--ordered-{index}"),
            named => format!("--{named:?}").to_lowercase(),
        }
    }

    /// On white, as in `#1F2937`.
    #[must_use]
    pub fn light(self) -> String {
        format!("#{:06X}", self.shades()[0])
    }

    /// On the dark background.
    #[must_use]
    pub fn dark(self) -> String {
        format!("#{:06X}", self.shades()[1])
    }

    /// The light colour, as plotters wants it.
    pub(super) fn rgb(self) -> RGBColor {
        let [_, red, green, blue] = self.shades()[0].to_be_bytes();
        RGBColor(red, green, blue)
    }

    /// Light and dark.
    fn shades(self) -> Shades {
        match self {
            Color::Ink => [0x1F_29_37, 0xE6_E9_EF],
            Color::Muted => [0x5B_64_72, 0xA3_AB_B8],
            Color::Grid => [0xE2_E6_EC, 0x2F_37_43],
            Color::Paper => [0xFF_FF_FF, 0x14_18_1F],
            Color::Blue => [0x00_5F_A8, 0x58_B4_F0],
            Color::Vermilion => [0xB8_48_00, 0xFF_8B_4A],
            Color::Green => [0x00_7A_58, 0x35_CC_9E],
            Color::Purple => [0x9A_3D_80, 0xE3_93_C6],
            Color::Amber => [0x96_6A_00, 0xF2_BC_3B],
            Color::Sky => [0x1B_86_B5, 0x8F_D3_F5],
            Color::Ordered(index) => ORDERED[index.min(N_ORDERED - 1)],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Relative luminance, WCAG 2.2.
    fn luminance(hex: &str) -> f64 {
        let channel = |from: usize| {
            let value = u8::from_str_radix(&hex[from..from + 2], 16).unwrap();
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn no_two_colours_are_the_same() {
        // Else the page could not repaint them apart.
        let n = Color::all().count();
        assert_eq!(Color::all().map(Color::light).collect::<BTreeSet<_>>().len(), n);
        assert_eq!(Color::all().map(Color::property).collect::<BTreeSet<_>>().len(), n);
    }

    #[test]
    fn text_and_marks_stand_out_from_the_background() {
        for color in Color::all().filter(|color| !matches!(color, Color::Grid | Color::Paper)) {
            // 4.5 for text and 3 for graphics, WCAG 2.2 criteria 1.4.3 and 1.4.11.
            let least = if matches!(color, Color::Ink | Color::Muted) { 4.5 } else { 3.0 };
            let light = contrast(&color.light(), &Color::Paper.light());
            let dark = contrast(&color.dark(), &Color::Paper.dark());
            assert!(light >= least && dark >= least, "{color:?}: {light:.2} and {dark:.2}");
        }
    }

    #[test]
    fn an_order_uses_the_whole_ramp() {
        assert_eq!(Color::ordered(0, 1), Color::Ordered(0));
        assert_eq!([0, 1, 2].map(|i| Color::ordered(i, 3)), [0, 4, 7].map(Color::Ordered));
        assert_eq!(Color::ordered(7, 8), Color::Ordered(7));
        assert_eq!(Color::ordered(19, 20), Color::Ordered(7));
    }
}
