//! The command line, as clap reads it. Nothing here does any work.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use critbatch_tuner::{AnalysisOptions, Tolerances, WIDENING_FACTOR};

/// Measures how far larger batches speed up training: at every batch size it tunes the
/// metaparameters and counts the steps to a goal.
#[derive(Debug, Parser)]
#[command(name = "critbatch", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Log every trial to stderr, instead of a progress bar; RUST_LOG says more precisely what
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Write no colours; the environment variable NO_COLOR does the same
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a small experiment that needs no file and no download
    Quickstart(Quickstart),
    /// Run the experiment of a file, or what is left of it
    Run(Run),
    /// Search on in a wider box where the best point lies on an edge of the search space
    Widen(Widen),
    /// Write report.html and the figures of an experiment again
    Report(Report),
    /// Print the results of an experiment
    Table(Table),
    /// Put several experiments on one axis
    Compare(Compare),
    /// Print the points an experiment would search at a batch size; needs no data and no device
    Sample(Sample),
    /// Turn an exported file, or workloads of a published archive, into experiment directories
    Import(Import),
    /// Write an experiment as one compressed file, or in the format of the published archive
    Export(Export),
    /// Measure how many examples a second a workload trains on here
    Throughput(Throughput),
    /// Write what a workload computes as tensors, to be compared with another framework
    Probe(Probe),
    /// See whether all that was measured is there, and save what is
    Doctor(Doctor),
    /// List the devices that can train
    Devices(Listing),
    /// List data sets, models and optimizers; any combination is a workload
    Workloads(Workloads),
    /// See where data sets are, check their files, fetch them
    #[command(subcommand)]
    Data(Data),
}

/// Where data are looked for.
#[derive(Debug, Args)]
pub(crate) struct DataPlace {
    /// Directory of the data sets, searched before $CRITBATCH_DATA, where `critbatch data fetch` puts
    /// them, and /usr/share/datasets
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// `critbatch quickstart`.
#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// Directory for measurements and report; an earlier quickstart there is continued
    #[arg(long, value_name = "DIR", default_value = "critbatch-quickstart")]
    pub(crate) out: PathBuf,
    /// How to run.
    #[command(flatten)]
    pub(crate) how: How,
}

/// `critbatch run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The experiment file
    #[arg(value_name = "EXPERIMENT.toml")]
    pub(crate) experiment: PathBuf,
    /// Directory for measurements and report; the same experiment there is continued
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Where data are looked for.
    #[command(flatten)]
    pub(crate) data: DataPlace,
    /// Print what it would take, from a measurement of a few steps, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to run.
    #[command(flatten)]
    pub(crate) how: How,
}

/// `critbatch widen`.
#[derive(Debug, Args)]
pub(crate) struct Widen {
    /// Output directory of a run
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// How far an edge moves out, as a part of its scale's length
    #[arg(long, value_name = "F", default_value_t = WIDENING_FACTOR, value_parser = factor)]
    pub(crate) factor: f64,
    /// Where data are looked for.
    #[command(flatten)]
    pub(crate) data: DataPlace,
    /// Where to train.
    #[command(flatten)]
    pub(crate) training: Training,
}

fn factor(text: &str) -> Result<f64, String> {
    let factor: Option<f64> = text.parse().ok();
    let sound = factor.filter(|factor| (0.01..=10.0).contains(factor));
    sound.ok_or_else(|| "expected a number from 0.01 to 10".to_owned())
}

/// Where to train, and in how many lanes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Place {
    /// Where to train: auto takes a GPU if there is one
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    pub(crate) device: Device,
    /// Trials to train side by side: auto measures how many; changes no result
    #[arg(long, value_name = "N|auto", default_value = "auto", value_parser = lanes)]
    pub(crate) lanes: Lanes,
}

