//! How long a trial may train at each batch size.

use std::collections::BTreeMap;

use super::document::{Node, Result, Section, Value};
use super::parse::batch_size;
use super::{BatchSize, LARGEST_COUNT, Problem};

/// The most a trial may train, in one of the units users think in.
#[derive(Debug, Clone, PartialEq)]
pub enum Budget {
    /// The same number of steps at every batch size.
    Steps(u64),
    /// The same number of passes over the training set at every batch size.
    Epochs(f64),
    /// The same number of examples at every batch size: those of `steps` at `at_batch_size`.
    Examples {
        /// Where `steps` are counted.
        at_batch_size: BatchSize,
        /// Steps there.
        steps: u64,
        /// At least so many steps at any batch size.
        at_least: u64,
    },
    /// Steps of each batch size.
    PerBatchSize(BTreeMap<BatchSize, u64>),
}

impl Budget {
    /// Steps at a batch size, rounded up, at least 1.
    ///
    /// `Epochs`: steps = ceil(epochs n / B). `Examples`: steps(B) = ceil(steps(B0) B0 / B).
    #[must_use]
    pub fn steps(&self, batch_size: BatchSize, n_train: u64) -> u64 {
        let n_examples_per_step = batch_size.resolve(n_train);
        match self {
            Budget::Steps(steps) => *steps,
            Budget::Epochs(epochs) => {
                (epochs * n_train as f64 / n_examples_per_step as f64).ceil().max(1.0) as u64
            }
            Budget::Examples { at_batch_size, steps, at_least } => {
                let n_examples = u128::from(*steps) * u128::from(at_batch_size.resolve(n_train));
                let steps = n_examples.div_ceil(u128::from(n_examples_per_step.max(1)));
                u64::try_from(steps).unwrap_or(u64::MAX).max(*at_least).max(1)
            }
            // Parsing refuses a table that lacks a batch size.
            Budget::PerBatchSize(steps) => steps.get(&batch_size).copied().unwrap_or(1),
        }
    }
}

/// Reads `steps` or `epochs` of `[budget]`.
pub(super) fn parse(mut section: Section, batch_sizes: &[BatchSize]) -> Result<Budget> {
    let (key, node) = section.exactly_one(&["steps", "epochs"])?;
    if key == "epochs" {
        let epochs = node.number()?;
        let is_sound = epochs > 0.0 && epochs <= LARGEST_COUNT as f64;
        return if is_sound {
            Ok(Budget::Epochs(epochs))
        } else {
            Err(node.refused(format!("above 0 and at most {LARGEST_COUNT}")))
        };
    }
    let names_examples = |entries: &BTreeMap<String, Node>| {
        entries.contains_key("at_batch_size") || entries.contains_key("steps")
    };
    match &node.value {
        Value::Integer(_) => Ok(Budget::Steps(node.count(1, LARGEST_COUNT)?)),
        Value::Table(entries) if names_examples(entries) => examples(node.section()?),
        Value::Table(_) => per_batch_size(node.section()?, batch_sizes),
        _ => Err(node.refused(
            "a whole number, { at_batch_size = 32, steps = 2000 }, or a table of batch sizes",
        )),
    }
}

fn examples(mut section: Section) -> Result<Budget> {
    section.accept(&["at_batch_size", "steps", "at_least"])?;
    let at_batch_size = batch_size(&section.required("at_batch_size", "a batch size such as 32")?)?;
    let steps = section.required("steps", "a whole number such as 2000")?;
    let at_least = section.optional("at_least");
    Ok(Budget::Examples {
        at_batch_size,
        steps: steps.count(1, LARGEST_COUNT)?,
        at_least: at_least.map_or(Ok(1), |node| node.count(1, LARGEST_COUNT))?,
    })
}

fn per_batch_size(mut section: Section, batch_sizes: &[BatchSize]) -> Result<Budget> {
    let names: Vec<String> = batch_sizes.iter().map(ToString::to_string).collect();
    section.accept(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut steps = BTreeMap::new();
    for (batch_size, name) in batch_sizes.iter().zip(&names) {
        let node = section.required(name, "its number of steps, as for every batch size")?;
        steps.insert(*batch_size, node.count(1, LARGEST_COUNT)?);
    }
    Ok(Budget::PerBatchSize(steps))
}

/// The steps of a batch size.
pub(super) fn resolve(
    budget: &Budget,
    batch_size: BatchSize,
    n_train: u64,
) -> std::result::Result<u64, Problem> {
    let steps = budget.steps(batch_size, n_train);
    if steps <= LARGEST_COUNT {
        return Ok(steps);
    }
    Err(Problem::Value {
        key: "budget".to_owned(),
        found: format!("{steps} steps at batch size {batch_size}"),
        expected: "at most 2^40 steps".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: fn(u64) -> BatchSize = BatchSize::Examples;

    #[test]
    fn examples_are_the_same_at_every_batch_size_rounded_up() {
        let budget = Budget::Examples { at_batch_size: SIZE(32), steps: 2000, at_least: 1 };
        assert_eq!(budget.steps(SIZE(2), 5000), 32_000);
        assert_eq!(budget.steps(SIZE(64), 5000), 1000);
        // 64,000 / 3,000 = 21.3
        assert_eq!(budget.steps(SIZE(3000), 5000), 22);
        assert_eq!(budget.steps(BatchSize::Full, 64_001), 1);
    }

    #[test]
    fn at_least_holds_at_large_batch_sizes() {
        let budget = Budget::Examples { at_batch_size: SIZE(1), steps: 100, at_least: 40 };
        assert_eq!(budget.steps(SIZE(2), 5000), 50);
        assert_eq!(budget.steps(SIZE(4), 5000), 40);
    }

    #[test]
    fn epochs_are_passes_over_the_training_set() {
        assert_eq!(Budget::Epochs(20.0).steps(SIZE(32), 5000), 3125);
        assert_eq!(Budget::Epochs(1.0).steps(SIZE(32), 5000), 157);
        assert_eq!(Budget::Epochs(0.5).steps(BatchSize::Full, 5000), 1);
    }

    #[test]
    fn immense_budgets_are_refused_not_wrapped() {
        let steps = LARGEST_COUNT;
        let budget = Budget::Examples { at_batch_size: SIZE(LARGEST_COUNT), steps, at_least: 1 };
        assert!(resolve(&budget, SIZE(1), 10).is_err());
        assert_eq!(resolve(&budget, SIZE(LARGEST_COUNT), 10), Ok(LARGEST_COUNT));
    }
}
