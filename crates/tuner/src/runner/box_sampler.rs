//! The metaparameters of every trial of a study whose search space may have been widened.

use crate::experiment::Search;
use crate::hash::hash;
use crate::sampler::StudySampler;
use crate::search_box::contains;
use crate::store::SearchBox;
use crate::trainer::Parameters;

/// The points of a study's boxes.
///
/// The first box has the points of [`StudySampler`]. Each wider one has a sequence of its own over
/// all of it, keyed by (seed, batch size, index of the box). Its points within an earlier box are
/// passed over, because trials of that box stand for them; so all of it is searched equally densely.
pub(super) struct BoxSampler {
    boxes: Vec<(SearchBox, StudySampler)>,
    /// Of each box: the indices of its sequence that are no earlier box's, as far as needed.
    accepted: Vec<Vec<u64>>,
}

impl BoxSampler {
    pub(super) fn new(search: &Search, boxes: Vec<SearchBox>, batch_size: u64) -> BoxSampler {
        let accepted = vec![vec![]; boxes.len()];
        let with_sampler = |(index, searched): (u64, SearchBox)| {
            let seed = match index {
                0 => search.seed,
                index => hash(&[search.seed, index]),
            };
            let search = Search { seed, ..search.clone() };
            let sampler = StudySampler::new(&search, &searched.space, batch_size);
            (searched, sampler)
        };
        BoxSampler { boxes: (0..).zip(boxes).map(with_sampler).collect(), accepted }
    }

    /// Metaparameters of a trial.
    pub(super) fn parameters(&mut self, trial_id: u64) -> Parameters {
        let is_of = |(searched, _): &(SearchBox, StudySampler)| searched.first_trial_id <= trial_id;
        let box_index = self.boxes.iter().rposition(is_of).unwrap_or(0);
        let (earlier, rest) = self.boxes.split_at(box_index);
        let Some((searched, sampler)) = rest.first() else { return Parameters::new() };
        let nth = trial_id - searched.first_trial_id;
        if earlier.is_empty() {
            return sampler.parameters(nth);
        }
        let accepted = &mut self.accepted[box_index];
        let is_new = |index: &u64| {
            let point = sampler.parameters(*index);
            !earlier.iter().any(|(searched, _)| contains(&searched.space, &point))
        };
        while accepted.len() as u64 <= nth {
            let first = accepted.last().map_or(0, |last| last + 1);
            let next =
                (first..).find(is_new).expect("a wider box has room outside the earlier ones");
            accepted.push(next);
        }
        let nth = usize::try_from(nth).expect("as many indices were found");
        sampler.parameters(accepted[nth])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::SamplerKind;
    use crate::space::{Scale, Space};

    fn searched(scale: Scale, first_trial_id: u64) -> SearchBox {
        let space = Space { scales: [("a".to_owned(), scale)].into() };
        SearchBox { space, first_trial_id, n_trials: 10, max_trials: 100 }
    }

    #[test]
    fn wider_boxes_are_searched_where_no_earlier_one_was_and_as_densely() {
        let search = Search {
            sampler: SamplerKind::Halton,
            n_trials: 10,
            max_trials: 100,
            seed: 3,
            repeats: None,
        };
        let first = searched(Scale::Log(0.1, 1.0), 0);
        let boxes =
            vec![first, searched(Scale::Log(0.01, 1.0), 40), searched(Scale::Log(0.01, 100.0), 80)];
        let mut sampler = BoxSampler::new(&search, boxes.clone(), 8);
        let alone = StudySampler::new(&search, &boxes[0].space, 8);
        let values: Vec<f64> = (0..160).map(|id| sampler.parameters(id)["a"]).collect();
        assert!((0..40).all(|id| values[id as usize] == alone.parameters(id)["a"]));
        assert!(values[40..80].iter().all(|value| (0.01..0.1).contains(value)));
        assert!(values[80..].iter().all(|value| (1.0..=100.0).contains(value)));
        // Two decades, and the points of each spread evenly over both.
        let n_below_ten = values[80..].iter().filter(|value| **value < 10.0).count();
        assert!((36..=44).contains(&n_below_ten), "{n_below_ten}");
        // In any order, from the start, the points are the same.
        let mut again = BoxSampler::new(&search, boxes, 8);
        for id in [159, 3, 80, 41, 100] {
            assert_eq!(again.parameters(id)["a"], values[id as usize]);
        }
    }
}
