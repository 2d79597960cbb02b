//! `critbatch import`: a file or workloads of a published archive into experiment directories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use critbatch_report::format;
use critbatch_tuner::archive::{find_workloads, read_record, read_workload, workload_folder};
use critbatch_tuner::{Omission, Origin, Record, STORE_FILE_NAME, Store, TunerError, examine};

use crate::args::Import;
use crate::console;
use crate::exit::{Exit, UsageError};

/// Name of the experiment file that is put beside an unpacked store.
const EXPERIMENT_FILE_NAME: &str = "experiment.toml";

/// Omissions that are printed one by one.
const MOST_PRINTED_OMISSIONS: usize = 10;

/// What was imported so far.
#[derive(Default)]
struct Tally {
    n_workloads: u64,
    n_studies: u64,
    n_trials: u64,
    n_rows: u64,
    omissions: Vec<Omission>,
}

/// Makes a store of every workload found and prints how much that was.
///
/// # Errors
///
/// Where there is no workload, or a directory cannot be made or already holds something.
pub(crate) fn execute(arguments: &Import) -> anyhow::Result<Exit> {
    if arguments.archive.is_file() {
        Store::unpack(&arguments.archive, &arguments.out)?;
        if let Some(problem) = examine(&arguments.out)?.problems.into_iter().next() {
            let path = arguments.out.join(STORE_FILE_NAME);
            return Err(TunerError::Damaged { path, problem }.into());
        }
        let how = how_to_go_on(&arguments.out)?.unwrap_or_default();
        console::print(&format!("unpacked into '{}'{how}", arguments.out.display()))?;
        return Ok(Exit::Done);
    }
    let (folders, omissions) = find_workloads(&arguments.archive)?;
    let targets = targets(&folders, &arguments.out)?;
    let mut tally = Tally { omissions, ..Tally::default() };
    for (index, (folder, target)) in folders.iter().zip(&targets).enumerate() {
        let record = read_record(folder)?;
        let name = format::workload(&record.workload);
        console::line(&format!("{}/{}: {name}", index + 1, folders.len()));
        import(&record, folder, target)?;
        tally.add(record);
    }
    print_omissions(&tally.omissions);
    console::print(&tally.line(&arguments.out))?;
    Ok(Exit::Done)
}

/// The command that goes on with an unpacked experiment, whose file is put beside its store; `None` where
/// that file is not known.
fn how_to_go_on(directory: &Path) -> anyhow::Result<Option<String>> {
    let store = Store::open_read_only(directory)?;
    let (Origin::Measured(experiment), Some(text)) =
        (store.origin(), store.provenance().experiment_text())
    else {
        return Ok(None);
    };
    let file = directory.join(EXPERIMENT_FILE_NAME);
    let shown = file.display();
    fs::write(&file, text).with_context(|| format!("cannot write '{shown}'"))?;
    let (seed, directory) = (experiment.search.seed, directory.display());
    let device = &store.provenance().device;
    Ok(Some(format!(
        "; to go on: critbatch run '{shown}' --seed {seed} --out '{directory}', where '{device}' is to be had"
    )))
}

/// The experiment directory of each workload: `out` itself for one, a folder below it for each of
/// several. Nothing is imported if one of them is taken.
fn targets(folders: &[PathBuf], out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if let [_] = folders {
        return Ok(vec![out.to_owned()]);
    }
    let mut taken = BTreeSet::new();
    let target = |folder: &PathBuf| {
        let workload = read_workload(folder)?;
        let target = out.join(workload_folder(&workload)?);
        let is_second = !taken.insert(target.clone());
        if is_second || target.join(STORE_FILE_NAME).exists() {
            return Err(UsageError(format!(
                "'{}' would go to '{}', which is taken; choose another --out, or import it alone",
                folder.display(),
                target.display(),
            ))
            .into());
        }
        Ok(target)
    };
    folders.iter().map(target).collect()
}

fn import(record: &Record, folder: &Path, target: &Path) -> anyhow::Result<()> {
    // The store makes its own directory, but not those above it.
    if let Some(parent) = target.parent() {
        let failure = || format!("cannot create the directory '{}'", parent.display());
        fs::create_dir_all(parent).with_context(failure)?;
    }
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let notes = BTreeMap::from([("started".to_owned(), started)]);
    Store::import(target, record, &whole.display().to_string(), notes)?;
    Ok(())
}

impl Tally {
    fn add(&mut self, record: Record) {
        let trials = || record.studies.iter().flat_map(|study| &study.trials);
        self.n_workloads += 1;
        self.n_studies += record.studies.len() as u64;
        self.n_trials += trials().count() as u64;
        self.n_rows += trials().map(|trial| trial.curve.steps.len() as u64).sum::<u64>();
        self.omissions.extend(record.omissions);
    }

    fn line(&self, out: &Path) -> String {
        format!(
            "imported into '{}': {} workloads, {} studies, {} trials, {} rows; left out: {}",
            out.display(),
            format::count(self.n_workloads),
            format::count(self.n_studies),
            format::count(self.n_trials),
            format::count(self.n_rows),
            format::count(self.omissions.len() as u64),
        )
    }
}

/// The first omissions, and how many more there are, on stderr.
fn print_omissions(omissions: &[Omission]) {
    for omission in omissions.iter().take(MOST_PRINTED_OMISSIONS) {
        console::line(&format!("left out: {omission}"));
    }
    let n_more = omissions.len().saturating_sub(MOST_PRINTED_OMISSIONS);
    if n_more > 0 {
        console::line(&format!("left out: {} more", format::count(n_more as u64)));
    }
}
