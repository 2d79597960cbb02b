//! `critbatch run`: an experiment, or what is left of it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use anyhow::{Context, bail};
use critbatch_models::{
    Compute, DeviceChoice, EvaluationSplit, Measured, Model, Optimizer, Workload,
};
use critbatch_tuner::{
    CheckedExperiment, Event, Experiment, Outcome, Provenance, RunOptions, Split, Store,
    TrainerFactory, TunerError,
};

use crate::args::{Device, How, Run};
use crate::exit::{Exit, UsageError};
use crate::progress::{Display, Reporter};
use crate::results::Results;
use crate::{console, format, report, summary};

/// Bytes of an experiment file that are read; more than the tuner accepts, so that it refuses.
const LARGEST_READ_BYTES: u64 = 1 << 21;

/// So that a signal is answered soon.
const MAX_STEPS_PER_ROUND: u64 = 256;

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
        data_dir: arguments.data_dir.as_deref(),
        how: &arguments.how,
        verbose,
    })
}

fn read_experiment(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_READ_BYTES).read_to_string(&mut text))
        .map_err(|error| {
            let path = path.display();
            UsageError(format!("cannot read the experiment file '{path}': {error}"))
        })?;
    Ok(text)
}

/// Runs an experiment and prints its results.
///
/// # Errors
///
/// As [`execute`].
pub(crate) fn run(request: &Request<'_>) -> anyhow::Result<Exit> {
    let Prepared { mut workload, experiment, mut store } = prepare(request)?;
    announce(&experiment, request.out);
    let display = Display::new(!request.verbose);
    let stop = stop_on_signal(&display)?;
    let mut reporter = Reporter::new(display.clone(), Instant::now());
    let mut observer = |event: &Event<'_>| reporter.observe(event, Instant::now());
    let options = RunOptions {
        lanes: request.how.lanes.map(|lanes| lanes as usize),
        max_steps_per_round: Some(MAX_STEPS_PER_ROUND),
    };
    let outcome = critbatch_tuner::run(
        &experiment,
        &mut workload,
        &mut store,
        &options,
        &mut observer,
        &stop,
    );
    display.clear();
    match outcome? {
        Outcome::Finished { .. } => {
            finish(&Results::of_store(&store, request.out)?)?;
            Ok(Exit::Done)
        }
        Outcome::Interrupted { batch_size } => {
            let (batch_size, out) = (format::count(batch_size), request.out.display());
            console::line(&format!(
                "stopped at batch size {batch_size}; all measurements are in {out}"
            ));
            Ok(Exit::Interrupted)
        }
    }
}

/// All that can be wrong is found here, before any training.
struct Prepared {
    workload: Workload,
    experiment: CheckedExperiment,
    store: Store,
}

fn prepare(request: &Request<'_>) -> anyhow::Result<Prepared> {
    let mut experiment = Experiment::parse(request.text, request.source_name)?;
    if let Some(seed) = request.how.seed {
        experiment.search.seed = seed;
    }
    check_names(&experiment).with_context(|| request.source_name.to_owned())?;
    check_parent(request.out)?;
    let names = &experiment.workload;
    critbatch_data::locate(critbatch_data::find(&names.dataset)?, request.data_dir)?;
    let (compute, why) = Compute::choose(choice(request.how.device))?;
    console::line(&format!("device: {}: {why}", compute.description()));
    let splits: Vec<EvaluationSplit> = experiment.evaluation.splits.iter().map(split).collect();
    let names = [&names.dataset, &names.model, &names.optimizer].map(String::as_str);
    let gradient_noise_scale = experiment.evaluation.gradient_noise_scale;
    let measured = Measured { splits: &splits, gradient_noise_scale };
    let workload = Workload::load(names, measured, request.data_dir, compute)?;
    let facts = workload.facts();
    let experiment = experiment.check(&facts)?;
    let provenance = provenance(facts.device, request.text);
    let store = Store::open_or_create(request.out, &experiment, &provenance).map_err(advise)?;
    Ok(Prepared { workload, experiment, store })
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

fn choice(device: Device) -> DeviceChoice {
    match device {
        Device::Auto => DeviceChoice::Auto,
        Device::Cpu => DeviceChoice::Cpu,
        Device::Wgpu => DeviceChoice::Wgpu,
    }
}

fn split(split: &Split) -> EvaluationSplit {
    match split {
        Split::Train => EvaluationSplit::Train,
        Split::Val => EvaluationSplit::Validation,
        Split::Test => EvaluationSplit::Test,
    }
}

fn provenance(device: String, experiment_text: &str) -> Provenance {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let notes = [
        ("experiment", experiment_text.to_owned()),
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
    let sizes: Vec<String> = experiment.budget_steps.keys().copied().map(format::count).collect();
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
        format::list(&sizes),
        experiment.search.n_trials,
        experiment.search.seed,
    ));
    console::line(&format!("output: {}", out.display()));
}

/// A flag that the first signal sets; the second one ends the program at once.
fn stop_on_signal(display: &Display) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, display) = (Arc::clone(&stop), display.clone());
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
        display.line("stopping after this round; run the same command again to continue");
    })
    .context("cannot listen to signals")?;
    Ok(stop)
}

fn finish(results: &Results) -> anyhow::Result<()> {
    report::write(results)?;
    console::print(&summary::text(results))?;
    console::print(&format!("report: {}", report::path(&results.directory).display()))?;
    Ok(())
}
