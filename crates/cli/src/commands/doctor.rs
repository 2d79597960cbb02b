//! `critbatch doctor`: is everything there that was measured, and what can be saved?

use critbatch_tuner::{Diagnosis, examine, rescue};

use crate::args::Doctor;
use crate::console;
use crate::exit::Exit;

/// Examines a directory, and copies what is whole into a new one if that is asked for.
///
/// # Errors
///
/// Where there is no store, or the new directory cannot be written.
pub(crate) fn execute(arguments: &Doctor) -> anyhow::Result<Exit> {
    let directory = arguments.directory.as_path();
    let diagnosis = examine(directory)?;
    let Diagnosis { problems, remarks, n_ended, n_half_run, n_checkpoints, n_damaged } = &diagnosis;
    for problem in problems {
        console::print(&format!("wrong: {problem}"))?;
    }
    for remark in remarks {
        console::print(&format!("remark: {remark}"))?;
    }
    console::print(&format!(
        "whole: {n_ended} ended trials and {n_half_run} half-run ones, {n_checkpoints} of these with \
         a checkpoint; damaged: {n_damaged} trials"
    ))?;
    if let Some(new_directory) = &arguments.save_to {
        let (n_saved, new_directory) = (rescue(directory, new_directory)?, new_directory.display());
        console::print(&format!(
            "saved {n_saved} trials to '{new_directory}'; run the experiment with --out \
             '{new_directory}' to go on"
        ))?;
        return Ok(Exit::Done);
    }
    if problems.is_empty() {
        console::print("nothing is wrong")?;
        return Ok(Exit::Done);
    }
    let directory = directory.display();
    console::print(&format!(
        "'critbatch doctor {directory} --save-to NEW' copies what is whole into a new directory"
    ))?;
    Ok(Exit::Failed)
}