/// What all that run experiments share.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Training {
    /// Where to train.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Seconds between two checkpoints of half-run trials; changes no result
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) checkpoint_every: u64,
    /// Exit with 3 where a point of the curve cannot be trusted
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Values of `--lanes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lanes {
    /// As many as train fastest.
    Auto,
    /// So many.
    Count(usize),
}

impl Lanes {
    /// The number asked for, if one was.
    pub(crate) fn asked(self) -> Option<usize> {
        match self {
            Lanes::Auto => None,
            Lanes::Count(count) => Some(count),
        }
    }
}

fn lanes(text: &str) -> Result<Lanes, String> {
    let count = text.parse::<u32>().ok().filter(|&count| count > 0);
    match (text, count) {
        ("auto", _) => Ok(Lanes::Auto),
        (_, Some(count)) => Ok(Lanes::Count(count as usize)),
        _ => Err("expected auto, or a whole number from 1".to_owned()),
    }
}

/// What `run` and `quickstart` share.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// Where to train.
    #[command(flatten)]
    pub(crate) training: Training,
    /// Seed, instead of the file's search.seed
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: Option<u64>,
}

/// Values of `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Device {
    /// A GPU if there is one, else the CPU
    Auto,
    /// The CPU
    Cpu,
    /// Any adapter of wgpu
    Wgpu,
}

/// What is asked of measurements.
#[derive(Debug, Clone, Args)]
pub(crate) struct Asked {
    /// Metric of the goal, such as val/classification_error [default: that of the experiment's goal]
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: Option<String>,
    /// A goal: the metric below X [default: the experiment's]; several are answered one by one
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = threshold)]
    pub(crate) below: Vec<f64>,
    /// A goal: the metric above X
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = threshold)]
    pub(crate) above: Vec<f64>,
    /// Count measurements up to N steps only
    #[arg(long, value_name = "N")]
    pub(crate) max_steps: Option<u64>,
    /// Count measurements up to N examples (steps times batch size) only
    #[arg(long, value_name = "N")]
    pub(crate) max_examples: Option<u64>,
    /// Count the first N complete trials of each study only [default: as many as the experiment asks
    /// for; all of an archive, of which most of the paper's figures take 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) trials: Option<u64>,
    /// Perfect scaling ends where more than this fraction is added to the fewest examples
    #[arg(long, value_name = "T", default_value_t = Tolerances::default().perfect_scaling, value_parser = tolerance)]
    pub(crate) scaling_tolerance: f64,
    /// A batch size is useful up to where no larger one saves more than this fraction of steps
    #[arg(long, value_name = "T", default_value_t = Tolerances::default().useful, value_parser = tolerance)]
    pub(crate) useful_tolerance: f64,
}

fn threshold(text: &str) -> Result<f64, String> {
    let threshold: Option<f64> = text.parse().ok();
    let sound = threshold.filter(|threshold| threshold.is_finite());
    sound.ok_or_else(|| "expected a finite number, such as 0.1".to_owned())
}

fn tolerance(text: &str) -> Result<f64, String> {
    let tolerance: Option<f64> = text.parse().ok();
    let sound = tolerance.filter(|tolerance| (0.0..=10.0).contains(tolerance));
    sound.ok_or_else(|| "expected a fraction from 0 to 10, such as 0.1".to_owned())
}

/// What an experiment is asked if nobody asks for anything else.
impl Default for Asked {
    fn default() -> Asked {
        let Tolerances { perfect_scaling, useful, .. } = Tolerances::default();
        Asked {
            metric: None,
            below: vec![],
            above: vec![],
            max_steps: None,
            max_examples: None,
            trials: None,
            scaling_tolerance: perfect_scaling,
            useful_tolerance: useful,
        }
    }
}

impl Asked {
    /// How to analyse.
    pub(crate) fn options(&self) -> AnalysisOptions {
        let (perfect_scaling, useful) = (self.scaling_tolerance, self.useful_tolerance);
        AnalysisOptions {
            tolerances: Tolerances { perfect_scaling, useful, ..Tolerances::default() },
            ..AnalysisOptions::default()
        }
    }

