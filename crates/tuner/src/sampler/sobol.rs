//! Sobol' points with Owen's scrambling.
//!
//! # Equation
//!
//! In each dimension the bits g_0, g_1, ... of g = i xor (i >> 1), the Gray code of the index i,
//! choose direction numbers v_k, and the coordinate before scrambling is
//!
//! ```text
//! x = g_0 v_0 xor g_1 v_1 xor g_2 v_2 xor ...,    v_k = m_(k+1) 2^-(k+1)
//! m_k = 2 a_1 m_(k-1) xor 2^2 a_2 m_(k-2) xor ... xor 2^s m_(k-s) xor m_(k-s)    (k > s)
//! ```
//!
//! with the primitive polynomial (s, a) and m_1 .. m_s of the dimension. Every dimension is then
//! scrambled by itself ([`owen`](super::owen)). Any 2^m points from a multiple of 2^m on are a
//! digital net: each dimension has one point in every interval [j 2^-m, (j + 1) 2^-m).
//!
//! # Source
//!
//! Sobol' 1967; Gray code order: Antonov and Saleev 1979; direction numbers: Joe and Kuo 2008.

use super::direction_numbers::{DIRECTION_NUMBERS, DirectionNumbers};
use super::owen;
use crate::hash::hash;

/// Bits of an index, and of a coordinate before scrambling.
const N_BITS: usize = 64;

/// A sequence of points in the unit cube; point i is a pure function of (seed, i).
#[derive(Debug, Clone)]
pub struct Sobol {
    dimensions: Vec<Dimension>,
}

#[derive(Debug, Clone)]
struct Dimension {
    /// v_k 2^64.
    directions: [u64; N_BITS],
    /// Of the scrambling.
    key: u64,
}

impl Sobol {
    /// Dimensions whose direction numbers are known.
    pub const MAX_DIMENSIONS: usize = DIRECTION_NUMBERS.len() + 1;

    /// The sequence of a seed.
    ///
    /// # Panics
    ///
    /// Where there are more than [`MAX_DIMENSIONS`](Sobol::MAX_DIMENSIONS); no experiment that
    /// passed its check has them.
    #[must_use]
    pub fn new(seed: u64, n_dimensions: usize) -> Sobol {
        let max = Sobol::MAX_DIMENSIONS;
        assert!(n_dimensions <= max, "{n_dimensions} dimensions, of at most {max}");
        let van_der_corput = std::iter::once(std::array::from_fn(|k| 1 << (N_BITS - 1 - k)));
        let directions = van_der_corput.chain(DIRECTION_NUMBERS.iter().map(directions));
        let dimension = |(index, directions)| Dimension { directions, key: hash(&[seed, index]) };
        Sobol { dimensions: (0..).zip(directions.take(n_dimensions)).map(dimension).collect() }
    }

    /// Point `index`, one coordinate in [0, 1) per dimension.
    #[must_use]
    pub fn point(&self, index: u64) -> Vec<f64> {
        let coordinate =
            |dimension: &Dimension| owen::scrambled(dimension.key, dimension.unscrambled(index));
        self.dimensions.iter().map(coordinate).collect()
    }
}

impl Dimension {
    /// x 2^64.
    fn unscrambled(&self, index: u64) -> u64 {
        let gray_code = index ^ (index >> 1);
        let chosen = self.directions.iter().enumerate().filter(|(k, _)| gray_code >> k & 1 == 1);
        chosen.fold(0, |x, (_, direction)| x ^ direction)
    }
}

/// The recurrence of the m_k, in the form of the v_k = m_(k+1) 2^-(k+1), where it shifts less.
fn directions(numbers: &DirectionNumbers) -> [u64; N_BITS] {
    let degree = numbers.initial.len();
    let mut directions = [0; N_BITS];
    for k in 0..N_BITS {
        directions[k] = match numbers.initial.get(k) {
            Some(initial) => initial << (N_BITS - 1 - k),
            None => {
                let first = directions[k - degree] ^ (directions[k - degree] >> degree);
                let is_chosen = |j: &usize| numbers.coefficients >> (degree - 1 - j) & 1 == 1;
                (1..degree).filter(is_chosen).fold(first, |v, j| v ^ directions[k - j])
            }
        };
    }
    directions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unscrambled_points_are_scipys() {
        let fixture = include_str!("../../tests/fixtures/sobol_unscrambled.json");
        let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
        let numbers = |value: &serde_json::Value| -> Vec<u64> {
            value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
        };
        let shift = 64 - fixture["bits"].as_u64().unwrap();
        let sequence = Sobol::new(0, Sobol::MAX_DIMENSIONS);
        let points = fixture["points"].as_array().unwrap();
        assert_eq!(points.len(), 32);
        for (index, point) in numbers(&fixture["indices"]).into_iter().zip(points) {
            let found: Vec<u64> =
                sequence.dimensions.iter().map(|d| d.unscrambled(index) >> shift).collect();
            assert_eq!(found, numbers(point), "point {index}");
        }
    }

    #[test]
    fn direction_numbers_beyond_the_table_keep_the_matrix_triangular() {
        for (index, dimension) in Sobol::new(0, Sobol::MAX_DIMENSIONS).dimensions.iter().enumerate()
        {
            for (k, direction) in dimension.directions.iter().enumerate() {
                assert_eq!(direction.trailing_zeros() as usize, 63 - k, "dimension {index}");
            }
        }
    }
}
