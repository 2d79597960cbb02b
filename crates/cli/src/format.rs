//! Numbers as people like to read them.

use std::time::Duration;

use critbatch_tuner::{Goal, Threshold, Workload};

/// A count with commas: `12,800`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Four significant digits. Just below 1, as momenta are, three digits of the distance to 1.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    #[expect(clippy::cast_possible_truncation, reason = "an exponent of an f64 is small")]
    let exponent = |value: f64| value.abs().log10().floor() as i32;
    let decimals = match (0.9..1.0).contains(&value) {
        true => 2 - exponent(1.0 - value),
        false => 3 - exponent(value),
    };
    match usize::try_from(decimals.max(0)) {
        Ok(decimals) if (-4..6).contains(&exponent(value)) => {
            without_zeros(&format!("{value:.decimals$}")).to_owned()
        }
        _ => {
            let text = format!("{value:.3e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{}e{exponent}", without_zeros(mantissa))
        }
    }
}

fn without_zeros(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// A rate with a unit prefix: `8.1k`.
pub(crate) fn rate(per_second: f64) -> String {
    let (scaled, prefix) = match per_second {
        r if r >= 1e9 => (r / 1e9, "G"),
        r if r >= 1e6 => (r / 1e6, "M"),
        r if r >= 1e3 => (r / 1e3, "k"),
        r => (r, ""),
    };
    match scaled < 10.0 && !prefix.is_empty() {
        true => format!("{scaled:.1}{prefix}"),
        false => format!("{scaled:.0}{prefix}"),
    }
}

/// A duration by its two largest units: `3 min 12 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// `mnist / simple_cnn_base / momentum`.
pub(crate) fn workload(workload: &Workload) -> String {
    format!("{} / {} / {}", workload.dataset, workload.model, workload.optimizer)
}

/// `val/classification_error < 0.08`.
pub(crate) fn goal(goal: &Goal) -> String {
    match goal.threshold {
        Threshold::Below(value) => format!("{} < {}", goal.metric, number(value)),
        Threshold::Above(value) => format!("{} > {}", goal.metric, number(value)),
    }
}

/// `2, 8 and 32`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas() {
        assert_eq!(
            [0, 999, 1_000, 55_000, 1_234_567].map(count),
            ["0", "999", "1,000", "55,000", "1,234,567"]
        );
    }

    #[test]
    fn numbers_are_short_and_keep_what_matters() {
        let values = [0.0, 0.1, 0.012_345_6, 1.5, 2_000.0, 9.876_54e-6, 1.2e9, -0.25];
        let expected = ["0", "0.1", "0.01235", "1.5", "2000", "9.877e-6", "1.2e9", "-0.25"];
        assert_eq!(values.map(number), expected);
        assert_eq!([0.9, 0.952_31, 0.998_765_4].map(number), ["0.9", "0.9523", "0.99877"]);
        assert_eq!(number(0.999_999_9), "0.9999999");
        assert_eq!(number(f64::NAN), "NaN");
    }

    #[test]
    fn rates_and_durations_have_units() {
        assert_eq!([12.4, 8_123.0, 56_789.0, 2.5e6].map(rate), ["12", "8.1k", "57k", "2.5M"]);
        let seconds = [0, 192, 3_900, 100_000];
        let texts = seconds.map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(texts, ["0 s", "3 min 12 s", "1 h 5 min", "1 d 3 h"]);
    }

    #[test]
    fn lists_read_like_sentences() {
        let items = ["2", "8", "32"].map(str::to_owned);
        assert_eq!(list(&items), "2, 8 and 32");
        assert_eq!(list(&items[..1]), "2");
    }
}
