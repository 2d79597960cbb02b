//! The metaparameters, by the names of the paper's archive, and their place in a lane.

use std::ops::Bound;

use critbatch_kernels::LaneState;
use critbatch_tuner::{Metaparameter, Range, Trial};

use crate::error::ModelError;
use crate::optimizer::Optimizer;

/// From 0 to the largest f32 below 1: half of the numbers between the two would be trained with as 1, and
/// what decays by a factor of 1 never does.
const BELOW_ONE: Range =
    Range { lower: Bound::Included(0.0), upper: Bound::Included(1.0 - f32::EPSILON as f64 / 2.0) };

/// Above 0, in f32, where every number of more digits is rounded to one.
const POSITIVE: Range = Range { lower: Bound::Included(1e-37), upper: Bound::Included(1e38) };

/// 0 and above, in f32.
const NOT_NEGATIVE: Range = Range { lower: Bound::Included(0.0), upper: Bound::Included(1e38) };

/// Initial learning rate, per step.
pub(crate) const LEARNING_RATE: Metaparameter = Metaparameter {
    name: "learning_rate",
    description: "initial learning rate, per step",
    default: None,
    range: POSITIVE,
    is_integer: false,
    needs: None,
};

/// Momentum coefficient.
pub(crate) const MOMENTUM: Metaparameter = Metaparameter {
    name: "momentum",
    description: "momentum coefficient",
    default: None,
    range: BELOW_ONE,
    is_integer: false,
    needs: None,
};

/// Decay of Adam's mean of gradients.
const BETA1: Metaparameter = Metaparameter {
    name: "beta1",
    description: "decay of the mean of gradients",
    default: Some(0.9),
    range: BELOW_ONE,
    is_integer: false,
    needs: None,
};

/// Decay of Adam's mean of squared gradients.
const BETA2: Metaparameter = Metaparameter {
    name: "beta2",
    description: "decay of the mean of squared gradients",
    default: Some(0.999),
    range: BELOW_ONE,
    is_integer: false,
    needs: None,
};

/// What Adam divides by at least.
const EPSILON: Metaparameter = Metaparameter {
    name: "epsilon",
    description: "added to the root of the mean of squared gradients",
    default: Some(1e-8),
    range: POSITIVE,
    is_integer: false,
    needs: None,
};

/// Decoupled weight decay.
const WEIGHT_DECAY: Metaparameter = Metaparameter {
    name: "weight_decay",
    description: "share of the learning rate by which weights shrink each step",
    default: Some(0.01),
    range: NOT_NEGATIVE,
    is_integer: false,
    needs: None,
};

/// What Adam takes, with the defaults of Kingma and Ba 2015.
pub(crate) const ADAM: [Metaparameter; 3] = [BETA1, BETA2, EPSILON];

/// What AdamW takes.
pub(crate) const ADAMW: [Metaparameter; 4] = [BETA1, BETA2, EPSILON, WEIGHT_DECAY];

/// What every optimizer takes, and may be left out.
pub(crate) const SHARED: [Metaparameter; 5] = [
    Metaparameter {
        name: "end_learning_rate_factor",
        description: "factor that the learning rate decays to; 1 keeps it constant",
        default: Some(1.0),
        range: Range::UNIT,
        is_integer: false,
        needs: Some("learning_rate_decay_steps"),
    },
    Metaparameter {
        name: "learning_rate_decay_steps",
        description: "steps over which the learning rate decays",
        default: Some(1.0),
        range: POSITIVE,
        is_integer: true,
        needs: Some("end_learning_rate_factor"),
    },
    Metaparameter {
        name: "cosine_decay",
        description: "0 to decay along a line, 1 along half a cosine",
        default: Some(0.0),
        range: Range::UNIT,
        is_integer: true,
        needs: Some("end_learning_rate_factor"),
    },
    Metaparameter {
        name: "warmup_steps",
        description: "steps over which the learning rate rises linearly before it decays",
        default: Some(0.0),
        range: NOT_NEGATIVE,
        is_integer: true,
        needs: None,
    },
    Metaparameter {
        name: "label_smoothing",
        description: "share of each label that is spread over all classes",
        default: Some(0.0),
        range: Range::UNIT,
        is_integer: false,
        needs: None,
    },
];

