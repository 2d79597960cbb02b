//! Which metaparameters a trial gets: quasi-random search, not adaptive, a pure function of
//! (seed, batch size, trial id), so that lanes, order and resuming cannot change a point.

mod direction_numbers;
mod halton;
mod owen;
mod sobol;
mod uniform;

pub use halton::Halton;
pub use sobol::Sobol;
pub use uniform::Uniform;

use serde::{Deserialize, Serialize};

use crate::experiment::Search;
use crate::hash::hash;
use crate::space::Space;
use crate::trainer::Parameters;

/// The samplers an experiment may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplerKind {
    /// Scrambled Halton points, [`Halton`].
    Halton,
    /// Owen-scrambled Sobol' points, [`Sobol`].
    Sobol,
    /// Independent uniform points, [`Uniform`].
    Uniform,
}

impl SamplerKind {
    /// All samplers with their names in an experiment file.
    pub const NAMES: [(&'static str, SamplerKind); 3] = [
        ("halton", SamplerKind::Halton),
        ("sobol", SamplerKind::Sobol),
        ("uniform", SamplerKind::Uniform),
    ];

    /// Most metaparameters that can be searched at once; `None` for any number.
    #[must_use]
    pub fn max_dimensions(self) -> Option<usize> {
        match self {
            SamplerKind::Sobol => Some(Sobol::MAX_DIMENSIONS),
            SamplerKind::Halton | SamplerKind::Uniform => None,
        }
    }
}

/// The metaparameters of every trial of one study.
#[derive(Debug, Clone)]
pub struct StudySampler {
    space: Space,
    points: Points,
}

#[derive(Debug, Clone)]
enum Points {
    Halton(Halton),
    Sobol(Sobol),
    Uniform(Uniform),
}

impl StudySampler {
    /// The sampler of one batch size. Studies of different batch sizes get independent points, as
    /// the paper searches each anew: a lucky point would otherwise be lucky at every batch size.
    ///
    /// # Panics
    ///
    /// Where the space has more dimensions than [`SamplerKind::max_dimensions`], which the check of
    /// an experiment refuses.
    #[must_use]
    pub fn new(search: &Search, space: &Space, batch_size: u64) -> StudySampler {
        let seed = hash(&[search.seed, batch_size]);
        let n_dimensions = space.n_dimensions();
        let points = match search.sampler {
            SamplerKind::Halton => Points::Halton(Halton::new(seed, n_dimensions)),
            SamplerKind::Sobol => Points::Sobol(Sobol::new(seed, n_dimensions)),
            SamplerKind::Uniform => Points::Uniform(Uniform::new(seed, n_dimensions)),
        };
        StudySampler { space: space.clone(), points }
    }

    /// Metaparameters of a trial.
    #[must_use]
    pub fn parameters(&self, trial_id: u64) -> Parameters {
        let point = match &self.points {
            Points::Halton(halton) => halton.point(trial_id),
            Points::Sobol(sobol) => sobol.point(trial_id),
            Points::Uniform(uniform) => uniform.point(trial_id),
        };
        self.space.parameters(&point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Scale;

    #[test]
    fn the_points_never_change() {
        // Stores rest on these values: a change here is a change of every experiment. They come
        // from an independent implementation with exact fractions.
        let fixture = include_str!("../../tests/fixtures/points.json");
        let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
        let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
        let space = Space { scales: names.map(|name| (name, Scale::Linear(0.0, 1.0))).into() };
        let mut n_points = 0;
        for (name, sampler) in SamplerKind::NAMES {
            for expected in fixture[name].as_array().unwrap() {
                let number = |key: &str| expected[key].as_u64().unwrap();
                let seed = number("seed");
                let search = Search { sampler, n_trials: 4, max_trials: 40, seed, repeats: None };
                let study = StudySampler::new(&search, &space, number("batch_size"));
                let found = study.parameters(number("index"));
                for (found, expected) in found.values().zip(expected["point"].as_array().unwrap()) {
                    let expected = expected.as_f64().unwrap();
                    assert!((found - expected).abs() <= f64::EPSILON, "{name} {found} {expected}");
                }
                n_points += 1;
            }
        }
        assert_eq!(n_points, 3 * 4);
    }
}
