//! Axes: from numbers to a place between 0 and 1, and where the ticks are.

/// Along which function of the numbers an axis is even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AxisScale {
    /// The number itself.
    Linear,
    /// Its binary logarithm, with ticks at powers of two.
    Log2,
    /// Its decimal logarithm.
    Log10,
}

/// An axis from one number to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How it is spaced.
    pub scale: AxisScale,
    /// Where it begins; above 0 on a logarithmic axis.
    pub from: f64,
    /// Where it ends, above `from`.
    pub to: f64,
}

/// A number with its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where it is.
    pub at: f64,
    /// What stands there.
    pub label: String,
}

/// Powers of two from here on are written as powers.
const FIRST_WRITTEN_EXPONENT: i32 = 14;

impl AxisScale {
    /// Whether the axis has a place for a number.
    #[must_use]
    pub fn has(self, value: f64) -> bool {
        value.is_finite() && (self == AxisScale::Linear || value > 0.0)
    }

    fn forward(self, value: f64) -> f64 {
        match self {
            AxisScale::Linear => value,
            AxisScale::Log2 => value.log2(),
            AxisScale::Log10 => value.log10(),
        }
    }

    fn backward(self, value: f64) -> f64 {
        match self {
            AxisScale::Linear => value,
            AxisScale::Log2 => value.exp2(),
            AxisScale::Log10 => 10.0_f64.powf(value),
        }
    }

    /// The narrowest range that is worth an axis, in the scale's own units.
    fn least_extent(self, middle: f64) -> f64 {
        match self {
            AxisScale::Linear => 0.1 * middle.abs().max(1e-6),
            AxisScale::Log2 => 2.0,
            AxisScale::Log10 => 0.5,
        }
    }
}

impl Axis {
    /// An axis with some room around all numbers that have a place on it.
    #[must_use]
    pub fn around(label: &str, scale: AxisScale, values: impl IntoIterator<Item = f64>) -> Axis {
        let values = values.into_iter().filter(|value| scale.has(*value));
        let (lowest, highest) = values
            .map(|value| scale.forward(value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lowest, highest), value| {
                (lowest.min(value), highest.max(value))
            });
        let (lowest, highest) = if lowest <= highest { (lowest, highest) } else { (0.0, 1.0) };
        let middle = 0.5 * (lowest + highest);
        let half = 0.5 * (highest - lowest).max(scale.least_extent(middle)) * 1.12;
        let (from, to) = (scale.backward(middle - half), scale.backward(middle + half));
        Axis { label: label.to_owned(), scale, from, to }
    }

    /// The axis begins at 0, where it is linear and has no negative numbers.
    #[must_use]
    pub fn from_zero(mut self) -> Axis {
        if self.scale == AxisScale::Linear && self.to > 0.0 {
            self.from = 0.0;
        }
        self
    }

    /// Where a number is: 0 at the beginning of the axis, 1 at its end, anything outside; `None`
    /// where the axis has no place for it.
    #[must_use]
    pub fn place(&self, value: f64) -> Option<f64> {
        let [from, to] = [self.from, self.to].map(|end| self.scale.forward(end));
        self.scale.has(value).then(|| (self.scale.forward(value) - from) / (to - from))
    }

    /// The number at a place, inverse of [`place`](Axis::place).
    #[must_use]
    pub fn at(&self, place: f64) -> f64 {
        let [from, to] = [self.from, self.to].map(|end| self.scale.forward(end));
        self.scale.backward(from + place * (to - from))
    }

    /// At most about `n` ticks within the axis, by ascending number.
    #[must_use]
    pub fn ticks(&self, n: usize) -> Vec<Tick> {
        let n = n.max(2);
        match self.scale {
            AxisScale::Linear => self.linear_ticks(n),
            AxisScale::Log2 => self.binary_ticks(n),
            AxisScale::Log10 => self.decimal_ticks(n),
        }
    }

    fn linear_ticks(&self, n: usize) -> Vec<Tick> {
        let step = nice_step((self.to - self.from) / n as f64);
        if !(step.is_finite() && step > 0.0) {
            return vec![];
        }
        // Half a millionth of a step forgives the rounding of the ends.
        let first = (self.from / step - 5e-7).ceil();
        let n_ticks = ((self.to / step + 5e-7).floor() - first).clamp(0.0, 100.0) as u32;
        let at = (0..=n_ticks).map(|index| (first + f64::from(index)) * step);
        let largest = self.from.abs().max(self.to.abs());
        at.map(|at| Tick { at, label: linear_label(at, step, largest) }).collect()
    }

    fn binary_ticks(&self, n: usize) -> Vec<Tick> {
        let (first, last) = whole_exponents(self.from.log2(), self.to.log2());
        let stride = (last - first) / i32::try_from(n).unwrap_or(i32::MAX) + 1;
        let exponents = (first..=last).filter(|exponent| exponent.rem_euclid(stride) == 0);
        let are_powers = last >= FIRST_WRITTEN_EXPONENT || first < 0;
        let label = |exponent: i32| match are_powers {
            true => power("2", exponent),
            false => crate::format::count(1 << exponent),
        };
        exponents.map(|e| Tick { at: f64::from(e).exp2(), label: label(e) }).collect()
    }

