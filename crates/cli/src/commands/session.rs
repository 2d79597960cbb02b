//! What all verbs that train have in common: the workload, the plan, the run and its end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use critbatch_models::{Compute, DeviceChoice, Measured, ModelError, Workload};
use critbatch_report::format;
use critbatch_tuner::{
    CHECKPOINTS_DIRECTORY_NAME, CheckedExperiment, Checkpoints, Evaluation, Event, GoalAnalysis,
    Outcome, Plan, RunOptions, Store, TunerError,
};

use crate::args::{Asked, Device, Training};
use crate::exit::Exit;
use crate::progress::{Display, Reporter};
use crate::source::{Answers, Source};
use crate::{console, plan, report, summary};

/// An experiment that is ready to be run.
pub(crate) struct Session<'session> {
    /// What trains.
    pub(crate) workload: Workload,
    /// What is asked for.
    pub(crate) experiment: CheckedExperiment,
    /// Where measurements go.
    pub(crate) store: Store,
    /// Its directory.
    pub(crate) out: &'session Path,
    /// Device and lanes.
    pub(crate) training: Training,
    /// Whether every trial is logged.
    pub(crate) verbose: bool,
}

/// Reads the data and puts the workload on a device, and says which.
///
/// # Errors
///
/// Where the data or the device is not there.
pub(crate) fn load_workload(
    names: &critbatch_tuner::Workload,
    evaluation: &Evaluation,
    data_dir: Option<&Path>,
    device: Device,
) -> anyhow::Result<Workload> {
    let location = critbatch_data::locate(critbatch_data::find(&names.dataset)?, data_dir)?;
    let (compute, why) = Compute::choose(choice(device))?;
    console::line(&format!("device: {}: {why}", compute.description()));
    console::line(&format!("data: {}, {location}", names.dataset));
    let measured = measured(evaluation);
    let names = [&names.dataset, &names.model, &names.optimizer].map(String::as_str);
    Ok(Workload::load(names, measured, data_dir, compute)?)
}

/// The same workload after its device has shown that it computes what the native executor does; one that
/// was not asked for by name and is at fault gives way to the native executor.
///
/// # Errors
///
/// Where the device that was asked for fails.
pub(crate) fn self_tested(
    workload: Workload,
    batch_sizes: impl IntoIterator<Item = u64>,
    device: Device,
) -> anyhow::Result<Workload> {
    match workload.self_test(batch_sizes) {
        Ok(()) => Ok(workload),
        Err(ModelError::Engine(fault)) if device == Device::Auto && fault.is_fault_of_device() => {
            console::line(&fault.to_string());
            let workload = workload.moved_to(Compute::Cpu);
            console::line(&format!("device: {}: taken instead", workload.compute().description()));
            Ok(workload)
        }
        Err(error) => Err(error.into()),
    }
}

/// What is measured on trials, as the models name it.
pub(crate) fn measured(evaluation: &Evaluation) -> Measured<'_> {
    let Evaluation { splits, gradient_noise_scale, .. } = evaluation;
    Measured { splits, gradient_noise_scale: *gradient_noise_scale }
}

/// A device as the models name it.
pub(crate) fn choice(device: Device) -> DeviceChoice {
    match device {
        Device::Auto => DeviceChoice::Auto,
        Device::Cpu => DeviceChoice::Cpu,
        Device::Wgpu => DeviceChoice::Wgpu,
    }
}

/// What is left to do, and what it takes on this device.
///
/// # Errors
///
/// Where the store cannot be read or training fails.
pub(crate) fn plan(
    experiment: &CheckedExperiment,
    store: Option<&Store>,
    workload: &mut Workload,
    training: Training,
) -> anyhow::Result<Plan> {
    let began = Instant::now();
    let options = options(training);
    Ok(Plan::new(experiment, store, workload, &options, &mut || began.elapsed())?)
}

fn options(training: Training) -> RunOptions {
    RunOptions { lanes: training.place.lanes.asked(), ..RunOptions::default() }
}

