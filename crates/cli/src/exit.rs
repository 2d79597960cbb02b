//! Exit codes, and what an error says on its one line.

use std::process::ExitCode;

use critbatch_data::DataError;
use critbatch_models::ModelError;
use critbatch_tuner::TunerError;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All was done.
    Done = 0,
    /// Something failed.
    Failed = 1,
    /// The command line or the experiment file asks for something impossible.
    Usage = 2,
    /// All was done, but a point of the curve cannot be trusted, and that was asked.
    Untrusted = 3,
    /// Stopped by a signal, with everything measured saved.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// The exit code of work that was done; `strict` is whether doubts matter.
    pub(crate) fn of_results(strict: bool, has_doubts: bool) -> Exit {
        if strict && has_doubts { Exit::Untrusted } else { Exit::Done }
    }
}

/// Marks an error as one of the command line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

impl Exit {
    /// The exit code of an error: whose fault was it?
    pub(crate) fn of(error: &anyhow::Error) -> Exit {
        let is_usage = error.chain().any(|cause| {
            cause.is::<UsageError>()
                || matches!(cause.downcast_ref(), Some(TunerError::Experiment { .. }))
                || matches!(cause.downcast_ref(), Some(ModelError::Unknown { .. }))
                // Transparent, so that the data set's error is no link of the chain itself.
                || matches!(
                    cause.downcast_ref(),
                    Some(ModelError::Data(DataError::UnknownDataset { .. }))
                )
                || matches!(cause.downcast_ref(), Some(DataError::UnknownDataset { .. }))
        });
        if is_usage { Exit::Usage } else { Exit::Failed }
    }
}

/// The error with its causes in one line. Some errors print their cause themselves; it is not
/// said twice.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for text in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = text;
        } else if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context;

    use super::*;

    #[test]
    fn causes_are_said_once_and_in_one_line() {
        let cause = io::Error::other("disk\n is full");
        let error = Err::<(), _>(cause).context("cannot write").unwrap_err();
        assert_eq!(one_line(&error), "cannot write: disk is full");
        let repeating = anyhow::Error::from(DataError::Read {
            path: "/x".into(),
            source: io::Error::other("disk is full"),
        });
        assert_eq!(one_line(&repeating), "/x: cannot be read: disk is full");
    }

    #[test]
    fn unknown_names_are_the_users() {
        let unknown = critbatch_models::Model::find("resnet_9000").unwrap_err();
        let error = Err::<(), _>(unknown).context("experiment.toml").unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Usage);
        let unknown = ModelError::from(critbatch_data::find("cifar").unwrap_err());
        assert_eq!(Exit::of(&unknown.into()), Exit::Usage);
        assert_eq!(Exit::of(&anyhow::anyhow!("no space")), Exit::Failed);
    }
}