    /// Whether the goal is left to the experiment.
    pub(crate) fn names_no_goal(&self) -> bool {
        self.below.is_empty() && self.above.is_empty()
    }
}

/// `critbatch report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Output directory of a run or an import, an exported file, or a workload's folder of a published archive
    #[arg(value_name = "DIR")]
    pub(crate) path: PathBuf,
    /// Directory for the report [default: DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Batch size at which learning-rate rules are anchored [default: the smallest with a result]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) base_batch_size: Option<u64>,
    /// What is asked.
    #[command(flatten)]
    pub(crate) asked: Asked,
}

impl Report {
    /// How to analyse: learning-rate rules, which only a report tells of, too.
    pub(crate) fn options(&self) -> AnalysisOptions {
        AnalysisOptions { base_batch_size: self.base_batch_size, ..self.asked.options() }
    }
}

/// `critbatch compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Output directories of runs or imports, exported files, or workloads' folders of a published archive
    #[arg(value_name = "DIR", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// A name for each, in their order [default: the workload]
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Vec<String>,
    /// Batch size at which all curves are 1 [default: the smallest that all have]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) normalise_at: Option<u64>,
    /// Directory for a page, figures and tables
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 3 where a point of some curve cannot be trusted
    #[arg(long)]
    pub(crate) strict: bool,
    /// What is asked.
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// In which form.
    #[command(flatten)]
    pub(crate) listing: Listing,
}

/// `critbatch table`.
#[derive(Debug, Args)]
pub(crate) struct Table {
    /// Output directory of a run or an import, an exported file, or a folder of a published archive
    #[arg(value_name = "DIR")]
    pub(crate) path: PathBuf,
    /// What is asked.
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// In which form.
    #[command(flatten)]
    pub(crate) listing: Listing,
    /// Exit with 3 where a point of the curve cannot be trusted
    #[arg(long)]
    pub(crate) strict: bool,
}

/// `critbatch doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Output directory of a run or an import
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Copy every trial that is whole into a new directory, in which the experiment can go on
    #[arg(long, value_name = "NEW")]
    pub(crate) save_to: Option<PathBuf>,
}

/// `critbatch sample`.
#[derive(Debug, Args)]
pub(crate) struct Sample {
    /// The experiment file
    #[arg(value_name = "EXPERIMENT.toml")]
    pub(crate) experiment: PathBuf,
    /// One of the experiment's batch sizes: a number, or full
    #[arg(long, value_name = "B")]
    pub(crate) batch_size: String,
    /// Number of points [default: the file's search.trials]
    #[arg(long = "n", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) n_points: Option<u64>,
    /// Print a header of metaparameter names and a row a point, all digits
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Seed, instead of the file's search.seed
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: Option<u64>,
    /// In which form.
    #[command(flatten)]
    pub(crate) listing: Listing,
}

/// `critbatch import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// An exported file, whose experiment can then go on, or an archive or any folder in it that holds one
    /// workload or several
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: PathBuf,
    /// Directory for the measurements; several workloads go to DATASET/MODEL/OPTIMIZER below it
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// `critbatch export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Output directory of a run or an import, or an exported file
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// A file NAME.sqlite.gz with all of it, which table, report, compare and import take; or an archive, in
    /// which the workload's folder DATASET/MODEL/OPTIMIZER is made
    #[arg(long, value_name = "FILE|ARCHIVE")]
    pub(crate) to: PathBuf,
}

/// `critbatch throughput`.
#[derive(Debug, Args)]
pub(crate) struct Throughput {
    /// The model; `critbatch workloads` lists all names
    #[arg(long, value_name = "NAME")]
    pub(crate) model: String,
    /// The optimizer
    #[arg(long, value_name = "NAME")]
    pub(crate) optimizer: String,
    /// Examples per update
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch_size: u32,
    /// The data set
    #[arg(long, value_name = "NAME", default_value = "mnist_5k")]
    pub(crate) dataset: String,
    /// Where data are looked for.
    #[command(flatten)]
    pub(crate) data: DataPlace,
    /// Where to train.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Threads that train on the CPU [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) threads: Option<u32>,
    /// Measure for about so long, after a warm-up
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = duration)]
    pub(crate) seconds: f64,
    /// In which form.
    #[command(flatten)]
    pub(crate) listing: Listing,
}

