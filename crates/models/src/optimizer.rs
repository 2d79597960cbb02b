//! The optimizers of Shallue et al. 2018 by name.

use critbatch_kernels::UpdateRule;
use critbatch_tuner::Metaparameter;

use crate::error::ModelError;
use crate::metaparameters;

/// An optimizer of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optimizer {
    /// Plain SGD.
    Sgd,
    /// Heavy-ball momentum.
    Momentum,
    /// Nesterov momentum.
    NesterovMomentum,
}

impl Optimizer {
    /// All optimizers.
    pub const ALL: [Optimizer; 3] =
        [Optimizer::Sgd, Optimizer::Momentum, Optimizer::NesterovMomentum];

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

    /// Name, as in the paper's archive.
    pub fn name(self) -> &'static str {
        match self {
            Optimizer::Sgd => "sgd",
            Optimizer::Momentum => "momentum",
            Optimizer::NesterovMomentum => "nesterov_momentum",
        }
    }

    /// The rule of its updates.
    pub fn rule(self) -> UpdateRule {
        match self {
            Optimizer::Sgd => UpdateRule::Sgd,
            Optimizer::Momentum => UpdateRule::Momentum,
            Optimizer::NesterovMomentum => UpdateRule::NesterovMomentum,
        }
    }

    /// The metaparameters that may be searched.
    pub fn metaparameters(self) -> Vec<Metaparameter> {
        let momentum = self.rule().has_velocity().then_some(metaparameters::MOMENTUM);
        [metaparameters::LEARNING_RATE]
            .into_iter()
            .chain(momentum)
            .chain(metaparameters::SHARED)
            .collect()
    }
}