/// A lane's state at the start of a trial.
///
/// # Errors
/// If a metaparameter is missing or unknown, or rounding to f32 takes it out of its range.
pub(crate) fn lane_state(
    optimizer: Optimizer,
    trial: &Trial,
    key: [u32; 2],
) -> Result<LaneState, ModelError> {
    let known = optimizer.metaparameters();
    let refuse = |problem: String| {
        let accepted: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
        ModelError::Parameters {
            trial_id: trial.trial_id,
            problem,
            optimizer: optimizer.name(),
            accepted: accepted.join(", "),
        }
    };
    if let Some(name) = trial.parameters.keys().find(|&name| known.iter().all(|p| p.name != name)) {
        return Err(refuse(format!("unknown metaparameter '{name}'")));
    }
    let mut state = LaneState { key, ..LaneState::default() };
    for parameter in &known {
        let value = trial.parameters.get(parameter.name).copied().or(parameter.default);
        let value = value.ok_or_else(|| refuse(format!("'{}' is missing", parameter.name)))?;
        let value = in_f32(parameter, value).map_err(refuse)?;
        let field = match parameter.name {
            "learning_rate" => &mut state.learning_rate,
            "momentum" | "beta1" => &mut state.momentum,
            "beta2" => &mut state.beta2,
            "epsilon" => &mut state.epsilon,
            "weight_decay" => &mut state.weight_decay,
            "warmup_steps" => &mut state.warmup_steps,
            "cosine_decay" => {
                state.cosine_decay = u32::from(value > 0.0);
                continue;
            }
            "end_learning_rate_factor" => &mut state.end_learning_rate_factor,
            "learning_rate_decay_steps" => &mut state.learning_rate_decay_steps,
            "label_smoothing" => &mut state.label_smoothing,
            name => unreachable!("metaparameter '{name}' has no place in a lane"),
        };
        *field = value;
    }
    Ok(state)
}

/// A value as it is trained with; what is wrong if rounding alone takes it out of its range.
fn in_f32(parameter: &Metaparameter, value: f64) -> Result<f32, String> {
    #[expect(clippy::cast_possible_truncation, reason = "training is in f32")]
    let rounded = value as f32;
    let Metaparameter { name, range, .. } = parameter;
    let is_sound = rounded.is_finite() && range.contains(f64::from(rounded));
    match is_sound || f64::from(rounded) == value {
        true => Ok(rounded),
        false => Err(format!(
            "'{name}' is {value:?}, in f32 {rounded:?}; expected finite values {range}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(parameters: &[(&str, f64)]) -> Trial {
        let parameters = parameters.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        Trial { batch_size: 8, trial_id: 3, seed: 0, parameters }
    }

    #[test]
    fn every_metaparameter_reaches_its_field() {
        let trial = trial(&[
            ("learning_rate", 0.5),
            ("momentum", 0.25),
            ("end_learning_rate_factor", 0.125),
            ("learning_rate_decay_steps", 64.0),
            ("label_smoothing", 0.0625),
        ]);
        let state = lane_state(Optimizer::NesterovMomentum, &trial, [1, 2]).unwrap();
        let expected = LaneState {
            key: [1, 2],
            learning_rate: 0.5,
            momentum: 0.25,
            end_learning_rate_factor: 0.125,
            learning_rate_decay_steps: 64.0,
            label_smoothing: 0.0625,
            ..LaneState::default()
        };
        assert_eq!(state, expected);
    }

    #[test]
    fn defaults_are_a_constant_schedule_without_smoothing() {
        let state = lane_state(Optimizer::Sgd, &trial(&[("learning_rate", 0.5)]), [0; 2]).unwrap();
        assert_eq!(state, LaneState { learning_rate: 0.5, ..LaneState::default() });
    }

    #[test]
    fn missing_and_unknown_metaparameters_are_refused() {
        let message = |parameters: &[(&str, f64)]| {
            lane_state(Optimizer::Sgd, &trial(parameters), [0; 2]).unwrap_err().to_string()
        };
        assert!(message(&[]).contains("'learning_rate' is missing"));
        let unknown = message(&[("learning_rate", 0.1), ("momentum", 0.9)]);
        assert!(unknown.contains("unknown metaparameter 'momentum'"), "{unknown}");
    }

    #[test]
    fn what_f32_rounds_out_of_its_range_is_refused() {
        let message = |learning_rate: f64, momentum: f64| {
            let trial = trial(&[("learning_rate", learning_rate), ("momentum", momentum)]);
            lane_state(Optimizer::Momentum, &trial, [0; 2]).unwrap_err().to_string()
        };
        for (learning_rate, momentum, expected) in [
            (0.1, 0.999_999_99, "'momentum' is 0.99999999, in f32 1.0; expected finite values"),
            (0.1, 1.0 - 1e-12, "values at least 0 and at most 0.9999999403953552"),
            (
                1e-50,
                0.9,
                "'learning_rate' is 1e-50, in f32 0.0; expected finite values at least 1e-37",
            ),
            (
                1e39,
                0.9,
                "'learning_rate' is 1e39, in f32 inf; expected finite values at least 1e-37",
            ),
        ] {
            let found = message(learning_rate, momentum);
            assert!(found.contains(expected), "'{expected}' is missing in: {found}");
        }
    }

    #[test]
    fn ranges_end_where_f32_still_tells_them_from_one() {
        for parameter in [MOMENTUM, BETA1, BETA2] {
            let largest = f64::from(1.0_f32.next_down());
            assert!(parameter.range.contains(largest), "{}", parameter.name);
            assert!(!parameter.range.contains(1.0 - 1e-8), "{}", parameter.name);
        }
    }
}
