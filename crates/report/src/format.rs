//! Numbers as people like to read them.

use std::time::Duration;

use critbatch_tuner::{
    BatchSizeEstimate, BatchSizeInterval, Determination, Goal, Question, Threshold, Workload,
};

/// A count with commas: `12,800`.
#[must_use]
pub fn count(n: u64) -> String {
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

/// Where a regime ends, `at least` or `at most` so much if it is only a bound: `at least 512`.
#[must_use]
pub fn batch_size(estimate: BatchSizeEstimate) -> String {
    let bound = match estimate.determination {
        Determination::OnlyLowerBound => "at least ",
        Determination::OnlyUpperBound => "at most ",
        _ => "",
    };
    format!("{bound}{}", count(estimate.value))
}

/// An interval of batch sizes with open ends: `16 or less to 512`.
#[must_use]
pub fn batch_sizes(interval: BatchSizeInterval) -> String {
    let BatchSizeInterval { low, high, is_open_below, is_open_above } = interval;
    let less = if is_open_below { " or less" } else { "" };
    let more = if is_open_above { " or more" } else { "" };
    format!("{}{less} to {}{more}", count(low), count(high))
}

/// Four significant digits. Just below 1, as momenta are, three digits of the distance to 1.
#[must_use]
pub fn number(value: f64) -> String {
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
#[must_use]
pub fn rate(per_second: f64) -> String {
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
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// `mnist / simple_cnn_base / momentum`.
#[must_use]
pub fn workload(workload: &Workload) -> String {
    format!("{} / {} / {}", workload.dataset, workload.model, workload.optimizer)
}

/// `val/classification_error < 0.08`.
#[must_use]
pub fn goal(goal: &Goal) -> String {
    match goal.threshold {
        Threshold::Below(value) => format!("{} < {}", goal.metric, number(value)),
        Threshold::Above(value) => format!("{} > {}", goal.metric, number(value)),
    }
}

/// A goal with its budgets: `val/classification_error < 0.08 within 2,000 steps`.
#[must_use]
pub fn question(question: &Question) -> String {
    let steps = question.max_steps.map(|steps| format!("{} steps", count(steps)));
    let examples = question.max_examples.map(|examples| format!("{} examples", count(examples)));
    let budgets: Vec<String> = steps.into_iter().chain(examples).collect();
    match budgets.is_empty() {
        true => goal(&question.goal),
        false => format!("{} within {}", goal(&question.goal), list(&budgets)),
    }
}

/// A number of which only the order matters, to two digits or as a whole number: `310`, `4.2`.
#[must_use]
pub fn rounded(value: f64) -> String {
    if !(1.0..1e15).contains(&value.abs()) {
        return number(value);
    }
    #[expect(clippy::cast_possible_truncation, reason = "an exponent of an f64 is small")]
    let digits = value.abs().log10().floor() as i32;
    match digits {
        0 => without_zeros(&format!("{value:.1}")).to_owned(),
        digits => {
            let unit = 10.0_f64.powi((digits - 1).max(0));
            let rounded = (value / unit).round() * unit;
            let sign = if rounded < 0.0 { "-" } else { "" };
            format!("{sign}{}", count(rounded.abs().round() as u64))
        }
    }
}

/// A duration in seconds, also of less than a second: `12 ms`, `3 min 12 s`.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if !(s.is_finite() && s >= 0.0) => "unknown".to_owned(),
        s if s < 1e-3 => format!("{} µs", rounded(s * 1e6)),
        s if s < 1.0 => format!("{} ms", rounded(s * 1e3)),
        s if s < 10.0 => format!("{} s", rounded(s)),
        s => Duration::try_from_secs_f64(s).map_or("unknown".to_owned(), duration),
    }
}

/// `2, 8 and 1,024`.
#[must_use]
pub fn counts(items: impl IntoIterator<Item = u64>) -> String {
    list(&items.into_iter().map(count).collect::<Vec<_>>())
}

/// `2, 8 and 32`.
#[must_use]
pub fn list(items: &[String]) -> String {
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
    fn orders_of_magnitude_are_short() {
        let values = [0.0, 0.123_45, 1.26, 9.96, 31.4, 314.2, 31_415.9, 1e18, -42.4];
        let expected = ["0", "0.1235", "1.3", "10", "31", "310", "31,000", "1e18", "-42"];
        assert_eq!(values.map(rounded), expected);
        let durations = [2e-6, 0.0123, 1.26, 75.0, -1.0];
        assert_eq!(durations.map(seconds), ["2 µs", "12 ms", "1.3 s", "1 min 15 s", "unknown"]);
    }

    #[test]
    fn lists_read_like_sentences() {
        let items = ["2", "8", "32"].map(str::to_owned);
        assert_eq!(list(&items), "2, 8 and 32");
        assert_eq!(list(&items[..1]), "2");
    }
}