fn duration(text: &str) -> Result<f64, String> {
    let seconds: Option<f64> = text.parse().ok();
    let sound = seconds.filter(|seconds| (0.01..=3600.0).contains(seconds));
    sound.ok_or_else(|| "expected seconds, from 0.01 to 3600".to_owned())
}

/// `critbatch probe`.
#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// Data set, model and optimizer; `critbatch workloads` lists all names
    #[arg(long, value_name = "DATASET/MODEL/OPTIMIZER", value_parser = workload)]
    pub(crate) workload: [String; 3],
    /// Examples per update
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch_size: u32,
    /// Seed of weights and order of the data
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: u64,
    /// Steps to train
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) steps: u32,
    /// A metaparameter; unless given, the learning rate is 0.01 and the momentum 0.9
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = metaparameter)]
    pub(crate) metaparameters: Vec<(String, f64)>,
    /// Compute in double precision, natively
    #[arg(long, conflicts_with = "device")]
    pub(crate) double: bool,
    /// Directory for probe.safetensors
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Where data are looked for.
    #[command(flatten)]
    pub(crate) data: DataPlace,
    /// Where to train: auto takes a GPU if there is one
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    pub(crate) device: Device,
}

fn workload(text: &str) -> Result<[String; 3], String> {
    // The name of a data set may hold its group: mnist_subsets/mnist_6875.
    let mut names: Vec<String> = text.rsplitn(3, '/').map(str::to_owned).collect();
    names.reverse();
    let names = <[String; 3]>::try_from(names).ok();
    let names = names.filter(|names| names.iter().all(|name| !name.is_empty()));
    names.ok_or_else(|| "expected three names, such as mnist/fc_1024/sgd".to_owned())
}

fn metaparameter(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    match value.parse::<f64>() {
        Ok(value) if value.is_finite() && !name.is_empty() => Ok((name.to_owned(), value)),
        _ => Err("expected a name and a number, such as learning_rate=0.1".to_owned()),
    }
}

/// `critbatch workloads`.
#[derive(Debug, Args)]
pub(crate) struct Workloads {
    /// Print the experiment file of this workload of the paper, such as
    /// mnist/simple_cnn_base/nesterov_momentum
    #[arg(value_name = "WORKLOAD", conflicts_with = "json")]
    pub(crate) workload: Option<String>,
    /// Where data are looked for.
    #[command(flatten)]
    pub(crate) data: DataPlace,
    /// In which form.
    #[command(flatten)]
    pub(crate) listing: Listing,
}

/// `critbatch data`.
#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// Say of every data set whether it is there, where it was looked for, and how to get it
    List(DataList),
    /// Read every file of a data set and name those that are damaged
    Check(DataCheck),
    /// Fetch a data set from its publisher; what was begun is continued
    Fetch(DataFetch),
}

/// `critbatch data list`.
#[derive(Debug, Args)]
pub(crate) struct DataList {
    /// Where data are looked for.
    #[command(flatten)]
    pub(crate) data: DataPlace,
    /// In which form.
    #[command(flatten)]
    pub(crate) listing: Listing,
}

/// `critbatch data check`.
#[derive(Debug, Args)]
pub(crate) struct DataCheck {
    /// Name of the data set
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Where data are looked for.
    #[command(flatten)]
    pub(crate) data: DataPlace,
}

/// `critbatch data fetch`.
#[derive(Debug, Args)]
pub(crate) struct DataFetch {
    /// Name of the data set
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Directory to fetch into, instead of CRITBATCH_DATA or your own data directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address of a folder that has the same files, to fetch from instead of the publisher's
    #[arg(long, value_name = "URL")]
    pub(crate) mirror: Option<String>,
}

