//! `critbatch`: how far can data parallelism speed up a training run?
//!
//! `args.rs` reads the command line, `commands/` has one file for each verb, `plan.rs` says what a
//! run will take, `fetch.rs` takes files from a server, `progress.rs` tells on stderr how it goes, `source.rs` reads what was measured,
//! `summary.rs` turns it into text, `ruled.rs` makes its tables, and `report.rs` has critbatch-report draw it. stdout has results
//! and nothing else.

mod args;
mod commands;
mod console;
mod exit;
mod fetch;
mod plan;
mod progress;
mod report;
mod ruled;
mod source;
mod summary;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::Arguments;
use exit::Exit;

fn main() -> ExitCode {
    quieten_device_selection();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    give_large_buffers_back();
    console::running_for();
    let arguments = parse();
    console::start_logging(arguments.verbose, colors_allowed());
    match commands::execute(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => {
            console::line(&format!("error: {}", exit::one_line(&error)));
            Exit::of(&error).into()
        }
    }
}

/// Switches off Mesa's layer that asks the desktop for its default GPU: critbatch chooses by itself,
/// and where there is no desktop the layer writes an error line of its own to stderr.
fn quieten_device_selection() {
    #[expect(unsafe_code, reason = "no other thread runs yet that could read the environment")]
    // SAFETY: the first statement of `main`; nothing has started a thread.
    unsafe {
        std::env::set_var("NODEVICE_SELECT", "1");
    }
}

/// Has glibc take buffers of 1 MB and more from the system one by one and hand them back when they are
/// freed. By itself it keeps ever larger ones in its heap, where the weights of a trial that ended may
/// stay between two that run: then a run takes more memory than it planned.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_large_buffers_back() {
    #[expect(unsafe_code, reason = "the C library's own setting of its heap")]
    // SAFETY: a setting of two integers; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
}

fn parse() -> Arguments {
    let color = match colors_allowed() {
        true => clap::ColorChoice::Auto,
        false => clap::ColorChoice::Never,
    };
    let matches = Arguments::command().color(color).get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Looks at the raw arguments, because clap's own messages are written before they are parsed.
fn colors_allowed() -> bool {
    let is_unset = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    is_unset && std::env::args_os().all(|argument| argument != "--no-color")
}
