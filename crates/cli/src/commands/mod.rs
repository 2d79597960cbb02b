//! One file for each verb.

mod compare;
mod data;
mod devices;
mod doctor;
mod export;
mod import;
mod paper;
mod probe;
mod quickstart;
mod report;
mod run;
mod sample;
mod session;
mod table;
mod throughput;
mod widen;
mod workloads;

use crate::args::{Arguments, Command};
use crate::exit::Exit;

/// Does what the command line asks for.
///
/// # Errors
///
/// Whatever stops it.
pub(crate) fn execute(arguments: Arguments) -> anyhow::Result<Exit> {
    let verbose = arguments.verbose;
    match arguments.command {
        Command::Quickstart(quickstart) => quickstart::execute(&quickstart, verbose),
        Command::Run(run) => run::execute(&run, verbose),
        Command::Widen(widen) => widen::execute(&widen, verbose),
        Command::Report(report) => report::execute(&report),
        Command::Table(table) => table::execute(&table),
        Command::Compare(compare) => compare::execute(&compare),
        Command::Sample(sample) => sample::execute(&sample),
        Command::Import(import) => import::execute(&import),
        Command::Export(export) => export::execute(&export),
        Command::Throughput(throughput) => throughput::execute(&throughput),
        Command::Probe(probe) => probe::execute(&probe),
        Command::Doctor(doctor) => doctor::execute(&doctor),
        Command::Devices(listing) => devices::execute(listing),
        Command::Workloads(workloads) => workloads::execute(&workloads),
        Command::Data(data) => data::execute(&data),
    }
}
