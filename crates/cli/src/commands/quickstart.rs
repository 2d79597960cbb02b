//! `critbatch quickstart`: the experiment that is part of the program.

use crate::args::Quickstart;
use crate::commands::run::{self, Request};
use crate::exit::Exit;

const EXPERIMENT: &str = include_str!("../../../../experiments/quickstart.toml");

/// Runs it, or what is left of it.
///
/// # Errors
///
/// As `critbatch run`.
pub(crate) fn execute(arguments: &Quickstart, verbose: bool) -> anyhow::Result<Exit> {
    run::run(&Request {
        source_name: "quickstart.toml",
        text: EXPERIMENT,
        out: &arguments.out,
        data_dir: None,
        how: &arguments.how,
        dry_run: false,
        verbose,
    })
}

#[cfg(test)]
mod tests {
    use super::EXPERIMENT;

    #[test]
    fn the_built_in_experiment_is_sound() {
        critbatch_tuner::Experiment::parse(EXPERIMENT, "quickstart.toml").unwrap();
    }
}
