//! What people read while the program works: lines on stderr.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

/// Writes a line to stderr. A closed stderr is no reason to stop a run.
pub(crate) fn line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Time since the program called this first, which it does as it starts.
pub(crate) fn running_for() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Sends log messages to stderr: what `RUST_LOG` asks for, else our own warnings, and with
/// `verbose` whatever is ours.
pub(crate) fn start_logging(verbose: bool, colors: bool) {
    let default = if verbose { "warn,critbatch=debug" } else { "error,critbatch=warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colors && io::IsTerminal::is_terminal(&io::stderr()))
        .with_target(false)
        .without_time()
        .init();
}

/// Writes results to stdout. That a reader, such as `head`, had enough is no failure and ends no work: the rest
/// is done, and the exit code says how.
///
/// # Errors
///
/// Where stdout cannot be written.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes one line of JSON to stdout.
///
/// # Errors
///
/// Where stdout cannot be written.
pub(crate) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    Ok(print(&serde_json::to_string(value)?)?)
}
