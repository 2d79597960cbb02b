//! `critbatch run`: an experiment, or what is left of it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, bail};
use critbatch_models::{Model, Optimizer};
use critbatch_report::format;
use critbatch_tuner::{
    CheckedExperiment, EXPERIMENT_TEXT, Experiment, Provenance, STORE_FILE_NAME, Store,
    TrainerFactory, TunerError,
};

use crate::args::{How, Run};
use crate::commands::session::{self, Session, load_workload};
use crate::exit::{Exit, UsageError};
use crate::{console, plan};

/// Bytes of an experiment file that are read; more than the tuner accepts, so that it refuses.
const LARGEST_READ_BYTES: u64 = 1 << 21;

/// What is to be run, and how.
pub(crate) struct Request<'request> {
    /// Name of the experiment in error messages.
    pub(crate) source_name: &'request str,
    /// The experiment, in TOML.
    pub(crate) text: &'request str,
    /// Where measurements and report go.
    pub(crate) out: &'request Path,
    /// Where data is searched first.
    pub(crate) data_dir: Option<&'request Path>,
    /// Device, lanes, seed.
    pub(crate) how: &'request How,
    /// Whether only to say what it would take.
    pub(crate) dry_run: bool,
    /// Whether every trial is logged.
    pub(crate) verbose: bool,
}

/// Reads the experiment file and runs it.
///
/// # Errors
///
/// Whatever is wrong with file, data, device or directory, before any training, and whatever goes
/// wrong in training.
pub(crate) fn execute(arguments: &Run, verbose: bool) -> anyhow::Result<Exit> {
    let path = &arguments.experiment;
    let source_name = path.display().to_string();
    run(&Request {
        source_name: &source_name,
        text: &read_experiment(path)?,
        out: &arguments.out,
        data_dir: arguments.data.data_dir.as_deref(),
        how: &arguments.how,
        dry_run: arguments.dry_run,
        verbose,
    })
}

/// The text of an experiment file.
///
/// # Errors
///
/// Where it cannot be read.
pub(crate) fn read_experiment(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_READ_BYTES).read_to_string(&mut text))
        .map_err(|error| {
            let path = path.display();
            UsageError(format!("cannot read the experiment file '{path}': {error}"))
        })?;
    Ok(text)
}

/// Runs an experiment and prints its results, or with `dry_run` what it would take.
///
/// # Errors
///
/// As [`execute`].
pub(crate) fn run(request: &Request<'_>) -> anyhow::Result<Exit> {
    let mut experiment = Experiment::parse(request.text, request.source_name)?;
    if let Some(seed) = request.how.seed {
        experiment.search.seed = seed;
    }
    check_names(&experiment).with_context(|| request.source_name.to_owned())?;
    check_parent(request.out)?;
    let evaluation = &experiment.evaluation;
    let (training, data_dir) = (request.how.training, request.data_dir);
    let device = training.place.device;
    let workload = load_workload(&experiment.workload, evaluation, data_dir, device)?;
    let experiment = experiment.check(&workload.facts())?;
    let batch_sizes = experiment.budget_steps.keys().copied();
    let mut workload = session::self_tested(workload, batch_sizes, device)?;
    let provenance = provenance(workload.facts().device, request.text);
    if request.dry_run {
        let store = existing_store(request.out, &experiment, &provenance)?;
        announce(&experiment, request.out);
        let plan = session::plan(&experiment, store.as_ref(), &mut workload, training)?;
        console::print(&plan::text(&plan))?;
        return Ok(Exit::Done);
    }
    let store = Store::open_or_create(request.out, &experiment, &provenance).map_err(advise)?;
    announce(&experiment, request.out);
    let (out, verbose) = (request.out, request.verbose);
    session::run(Session { workload, experiment, store, out, training, verbose })
}

/// The store of an earlier run of the same experiment, to be read.
fn existing_store(
    out: &Path,
    experiment: &CheckedExperiment,
    provenance: &Provenance,
) -> anyhow::Result<Option<Store>> {
    if !out.join(STORE_FILE_NAME).is_file() {
        return Ok(None);
    }
    let store = Store::open_read_only(out)?;
    store.expect_to_be_of(experiment, provenance)?;
    Ok(Some(store.grown_copy(experiment)?))
}

fn check_names(experiment: &Experiment) -> anyhow::Result<()> {
    critbatch_data::find(&experiment.workload.dataset)?;
    Model::find(&experiment.workload.model)?;
    Optimizer::find(&experiment.workload.optimizer)?;
    Ok(())
}

fn check_parent(out: &Path) -> anyhow::Result<()> {
    let parent = match out.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => out,
    };
    if !parent.is_dir() {
        bail!("'{}' is not a directory; make it first or choose another --out", parent.display());
    }
    Ok(())
}

fn provenance(device: String, experiment_text: &str) -> Provenance {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let notes = [
        (EXPERIMENT_TEXT, experiment_text.to_owned()),
        ("started", humantime::format_rfc3339_seconds(SystemTime::now()).to_string()),
        ("threads", threads.to_string()),
    ];
    Provenance {
        device,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        notes: notes.map(|(key, value)| (key.to_owned(), value)).into(),
    }
}

/// What to do about a directory that the operating system refuses.
fn advise(error: TunerError) -> anyhow::Error {
    let is_refused = matches!(error, TunerError::File { .. } | TunerError::Store { .. });
    let error = anyhow::Error::from(error);
    match is_refused {
        true => anyhow::anyhow!("{error:#}; choose a directory that can be written by --out"),
        false => error,
    }
}

fn announce(experiment: &CheckedExperiment, out: &Path) {
    let workload = format::workload(&experiment.workload);
    console::line(&format!("experiment: {workload}, until {}", format::goal(&experiment.goal)));
    let sizes = experiment.budget_steps.keys().copied();
    let steps = |steps: Option<&u64>| format::count(steps.copied().unwrap_or(0));
    let (fewest, most) =
        (experiment.budget_steps.values().min(), experiment.budget_steps.values().max());
    let budget = match fewest == most {
        true => steps(most),
        false => format!("{} to {}", steps(fewest), steps(most)),
    };
    console::line(&format!(
        "studies: {} (batch sizes {}), {} trials each, seed {}, at most {budget} steps a trial",
        sizes.len(),
        format::counts(sizes),
        experiment.search.n_trials,
        experiment.search.seed,
    ));
    console::line(&format!("output: {}", out.display()));
}
