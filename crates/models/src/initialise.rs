//! Initial weights from counter-based random numbers.

use std::f64::consts::TAU;

use critbatch_kernels::{Initialiser, Parameter, Purpose, philox4x32, uniform};
use critbatch_tuner::Trial;
use rayon::prelude::*;

use crate::error::ModelError;

/// Standard deviation of a normal that is cut at two standard deviations.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// Part of a normal's numbers that lie within two standard deviations.
const KEPT_FRACTION: f64 = 0.954_499_736_103_641_6;

/// Blocks of four random numbers that a thread draws in one go.
const BLOCKS_PER_PIECE: u32 = 1024;

/// Pieces that are held at a time, 1 MB in all: so much memory do the weights take beside their own.
const MAX_PIECES: u32 = 64;

/// Key of all random numbers of a trial: a hash of (seed, batch size, trial id).
///
/// # Errors
/// If batch size or trial id do not fit 32 bits.
pub fn trial_key(trial: &Trial) -> Result<[u32; 2], ModelError> {
    let word = |what, value: u64| {
        let limit = u64::from(u32::MAX);
        u32::try_from(value).map_err(|_| ModelError::TooLarge { what, value, limit })
    };
    let trial_id = word("trial id", trial.trial_id)?;
    let batch_size = word("batch size", trial.batch_size)?;
    let (seed_low, seed_high) = (trial.seed & 0xFFFF_FFFF, trial.seed >> 32);
    let seed = [word("seed", seed_low)?, word("seed", seed_high)?];
    let [first, second, ..] = philox4x32(seed, [trial_id, batch_size, Purpose::Key as u32, 0]);
    Ok([first, second])
}

/// All parameters of a network at the start of a trial, in the order of declaration.
///
/// LeCun normal: normal numbers by Box and Muller, those beyond two standard deviations left out,
/// scaled to variance `1 / fan_in`.
///
/// # Source
/// LeCun et al. 1998, "Efficient BackProp"; truncated as JAX's `lecun_normal`.
///
/// # Numerics
/// Drawn in f64 and rounded. Threads share the work, in pieces that the counter decides; no bit
/// depends on how many there are.
pub fn initial_parameters(parameters: &[Parameter], key: [u32; 2]) -> Vec<f32> {
    let mut values = Vec::with_capacity(parameters.iter().map(|p| p.shape.len()).sum());
    for (parameter, stream) in parameters.iter().zip(0..) {
        let len = parameter.shape.len();
        match parameter.initialiser {
            Initialiser::Zeros => values.resize(values.len() + len, 0.0),
            Initialiser::Ones => values.resize(values.len() + len, 1.0),
            Initialiser::StandardMoments => {
                values.resize(values.len() + len / 2, 0.0);
                values.resize(values.len() + len / 2, 1.0);
            }
            Initialiser::Sinusoids { columns } => push_sinusoids(&mut values, len, columns),
            Initialiser::LecunNormal { fan_in } => {
                #[expect(clippy::cast_precision_loss, reason = "a fan-in is far below 2^52")]
                let scale = 1.0 / (fan_in as f64).sqrt() / TRUNCATED_DEVIATION;
                draw_truncated_normals(&mut values, len, scale, key, stream);
            }
        }
    }
    values
}

/// Appends rows of sines and cosines: see [`Initialiser::Sinusoids`].
#[expect(clippy::cast_precision_loss, reason = "places and columns are far below 2^52")]
fn push_sinusoids(values: &mut Vec<f32>, len: usize, columns: usize) {
    values.extend((0..len).map(|index| {
        let (place, column) = (index / columns, index % columns);
        let exponent = (column / 2 * 2) as f64 / columns as f64;
        let angle = place as f64 / 10_000_f64.powf(exponent);
        #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
        let value = if column % 2 == 0 { angle.sin() } else { angle.cos() } as f32;
        value
    }));
}

/// Appends `len` normal numbers within two standard deviations, of deviation `scale` before the
/// cut: the first ones of a parameter's stream.
fn draw_truncated_normals(
    values: &mut Vec<f32>,
    len: usize,
    scale: f64,
    key: [u32; 2],
    stream: u32,
) {
    let end = values.len() + len;
    let mut first = 0;
    while values.len() < end {
        // As many pieces as are needed if each keeps its share; more in another turn, if not.
        let kept_per_piece = f64::from(BLOCKS_PER_PIECE * 4) * KEPT_FRACTION;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a network has fewer than 2^32 weights"
        )]
        let n_pieces = ((end - values.len()) as f64 / kept_per_piece).ceil() as u32;
        let n_pieces = n_pieces.min(MAX_PIECES);
        let pieces: Vec<Vec<f32>> = (first..first + n_pieces)
            .into_par_iter()
            .map(|piece| truncated_normals(piece, scale, key, stream))
            .collect();
        pieces.iter().for_each(|piece| values.extend_from_slice(piece));
        first += n_pieces;
    }
    values.truncate(end);
}

