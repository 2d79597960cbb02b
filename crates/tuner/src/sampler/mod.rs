//! Which metaparameters a trial gets: quasi-random search, not adaptive, a pure function of
//! (seed, batch size, trial id), so that lanes, order and resuming cannot change a point.

mod halton;

pub use halton::Halton;

use serde::{Deserialize, Serialize};

use crate::experiment::Search;
use crate::hash::hash;
use crate::space::Space;
use crate::trainer::Parameters;

/// The samplers an experiment may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplerKind {
    /// Scrambled and shifted Halton points, [`Halton`].
    Halton,
}

/// The metaparameters of every trial of one study.
#[derive(Debug, Clone)]
pub struct StudySampler {
    space: Space,
    points: Halton,
}

impl StudySampler {
    /// The sampler of one batch size. Studies of different batch sizes get independent points, as
    /// the paper searches each anew: a lucky point would otherwise be lucky at every batch size.
    #[must_use]
    pub fn new(search: &Search, space: &Space, batch_size: u64) -> StudySampler {
        let SamplerKind::Halton = search.sampler;
        let seed = hash(&[search.seed, batch_size]);
        let points = Halton::new(seed, space.n_dimensions());
        StudySampler { space: space.clone(), points }
    }

    /// Metaparameters of a trial.
    #[must_use]
    pub fn parameters(&self, trial_id: u64) -> Parameters {
        self.space.parameters(&self.points.point(trial_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Scale;

    fn sampler(seed: u64, batch_size: u64) -> StudySampler {
        let scales = [("learning_rate", Scale::Log(1e-3, 1.0)), ("warm", Scale::Integer(0, 9))];
        let scales = scales.map(|(name, scale)| (name.to_owned(), scale)).into();
        let search = Search { sampler: SamplerKind::Halton, n_trials: 4, max_trials: 40, seed };
        StudySampler::new(&search, &Space { scales }, batch_size)
    }

    #[test]
    fn seeds_and_batch_sizes_change_every_point() {
        let samplers =
            [(0, 32), (0, 64), (1, 32)].map(|(seed, batch_size)| sampler(seed, batch_size));
        for trial_id in 0..50 {
            let rates = samplers.each_ref().map(|s| s.parameters(trial_id)["learning_rate"]);
            assert!(rates[0] != rates[1] && rates[0] != rates[2] && rates[1] != rates[2]);
        }
    }

    #[test]
    fn the_points_never_change() {
        // Stores rest on these values: a change here is a change of every experiment. They come
        // from an independent implementation with exact fractions (Python).
        let units = [0.976_552_425_818_543_1, 0.988_870_866_770_029_9];
        let parameters = sampler(0, 32).parameters(3);
        let rate = Scale::Log(1e-3, 1.0).from_unit(units[0]);
        assert!((parameters["learning_rate"] - rate).abs() < 1e-12, "{parameters:?}");
        assert_eq!(parameters["warm"], Scale::Integer(0, 9).from_unit(units[1]));
    }
}
