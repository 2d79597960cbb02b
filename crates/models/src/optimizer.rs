//! The optimizers of Shallue et al. 2018 by name, and Adam.

use critbatch_kernels::UpdateRule;
use critbatch_tuner::Metaparameter;

use crate::error::ModelError;
use crate::metaparameters;

/// An optimizer of the paper, or Adam.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optimizer {
    /// Plain SGD.
    Sgd,
    /// Heavy-ball momentum.
    Momentum,
    /// Nesterov momentum.
    NesterovMomentum,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
}

impl Optimizer {
    /// All optimizers.
    pub const ALL: [Optimizer; 5] = [
        Optimizer::Sgd,
        Optimizer::Momentum,
        Optimizer::NesterovMomentum,
        Optimizer::Adam,
        Optimizer::AdamW,
    ];

    /// The optimizer of this name.
    ///
    /// # Errors
    /// If there is none; the message lists all.
    pub fn find(name: &str) -> Result<Optimizer, ModelError> {
        Self::ALL.into_iter().find(|optimizer| optimizer.name() == name).ok_or_else(|| {
            ModelError::Unknown {
                kind: "optimizer",
                name: name.to_owned(),
                accepted: Self::ALL.map(Optimizer::name).join(", "),
            }
        })
    }

    /// Name, as in the paper's archive if it is there.
    pub fn name(self) -> &'static str {
        match self {
            Optimizer::Sgd => "sgd",
            Optimizer::Momentum => "momentum",
            Optimizer::NesterovMomentum => "nesterov_momentum",
            Optimizer::Adam => "adam",
            Optimizer::AdamW => "adamw",
        }
    }

    /// The rule of its updates.
    pub fn rule(self) -> UpdateRule {
        match self {
            Optimizer::Sgd => UpdateRule::Sgd,
            Optimizer::Momentum => UpdateRule::Momentum,
            Optimizer::NesterovMomentum => UpdateRule::NesterovMomentum,
            Optimizer::Adam | Optimizer::AdamW => UpdateRule::Adam,
        }
    }

    /// The metaparameters that may be searched.
    pub fn metaparameters(self) -> Vec<Metaparameter> {
        let own: &[Metaparameter] = match self {
            Optimizer::Sgd => &[],
            Optimizer::Momentum | Optimizer::NesterovMomentum => &[metaparameters::MOMENTUM],
            Optimizer::Adam => &metaparameters::ADAM,
            Optimizer::AdamW => &metaparameters::ADAMW,
        };
        [&[metaparameters::LEARNING_RATE], own, &metaparameters::SHARED].concat()
    }
}