/// The numbers of one piece of a stream, in order, without those beyond two standard deviations.
fn truncated_normals(piece: u32, scale: f64, key: [u32; 2], stream: u32) -> Vec<f32> {
    let mut values = Vec::with_capacity(4 * BLOCKS_PER_PIECE as usize);
    for block in piece * BLOCKS_PER_PIECE..(piece + 1) * BLOCKS_PER_PIECE {
        let bits = philox4x32(key, [block, 0, Purpose::Initialise as u32, stream]);
        let [a, b, c, d] = bits.map(uniform);
        let ((first, second), (third, fourth)) = (box_muller(a, b), box_muller(c, d));
        for z in [first, second, third, fourth] {
            if z.abs() <= 2.0 {
                #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
                values.push((scale * z) as f32);
            }
        }
    }
    values
}

/// Two independent standard normal numbers from two uniform ones in (0, 1).
fn box_muller(a: f64, b: f64) -> (f64, f64) {
    let radius = (-2.0 * a.ln()).sqrt();
    let (sine, cosine) = (TAU * b).sin_cos();
    (radius * cosine, radius * sine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use critbatch_kernels::Graph;

    fn weights(key: [u32; 2]) -> Vec<f32> {
        let mut graph = Graph::new();
        let lecun = Initialiser::LecunNormal { fan_in: 400 };
        graph.parameter("a", &[400, 250], lecun).unwrap();
        graph.parameter("bias", &[250], Initialiser::Zeros).unwrap();
        graph.parameter("b", &[400, 250], lecun).unwrap();
        initial_parameters(graph.parameters(), key)
    }

    #[test]
    fn weights_have_variance_one_over_fan_in_and_no_tails() {
        let weights = weights([1, 2]);
        let kernel: Vec<f64> = weights[..100_000].iter().map(|&w| f64::from(w)).collect();
        let mean = kernel.iter().sum::<f64>() / 1e5;
        let variance = kernel.iter().map(|w| w * w).sum::<f64>() / 1e5;
        // Standard errors: 0.05 / sqrt(1e5) = 1.6e-4, and about 0.4 % of the variance.
        assert!(mean.abs() < 8e-4, "mean {mean}");
        assert!(
            (variance * 400.0 - 1.0).abs() < 0.02,
            "variance times fan-in {}",
            variance * 400.0
        );
        let largest = kernel.iter().fold(0.0_f64, |max, w| max.max(w.abs()));
        assert!(largest <= 2.0 * 0.05 / TRUNCATED_DEVIATION + 1e-9, "largest weight {largest}");
        assert!(weights[100_000..100_250].iter().all(|&bias| bias == 0.0), "biases start at zero");
    }

    /// The definition, one number after the other, in place of pieces on threads.
    #[test]
    fn weights_are_the_stream_in_order() {
        let normals = |stream: u32| {
            let blocks = (0_u32..).flat_map(move |block| {
                let counter = [block, 0, Purpose::Initialise as u32, stream];
                let [a, b, c, d] = philox4x32([1, 2], counter).map(uniform);
                let ((first, second), (third, fourth)) = (box_muller(a, b), box_muller(c, d));
                [first, second, third, fourth]
            });
            blocks.filter(|z| z.abs() <= 2.0)
        };
        let scale = 1.0 / 20.0 / TRUNCATED_DEVIATION;
        let expected = |stream| normals(stream).take(100_000).map(|z| (scale * z) as f32);
        let weights = weights([1, 2]);
        assert!(weights[..100_000].iter().copied().eq(expected(0)), "the first parameter");
        assert!(weights[100_250..].iter().copied().eq(expected(2)), "the third parameter");
    }

    #[test]
    fn a_piece_keeps_its_share() {
        let n_kept: usize = (0..50).map(|p| truncated_normals(p, 1.0, [3, 4], 0).len()).sum();
        let n_drawn = 50.0 * 4.0 * f64::from(BLOCKS_PER_PIECE);
        // Standard error: sqrt(0.0434 / 204800) = 4.6e-4.
        assert!((n_kept as f64 / n_drawn - KEPT_FRACTION).abs() < 2e-3, "{n_kept} of {n_drawn}");
    }

    #[test]
    fn keys_and_parameters_have_streams_of_their_own() {
        let first = weights([1, 2]);
        assert_eq!(first, weights([1, 2]));
        assert_ne!(first[..10], weights([1, 3])[..10]);
        assert_ne!(first[..10], first[100_250..100_260]);
    }

    #[test]
    fn keys_depend_on_every_part_of_the_name() {
        let trial = Trial { batch_size: 8, trial_id: 3, seed: 7, parameters: [].into() };
        let others = [
            Trial { batch_size: 16, ..trial.clone() },
            Trial { trial_id: 4, ..trial.clone() },
            Trial { seed: 8, ..trial.clone() },
            Trial { seed: 7 | 1 << 40, ..trial.clone() },
        ];
        let key = trial_key(&trial).unwrap();
        for other in others {
            assert_ne!(key, trial_key(&other).unwrap(), "{other:?}");
        }
    }
}