    fn decimal_ticks(&self, n: usize) -> Vec<Tick> {
        let (from, to) = (self.from.log10(), self.to.log10());
        let (first, last) = whole_exponents(from, to);
        let digits: &[f64] = match to - from {
            // Less than a decade has too few round numbers of its own.
            extent if extent < 0.9 => return self.linear_ticks(n),
            extent if extent < 1.6 => &[1.0, 2.0, 5.0],
            extent if extent < 2.6 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let stride = (last - first) / i32::try_from(n).unwrap_or(i32::MAX) + 1;
        let exponents = (first - 1..=last).filter(|exponent| exponent.rem_euclid(stride) == 0);
        let numbers = exponents.flat_map(|e| digits.iter().map(move |d| d * 10.0_f64.powi(e)));
        let within = numbers.filter(|at| (self.from..=self.to).contains(at));
        let is_short = first >= -3 && last <= 4;
        let label = |at: f64| match is_short || digits.len() > 1 {
            true if (1.0..1e7).contains(&at) => crate::format::count(at.round() as u64),
            true => crate::format::number(at),
            #[expect(clippy::cast_possible_truncation, reason = "an exponent of an f64 is small")]
            false => power("10", at.log10().round() as i32),
        };
        within.map(|at| Tick { at, label: label(at) }).collect()
    }
}

/// The whole numbers between two, first and last; empty ranges have the last below the first.
fn whole_exponents(from: f64, to: f64) -> (i32, i32) {
    #[expect(clippy::cast_possible_truncation, reason = "logarithms of an f64 are small")]
    ((from - 1e-9).ceil() as i32, (to + 1e-9).floor() as i32)
}

/// The least of 1, 2, 2.5, 5 times a power of ten that is not below a number.
fn nice_step(least: f64) -> f64 {
    let power = 10.0_f64.powf(least.log10().floor());
    let nice = [1.0, 2.0, 2.5, 5.0].into_iter().find(|digit| digit * power >= least * 0.999);
    nice.unwrap_or(10.0) * power
}

/// With as many decimals as the step has.
fn linear_label(at: f64, step: f64, largest: f64) -> String {
    if at == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e7).contains(&largest) {
        return crate::format::number(at);
    }
    let decimals = (0..8).find(|decimals| {
        let scaled = step * 10.0_f64.powi(*decimals);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    });
    match decimals {
        Some(0) if at >= 0.0 => crate::format::count(at.round() as u64),
        Some(decimals) => format!("{at:.*}", decimals.cast_unsigned() as usize),
        None => crate::format::number(at),
    }
}

/// `2¹⁶`.
fn power(base: &str, exponent: i32) -> String {
    const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let sign = if exponent < 0 { "⁻" } else { "" };
    let digits = exponent.unsigned_abs().to_string();
    let superscript = digits.bytes().map(|digit| SUPERSCRIPTS[usize::from(digit - b'0')]);
    format!("{base}{sign}{}", superscript.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: AxisScale, from: f64, to: f64, n: usize) -> Vec<String> {
        let axis = Axis { label: String::new(), scale, from, to };
        let ticks = axis.ticks(n);
        assert!(
            ticks.iter().all(|tick| (-1e-6..1.0 + 1e-6).contains(&axis.place(tick.at).unwrap()))
        );
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn places_are_even_in_the_scale() {
        let axis = Axis { label: String::new(), scale: AxisScale::Log2, from: 2.0, to: 32.0 };
        assert_eq!(axis.place(8.0), Some(0.5));
        assert_eq!(axis.place(1.0), Some(-0.25));
        assert_eq!(axis.place(0.0), None);
        assert_eq!(axis.place(f64::NAN), None);
        assert!((axis.at(0.5) - 8.0).abs() < 1e-12);
    }

    #[test]
    fn room_is_on_both_sides_and_nothing_to_show_has_an_axis_all_the_same() {
        let axis = Axis::around("x", AxisScale::Log2, [2.0, 0.0, f64::NAN, 2048.0]);
        assert!(axis.from < 2.0 && axis.to > 2048.0);
        for scale in [AxisScale::Linear, AxisScale::Log2, AxisScale::Log10] {
            let empty = Axis::around("x", scale, []);
            assert!(empty.from < empty.to && !empty.ticks(5).is_empty(), "{empty:?}");
            let single = Axis::around("x", scale, [0.03]);
            assert!(single.from < 0.03 && single.to > 0.03 && !single.ticks(5).is_empty());
        }
    }

    #[test]
    fn ticks_are_round_numbers() {
        use AxisScale::{Linear, Log2, Log10};
        assert_eq!(labels(Linear, 0.0, 1000.0, 5), ["0", "200", "400", "600", "800", "1,000"]);
        assert_eq!(labels(Linear, 0.012, 0.031, 4), ["0.015", "0.020", "0.025", "0.030"]);
        assert_eq!(labels(Linear, -1.0, 1.0, 4), ["-1.0", "-0.5", "0", "0.5", "1.0"]);
        assert_eq!(labels(Log2, 1.9, 17.0, 12), ["2", "4", "8", "16"]);
        assert_eq!(labels(Log2, 0.9, 65_540.0, 6), ["2⁰", "2³", "2⁶", "2⁹", "2¹²", "2¹⁵"]);
        assert_eq!(labels(Log2, 0.4, 2.1, 6), ["2⁻¹", "2⁰", "2¹"]);
        assert_eq!(labels(Log10, 1e-3, 10.5, 6), ["0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(labels(Log10, 1e-6, 10.5, 4), ["10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]);
        assert_eq!(labels(Log10, 0.9, 21.0, 6), ["1", "2", "5", "10", "20"]);
        assert_eq!(labels(Log10, 2e5, 4e6, 6), ["200,000", "500,000", "1,000,000", "2,000,000"]);
        assert_eq!(labels(Log10, 0.018, 0.042, 4), ["0.02", "0.03", "0.04"]);
    }
}
