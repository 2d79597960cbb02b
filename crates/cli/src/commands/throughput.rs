//! `critbatch throughput`: how many examples a second a workload trains on here.

use std::time::Instant;

use critbatch_models::{
    Compute, Measured, Throughput, Workload, n_threads, product_flop_per_second, use_threads,
};
use critbatch_report::format;
use critbatch_tuner::{LaneCounts, LanesReason, SpeedMeter};
use serde::Serialize;

use crate::args;
use crate::commands::session::{choice, self_tested};
use crate::console;
use crate::exit::{Exit, UsageError};
use crate::plan::{size, why_lanes};

/// What is printed; with `--json` under these names.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    dataset: &'a str,
    model: &'a str,
    optimizer: &'a str,
    batch_size: u32,
    device: String,
    lanes: usize,
    /// `user` or `measurement`.
    lanes_chosen_by: &'static str,
    /// Threads that train on the CPU.
    threads: usize,
    seconds: f64,
    /// Summed over lanes.
    examples_per_second: f64,
    steps_per_second_per_lane: f64,
    gflop_per_second: f64,
    /// Of square matrices, on the same device in the same run.
    product_gflop_per_second: f64,
    share_of_product: f64,
    /// On the CPU the most that the whole process has, on a GPU what the device holds.
    planned_memory_bytes: u64,
    /// Of the process; `null` where the operating system does not tell.
    peak_memory_bytes: Option<u64>,
    dispatches_per_step: f64,
    /// Time of the host; `null` on the CPU.
    microseconds_per_dispatch: Option<f64>,
}

/// Free threads wait in a spin, so that many more than there are cores hardly come to an end.
const MOST_THREADS_PER_CORE: usize = 8;

/// The number of lanes, why it was taken, and the most that were tried.
struct Lanes {
    count: usize,
    reason: LanesReason,
    most: usize,
}

/// Measures and prints.
///
/// # Errors
///
/// Where a name is unknown, the data or the device is not there, or training fails.
pub(crate) fn execute(arguments: &args::Throughput) -> anyhow::Result<Exit> {
    if let Some(asked) = arguments.threads.map(|asked| asked as usize) {
        let most =
            MOST_THREADS_PER_CORE * std::thread::available_parallelism().map_or(1, usize::from);
        if asked > most {
            return Err(UsageError(format!(
                "--threads {asked}: at most {most} on this machine, {MOST_THREADS_PER_CORE} for each core; threads \
                 that wait for each other take turns"
            ))
            .into());
        }
        use_threads(asked)?;
    }
    let (compute, why) = Compute::choose(choice(arguments.place.device))?;
    console::line(&format!("device: {}: {why}", compute.description()));
    let names = [&arguments.dataset, &arguments.model, &arguments.optimizer].map(String::as_str);
    let measured = Measured { splits: &[], gradient_noise_scale: false };
    let data_dir = arguments.data.data_dir.as_deref();
    let workload = Workload::load(names, measured, data_dir, compute)?;
    let device = arguments.place.device;
    let mut workload = self_tested(workload, [arguments.batch_size.into()], device)?;
    let batch_size = arguments.batch_size as usize;
    let lanes = lanes(arguments, &mut workload)?;
    let planned_memory_bytes = workload.memory_bytes(batch_size, lanes.most)?;
    let why = why_lanes(lanes.reason);
    let planned = size(planned_memory_bytes);
    console::line(&format!("lanes: {}: {why}; memory planned: {planned}", lanes.count));
    let began = Instant::now();
    let mut clock = || began.elapsed();
    let (count, seconds) = (lanes.count, arguments.seconds);
    let found = Throughput::measure(&workload, batch_size, count, seconds, &mut clock)?;
    let product = product_flop_per_second(workload.compute(), &mut clock)?;
    let listed = Listed {
        dataset: &arguments.dataset,
        model: &arguments.model,
        optimizer: &arguments.optimizer,
        batch_size: arguments.batch_size,
        device: workload.compute().description(),
        lanes: count,
        lanes_chosen_by: if lanes.reason == LanesReason::Asked { "user" } else { "measurement" },
        threads: n_threads(),
        seconds: found.seconds,
        examples_per_second: found.examples_per_second,
        steps_per_second_per_lane: found.steps_per_second_per_lane,
        gflop_per_second: found.flop_per_second / 1e9,
        product_gflop_per_second: product / 1e9,
        share_of_product: found.flop_per_second / product,
        planned_memory_bytes,
        peak_memory_bytes: found.peak_memory_bytes,
        dispatches_per_step: found.dispatches_per_step,
        microseconds_per_dispatch: found.seconds_per_dispatch.map(|seconds| seconds * 1e6),
    };
    match arguments.listing.json {
        true => console::print_json(&listed)?,
        false => console::print(&text(&listed))?,
    }
    Ok(Exit::Done)
}

