//! A run that is killed at any moment, or asked to stop, goes on and comes to the same measurements.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use critbatch_tests::{binary, listening};
use critbatch_tuner::{CHECKPOINTS_DIRECTORY_NAME, Record, Store};

/// Trials long enough to be caught in the middle, on several batch sizes, one of them divergent, with repeats.
const EXPERIMENT: &str = r#"
[workload]
dataset = "mnist_5k"
model = "fc_64_64_64"
optimizer = "nesterov_momentum"
[goal]
metric = "val/classification_error"
below = 0.0
[batch_sizes]
list = [16, 64]
[budget]
steps = BUDGET
stop = "budget"
[search]
sampler = "halton"
trials = 3
seed = 5
[search.repeats]
best = 1
seeds = 1
[search.space]
learning_rate = { log = [1e-3, 1e3] }
momentum = { reverse_log = [0.5, 0.99] }
[evaluation]
relative_spacing = 0.3
"#;

/// One experiment at a time, so that a moment is where it was meant to be.
static ALONE: Mutex<()> = Mutex::new(());

/// Moments that are spread evenly whatever their number: multiples of the golden ratio.
fn moment(index: u64, longest: Duration) -> Duration {
    longest.mul_f64((index as f64 * 0.618_033_988_749_895).fract())
}

fn command(folder: &Path, device: &str) -> Command {
    with_arguments(listening(), folder, device)
}

fn with_arguments(mut program: Command, folder: &Path, device: &str) -> Command {
    program
        .env_remove("CRITBATCH_DATA")
        .env_remove("RUST_LOG")
        .arg("run")
        .arg(folder.join("experiment.toml"))
        .arg("--out")
        .arg(folder.join("out"))
        .args(["--device", device, "--lanes", "3", "--checkpoint-every", "0"])
        .stdout(Stdio::null());
    program
}

/// A folder with the experiment, of a size that takes seconds.
fn new_folder(device: &str) -> tempfile::TempDir {
    let budget = if device == "cpu" { "1000" } else { "60" };
    let experiment = EXPERIMENT.replace("BUDGET", budget);
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("experiment.toml"), experiment).expect("it can be written");
    folder
}

/// Runs to the end; returns all trials with all measurements, where NaN is NaN.
fn finish(folder: &Path, device: &str) -> String {
    let output = command(folder, device).output().expect("critbatch starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(!stderr.contains("going on without it"), "a checkpoint was spoilt: {stderr}");
    let out = folder.join("out");
    assert!(!out.join(CHECKPOINTS_DIRECTORY_NAME).exists(), "checkpoints of ended trials");
    let store = Store::open_read_only(&out).expect("a store");
    let record = Record::of_store(&store).expect("a whole record");
    let trials = record.studies.iter().map(|study| (&study.trials, &study.repeats));
    format!("{:?}", trials.collect::<Vec<_>>())
}

/// Interrupts runs of one experiment so many times, in a new folder whenever one has run to its end, and compares each
/// with a run that nobody disturbed.
fn interrupt(device: &str, n_interruptions: u64, interruption: impl Fn(&mut Child)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let expected = finish(new_folder(device).path(), device);
    assert!(expected.contains("Infeasible"), "a trial that diverges: {expected}");
    // Comes to the time that a run takes, wherever this is tested.
    let mut longest = Duration::from_secs(2);
    let (mut index, mut n_half_run) = (0, 0);
    while index < n_interruptions {
        let folder = new_folder(device);
        let checkpoints = folder.path().join("out").join(CHECKPOINTS_DIRECTORY_NAME);
        let mut is_done = false;
        while index < n_interruptions && !is_done {
            let command = &mut command(folder.path(), device);
            let mut child = command.stderr(Stdio::null()).spawn().expect("critbatch starts");
            std::thread::sleep(moment(index, longest));
            interruption(&mut child);
            is_done = child.wait().expect("a child of ours").success();
            longest = longest.mul_f64(if is_done { 0.7 } else { 1.1 });
            index += 1;
            n_half_run += u64::from(checkpoints.exists());
        }
        assert!(
            finish(folder.path(), device) == expected,
            "other measurements after interruption {index}"
        );
    }
    assert!(n_half_run > n_interruptions / 4, "{n_half_run} interruptions within trials");
}

fn kill(child: &mut Child) {
    child.kill().expect("it can be killed, and if it has just ended, that is fine");
}

/// Sends a signal that asks; whoever has begun to listen ends with its own exit code.
fn ask(child: &mut Child, signal: &str) {
    let id = child.id().to_string();
    let status = Command::new("kill").args([signal, &id]).status().expect("kill(1) exists");
    assert!(status.success());
    let code = child.wait().expect("it ends").code();
    assert!(matches!(code, Some(130 | 0) | None), "{signal}: exit code {code:?}");
}

#[test]
fn killed_on_the_cpu() {
    interrupt("cpu", 50, kill);
}

#[test]
fn killed_on_a_device() {
    interrupt("wgpu", 20, kill);
}

/// Files cannot grow beyond a limit, as on a disk that is full.
#[test]
fn a_full_disk_loses_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let expected = finish(new_folder("cpu").path(), "cpu");
    for kibibytes in [60, 90, 120] {
        let folder = new_folder("cpu");
        let run = command(folder.path(), "cpu");
        let script = format!("ulimit -f {kibibytes}; trap '' XFSZ; exec \"$@\"");
        let output = Command::new("bash")
            .args(["-c", &script, "bash"])
            .arg(run.get_program())
            .args(run.get_args())
            .output()
            .expect("bash starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{kibibytes} KiB: {stderr}");
        let last = stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: cannot write store"), "{kibibytes} KiB: {stderr}");
        // A checkpoint is larger than that; it is not worth stopping for.
        assert!(stderr.contains("cannot be written: File too large"), "{kibibytes} KiB: {stderr}");
        assert!(finish(folder.path(), "cpu") == expected, "other measurements");
    }
}

/// As with `nohup`: whoever logs out sends SIGHUP to all that was started.
#[test]
fn a_signal_that_is_ignored_from_the_start_ends_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = new_folder("cpu");
    let run = with_arguments(Command::new(binary()), folder.path(), "cpu");
    let mut child = Command::new("bash")
        .args(["-c", "trap '' HUP; exec \"$@\"", "bash"])
        .arg(run.get_program())
        .args(run.get_args())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bash starts");
    let checkpoints = folder.path().join("out").join(CHECKPOINTS_DIRECTORY_NAME);
    while !checkpoints.exists() && child.try_wait().expect("a child of ours").is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().expect("kill(1) exists").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn asked_to_end() {
    interrupt("cpu", 8, |child| ask(child, "-TERM"));
}

#[test]
fn interrupted_from_the_keyboard() {
    interrupt("cpu", 8, |child| ask(child, "-INT"));
}