/// The form of what is listed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Listing {
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn tolerances_reach_the_analysis_and_are_fractions() {
        let parse = |value: &str| {
            Arguments::try_parse_from(["critbatch", "table", "x", "--useful-tolerance", value])
        };
        let Command::Table(table) = parse("0.5").unwrap().command else { panic!("a table") };
        let options = table.asked.options();
        assert_eq!((options.tolerances.useful, options.tolerances.perfect_scaling), (0.5, 0.2));
        assert_eq!(Asked::default().options(), AnalysisOptions::default());
        for value in ["-0.1", "nan", "much"] {
            assert_eq!(parse(value).unwrap_err().exit_code(), 2, "{value}");
        }
    }

    #[test]
    fn learning_rate_rules_are_anchored_by_reports_only() {
        let parse = |verb: &str| {
            Arguments::try_parse_from(["critbatch", verb, "x", "--base-batch-size", "8"])
        };
        let Command::Report(report) = parse("report").unwrap().command else { panic!("a report") };
        assert_eq!(report.options().base_batch_size, Some(8));
        for verb in ["table", "compare"] {
            assert_eq!(parse(verb).unwrap_err().exit_code(), 2, "{verb}");
        }
    }

    #[test]
    fn boxes_only_grow() {
        for factor in ["0", "-1", "nan", "11", "much"] {
            let parsed = Arguments::try_parse_from(["critbatch", "widen", "x", "--factor", factor]);
            assert_eq!(parsed.unwrap_err().exit_code(), 2, "{factor}");
        }
    }

    #[test]
    fn lanes_are_a_number_or_left_to_measurement() {
        let parse = |more: &[&str]| {
            let parsed = Arguments::try_parse_from([&["critbatch", "quickstart"], more].concat());
            parsed.map(|arguments| match arguments.command {
                Command::Quickstart(quickstart) => quickstart.how.training.place.lanes.asked(),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(parse(&[]).unwrap(), None);
        assert_eq!(parse(&["--lanes", "auto"]).unwrap(), None);
        assert_eq!(parse(&["--lanes", "12"]).unwrap(), Some(12));
        for refused in ["0", "-1", "2.5", "all"] {
            assert_eq!(parse(&["--lanes", refused]).unwrap_err().exit_code(), 2, "{refused}");
        }
    }

    #[test]
    fn throughput_is_measured_for_a_time() {
        let parse = |seconds: &str| {
            Arguments::try_parse_from(
                [
                    &["critbatch", "throughput", "--model", "m", "--optimizer", "o"][..],
                    &["--batch-size", "8", "--seconds", seconds],
                ]
                .concat(),
            )
        };
        let Command::Throughput(parsed) = parse("0.5").unwrap().command else { panic!("the verb") };
        assert_eq!(
            (parsed.seconds, parsed.dataset.as_str(), parsed.threads),
            (0.5, "mnist_5k", None)
        );
        for refused in ["0", "-1", "nan", "inf", "long"] {
            assert_eq!(parse(refused).unwrap_err().exit_code(), 2, "{refused}");
        }
    }

    #[test]
    fn a_measurement_of_speed_takes_no_option_that_it_would_ignore() {
        let verb = ["critbatch", "throughput", "--model", "m", "--optimizer", "o"];
        let parse = |more: &[&str]| {
            let all = [&verb[..], &["--batch-size", "8"], more].concat();
            Arguments::try_parse_from(all)
        };
        let parsed = parse(&["--device", "cpu", "--lanes", "3"]).unwrap().command;
        let Command::Throughput(parsed) = parsed else { panic!("the verb") };
        assert_eq!((parsed.place.device, parsed.place.lanes), (Device::Cpu, Lanes::Count(3)));
        for refused in [&["--strict"][..], &["--checkpoint-every", "9"]] {
            assert_eq!(parse(refused).unwrap_err().exit_code(), 2, "{refused:?}");
        }
    }
}