/// Runs what is left, and writes and prints the results.
///
/// # Errors
///
/// Whatever goes wrong in training or in writing.
pub(crate) fn run(session: Session<'_>) -> anyhow::Result<Exit> {
    let Session { mut workload, experiment, mut store, out, training, verbose } = session;
    let plan = plan(&experiment, Some(&store), &mut workload, training)?;
    plan.keep_speeds(&mut store)?;
    console::line(&plan::text(&plan));
    let display = Display::new(!verbose);
    let stop = stop_on_signal(&display)?;
    let mut reporter = Reporter::new(display.clone(), Instant::now());
    let mut observer = |event: &Event<'_>| reporter.observe(event, Instant::now());
    let checkpoints = Checkpoints {
        directory: out.join(CHECKPOINTS_DIRECTORY_NAME),
        every: Duration::from_secs(training.checkpoint_every),
    };
    let options = RunOptions { checkpoints: Some(checkpoints), ..options(training) };
    let began = Instant::now();
    let outcome = critbatch_tuner::run(
        &experiment,
        &mut workload,
        &mut store,
        &options,
        &mut observer,
        &stop,
    );
    display.clear();
    if outcome.is_ok() {
        store.add_running_seconds(began.elapsed().as_secs_f64())?;
    }
    if let Err(TunerError::Trainer { .. }) = outcome {
        let out = out.display();
        console::line(&format!("measurements are in {out}; the same command goes on from there"));
    }
    match outcome? {
        Outcome::Finished { .. } => {
            let has_doubts = finish(&store, out)?;
            Ok(Exit::of_results(training.strict, has_doubts))
        }
        Outcome::Interrupted { batch_size } => {
            let (batch_size, out) = (format::count(batch_size), out.display());
            console::line(&format!(
                "stopped at batch size {batch_size}; measurements and half-run trials are in {out}"
            ));
            Ok(Exit::Interrupted)
        }
    }
}

/// A flag that the first signal sets; the second one ends the program at once. Signals that the program was
/// started to ignore, as by `nohup`, stay ignored.
fn stop_on_signal(display: &Display) -> anyhow::Result<Arc<AtomicBool>> {
    #[cfg(unix)]
    let ignored = ignored_signals();
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, display) = (Arc::clone(&stop), display.clone());
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
        display.line("stopping after this round; run the same command again to continue");
    })
    .context("cannot listen to signals")?;
    #[cfg(unix)]
    ignore(&ignored);
    Ok(stop)
}

/// Those of the signals that end a run which this process was started to ignore.
#[cfg(unix)]
fn ignored_signals() -> Vec<libc::c_int> {
    let is_ignored = |signal: &libc::c_int| {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
        #[expect(
            unsafe_code,
            reason = "the standard library does not tell how signals are handled"
        )]
        // SAFETY: with no new action the call only writes the old one, all of it where it returns 0.
        unsafe {
            libc::sigaction(*signal, std::ptr::null(), action.as_mut_ptr()) == 0
                && action.assume_init().sa_sigaction == libc::SIG_IGN
        }
    };
    [libc::SIGHUP, libc::SIGINT, libc::SIGTERM].into_iter().filter(is_ignored).collect()
}

#[cfg(unix)]
fn ignore(signals: &[libc::c_int]) {
    for &signal in signals {
        #[expect(unsafe_code, reason = "the standard library does not set how signals are handled")]
        // SAFETY: to ignore a signal runs no code of ours.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}

/// Writes and prints the results; says whether some point cannot be trusted.
fn finish(store: &Store, directory: &Path) -> anyhow::Result<bool> {
    let mut has_doubts = false;
    let asked = Asked::default();
    let options = asked.options();
    report::write(&Source::of_store(store, &asked)?, &asked, &options, directory)?;
    for answers in Answers::of_store(store, &asked)? {
        let analysis = GoalAnalysis::of(&answers.studies, &answers.question, &options);
        has_doubts |= analysis.warnings().next().is_some();
        console::print(&summary::text(&answers, &analysis, &options))?;
    }
    console::print(&format!("report: {}", report::path(directory).display()))?;
    Ok(has_doubts)
}
