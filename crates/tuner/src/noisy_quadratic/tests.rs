//! The model against the closed forms of the paper.

use super::*;
use crate::trainer::Parameters;

fn trial(batch_size: u64, learning_rate: f64, momentum: f64) -> Trial {
    let parameters: Parameters =
        [("learning_rate".to_owned(), learning_rate), ("momentum".to_owned(), momentum)].into();
    Trial { batch_size, trial_id: 0, seed: 0, parameters }
}

/// Ten coordinates that all start at exactly 1.
fn model() -> NoisyQuadratic {
    NoisyQuadratic { n_dimensions: 10, spread: 0.0, ..NoisyQuadratic::default() }
}

fn loss_after(steps: u64, trial: &Trial) -> f64 {
    let mut model = model();
    let mut trainer = model.build(trial.batch_size, 1).unwrap();
    trainer.start(0, trial).unwrap();
    trainer.advance(&[steps]).unwrap();
    trainer.evaluate(&[0], None).unwrap()[0][METRIC]
}

fn curvatures() -> impl Iterator<Item = f64> {
    (1..=10).map(|i| 1.0 / f64::from(i))
}

#[test]
fn sgd_is_the_published_sum() {
    // E l(t) = (1 - a h)^2t l(0) + (1 - (1 - a h)^2t) a c / (2 B (2 - a h)), with c = h.
    for (batch_size, a, t) in [(1, 0.1, 50), (8, 0.9, 7), (64, 1.7, 200), (4, 0.5, 0)] {
        let expected: f64 = curvatures()
            .map(|h| {
                let decay = (1.0 - a * h).powi(2 * t);
                decay * h / 2.0
                    + (1.0 - decay) * a * h / (2.0 * f64::from(batch_size) * (2.0 - a * h))
            })
            .sum();
        let found = loss_after(t as u64, &trial(batch_size as u64, a, 0.0));
        assert!((found - expected).abs() < 1e-12 * expected.max(1.0), "{found} {expected}");
    }
}

#[test]
fn momentum_forgets_its_start_as_published() {
    // Without noise the factor of E l is ((r1^(t+1) - r2^(t+1) - beta (r1^t - r2^t)) / (r1 - r2))^2
    // with r1, r2 the roots of x^2 - (1 - a h + beta) x + beta; real ones for this choice.
    let (a, beta, t) = (0.01_f64, 0.5_f64, 40);
    let expected: f64 = curvatures()
        .map(|h| {
            let m = 1.0 - a * h + beta;
            let root = (m * m - 4.0 * beta).sqrt();
            let (r1, r2) = ((m + root) / 2.0, (m - root) / 2.0);
            let powers = r1.powi(t + 1) - r2.powi(t + 1) - beta * (r1.powi(t) - r2.powi(t));
            h / 2.0 * (powers / (r1 - r2)).powi(2)
        })
        .sum();
    let found = loss_after(t as u64, &trial(u64::MAX, a, beta));
    assert!((found - expected).abs() < 1e-10 * expected, "{found} {expected}");
}

#[test]
fn momentum_settles_as_published() {
    // (1 + beta) a c / (2 B (2 beta + 2 - a h) (1 - beta)), with c = h.
    let (a, beta, batch_size) = (0.3, 0.8, 16_u64);
    let expected: f64 = curvatures()
        .map(|h| {
            (1.0 + beta) * a * h
                / (2.0 * batch_size as f64 * (2.0 * beta + 2.0 - a * h) * (1.0 - beta))
        })
        .sum();
    let found = loss_after(20_000, &trial(batch_size, a, beta));
    assert!((found - expected).abs() < 1e-9 * expected, "{found} {expected}");
}

#[test]
fn a_rate_beyond_stability_diverges_at_a_step() {
    let mut model = model();
    let mut trainer = model.build(8, 2).unwrap();
    trainer.start(0, &trial(8, 2.1, 0.0)).unwrap();
    trainer.start(1, &trial(8, 0.1, 0.0)).unwrap();
    let at_once = trainer.advance(&[1000, 1000]).unwrap();
    let step = at_once[0].unwrap();
    assert!((1..1000).contains(&step));
    assert_eq!(at_once[1], None);
    trainer.start(0, &trial(8, 2.1, 0.0)).unwrap();
    for before in 0..step {
        assert_eq!(trainer.advance(&[0, 5]).unwrap()[0], None, "{before}");
        let _ = trainer.advance(&[1, 0]).unwrap();
    }
    assert_eq!(trainer.advance(&[0, 0]).unwrap()[0], Some(step));
    trainer.free(0);
    assert_eq!(trainer.advance(&[1, 1]).unwrap()[0], None);
}

#[test]
fn snapshots_go_on_bit_for_bit() {
    let mut model = NoisyQuadratic::default();
    let mut trainer = model.build(4, 3).unwrap();
    let trial = trial(4, 0.4, 0.7);
    trainer.start(0, &trial).unwrap();
    trainer.advance(&[100, 0, 0]).unwrap();
    let snapshot = trainer.snapshot(0).unwrap();
    assert_eq!(trainer.restore(2, &trial, &snapshot).unwrap(), 100);
    trainer.advance(&[50, 0, 20]).unwrap();
    trainer.advance(&[0, 0, 30]).unwrap();
    assert_eq!(trainer.snapshot(0).unwrap(), trainer.snapshot(2).unwrap());
    let losses = trainer.evaluate(&[2, 0], None).unwrap();
    assert_eq!(losses[0], losses[1]);
    assert!(trainer.restore(1, &trial, &snapshot[1..]).is_err());
    let other = Trial { parameters: [("learning_rate".to_owned(), 0.3)].into(), ..trial.clone() };
    let message = trainer.restore(1, &other, &snapshot).unwrap_err().to_string();
    assert_eq!(message, "the snapshot is of another trial");
    assert!(trainer.snapshot(1).is_err() && trainer.evaluate(&[1], None).is_err());
    assert!(trainer.start(3, &trial).is_err() && trainer.advance(&[1]).is_err());
}

#[test]
fn trials_differ_by_their_spread() {
    let mut model = NoisyQuadratic::default();
    let mut trainer = model.build(4, 2).unwrap();
    let first = trial(4, 0.4, 0.0);
    trainer.start(0, &first).unwrap();
    trainer.start(1, &Trial { trial_id: 1, ..first }).unwrap();
    let losses = trainer.evaluate(&[0, 1], None).unwrap();
    let ratio = losses[0][METRIC] / losses[1][METRIC];
    assert!(ratio != 1.0 && (ratio - 1.0).abs() < 0.04, "{ratio}");
}
