//! Made-up measurements of one trial.

use std::fmt::Write as _;

/// SplitMix64 (Steele et al. 2014), one stream for each study.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, stream: u64) -> Random {
        let mut random = Random(seed);
        random.0 = random.next() ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform below `n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        (self.unit() * n as f64) as u64
    }
}

/// What the curves of a workload look like.
pub(super) struct Shape {
    splits: &'static [&'static str],
    /// Errors fall from the first to around the second value; precisions rise.
    cross_entropy_error: (f64, f64),
    classification_error: Option<(f64, f64)>,
    average_precision: Option<(f64, f64)>,
}

impl Shape {
    /// Curves that end around the paper's goal of the workload.
    pub(super) fn of(dataset: &str, model: &str) -> Shape {
        const ALL: &[&str] = &["train", "val", "test"];
        let classification = |start: f64, end: f64| Shape {
            splits: ALL,
            cross_entropy_error: ((1.0 / (1.0 - start)).ln(), 4.0 * end),
            classification_error: Some((start, end)),
            average_precision: None,
        };
        let dataset = dataset.rsplit('/').next().unwrap_or_default();
        match dataset {
            "lm1b" | "common_crawl" => Shape {
                splits: if dataset == "lm1b" { ALL } else { &ALL[..2] },
                cross_entropy_error: (10.3, if model == "transformer_base" { 3.9 } else { 4.1 }),
                classification_error: None,
                average_precision: None,
            },
            "open_images_v4" => Shape {
                splits: ALL,
                cross_entropy_error: (0.7, 0.01),
                classification_error: None,
                average_precision: Some((0.01, 0.31)),
            },
            "cifar_10" => classification(0.9, 0.3),
            "fashion_mnist" => classification(0.9, 0.1),
            "mnist" if model.starts_with("fc") => classification(0.9, 0.03),
            "mnist" => classification(0.9, 0.01),
            name if name.starts_with("mnist") => classification(0.9, 0.02),
            _ => classification(0.999, if model == "vgg_11" { 0.35 } else { 0.25 }),
        }
    }

    fn metrics(&self) -> Vec<(String, f64, f64)> {
        let names = [
            ("cross_entropy_error", Some(self.cross_entropy_error)),
            ("classification_error", self.classification_error),
            ("average_precision", self.average_precision),
        ];
        let of_split = |split: &&str| {
            let named = names.iter().filter_map(|(name, ends)| ends.map(|ends| (name, ends)));
            named.map(|(name, (start, end))| (format!("{split}/{name}"), start, end)).collect()
        };
        self.splits.iter().flat_map(|split| -> Vec<_> { of_split(split) }).collect()
    }
}

/// The text of `measurements.csv`, its number of rows, and the trial's steps.
pub(super) fn measurements(
    shape: &Shape,
    train_steps: u64,
    diverges: bool,
    random: &mut Random,
) -> (String, u64, u64) {
    let metrics = shape.metrics();
    let mut text = "step".to_owned();
    metrics.iter().for_each(|(name, ..)| text.extend([",", name]));
    text.push('\n');
    let n_rows = 150 + random.below(437);
    let interval = (train_steps / (2 * n_rows)).max(1);
    // How near the end of the curve this trial comes, and how fast.
    let (quality, half_life) = (0.7 + 0.6 * random.unit(), 0.02 + 0.2 * random.unit());
    let diverges_at = if diverges { random.below(n_rows) } else { u64::MAX };
    let mut step = 0;
    for row in 0..n_rows {
        write!(text, "{step}").expect("text takes any text");
        let left = (-(row as f64) / (n_rows as f64 * half_life)).exp2();
        for (name, start, end) in &metrics {
            text.push(',');
            let end = if end > start { end / quality } else { end * quality };
            let noise = 1.0 + 0.04 * (random.unit() - 0.5);
            let value = (end + (start - end) * left) * noise;
            // Counts of 50,045 examples, as far as it is a fraction of them.
            let value = match name.ends_with("classification_error") {
                true => (value.min(1.0) * 50_045.0).round() / 50_045.0,
                false => value,
            };
            if row < diverges_at {
                write!(text, "{value}").expect("text takes any text");
            }
        }
        text.push('\n');
        if row + 1 < n_rows {
            step += interval * (1 + random.below(3));
        }
    }
    (text, n_rows, step)
}