/// The number asked for, else the one that trains fastest; the data bound it nowhere.
fn lanes(arguments: &args::Throughput, workload: &mut Workload) -> anyhow::Result<Lanes> {
    let batch_size = arguments.batch_size;
    // A batch that is too large says so itself, not that lanes cannot be measured.
    workload.program(batch_size as usize)?;
    let asked = arguments.place.lanes.asked();
    let counts = LaneCounts::new(asked, workload, batch_size.into(), u64::MAX);
    if let Some(count) = asked {
        return Ok(Lanes { count, reason: counts.limit(), most: count });
    }
    let space = Throughput::space(workload);
    let began = Instant::now();
    let mut clock = || began.elapsed();
    let mut meter = SpeedMeter::new(&mut clock);
    let measured = meter.measure(workload, &space, batch_size.into(), &counts, u64::MAX, 0.0)?;
    let count = usize::try_from(measured.speed.lanes).expect("it was one of the counts");
    Ok(Lanes { count, reason: measured.reason, most: measured.most_lanes })
}

fn text(listed: &Listed<'_>) -> String {
    let Listed { dataset, model, optimizer, .. } = listed;
    let batch_size = format::count(listed.batch_size.into());
    let rate = |value: f64| format::rate(value);
    let mut lines = vec![
        format!("{dataset} / {model} / {optimizer}, batch size {batch_size}"),
        format!(
            "{} examples/s in {} lanes, {} steps/s in each, over {:.1} s",
            rate(listed.examples_per_second),
            listed.lanes,
            rate(listed.steps_per_second_per_lane),
            listed.seconds,
        ),
        format!(
            "{:.1} GFLOP/s, {:.0} % of the {:.1} GFLOP/s of a plain product",
            listed.gflop_per_second,
            100.0 * listed.share_of_product,
            listed.product_gflop_per_second,
        ),
    ];
    let peak = listed
        .peak_memory_bytes
        .map_or(String::new(), |bytes| format!(", the process had {} at most", size(bytes)));
    lines.push(format!("memory: {} planned{peak}", size(listed.planned_memory_bytes)));
    let host = listed.microseconds_per_dispatch.map_or(String::new(), |microseconds| {
        format!(", {microseconds:.1} microseconds of the host for each")
    });
    lines.push(format!("{:.0} dispatches a step{host}", listed.dispatches_per_step));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_says_what_was_measured() {
        let mut listed = Listed {
            dataset: "mnist_5k",
            model: "fc_64_64_64",
            optimizer: "sgd",
            batch_size: 1_024,
            device: "cpu (x86_64)".to_owned(),
            lanes: 8,
            lanes_chosen_by: "measurement",
            threads: 2,
            seconds: 3.04,
            examples_per_second: 123_456.0,
            steps_per_second_per_lane: 15.07,
            gflop_per_second: 50.0,
            product_gflop_per_second: 200.0,
            share_of_product: 0.25,
            planned_memory_bytes: 30_000_000,
            peak_memory_bytes: Some(31_000_000),
            dispatches_per_step: 21.0,
            microseconds_per_dispatch: None,
        };
        let expected = "mnist_5k / fc_64_64_64 / sgd, batch size 1,024\n\
                        123k examples/s in 8 lanes, 15 steps/s in each, over 3.0 s\n\
                        50.0 GFLOP/s, 25 % of the 200.0 GFLOP/s of a plain product\n\
                        memory: 30 MB planned, the process had 31 MB at most\n\
                        21 dispatches a step";
        assert_eq!(text(&listed), expected);
        (listed.peak_memory_bytes, listed.microseconds_per_dispatch) = (None, Some(2.25));
        let text = text(&listed);
        assert!(
            text.ends_with("planned\n21 dispatches a step, 2.2 microseconds of the host for each")
        );
    }
}
