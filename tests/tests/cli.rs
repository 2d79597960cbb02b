//! The program as a user meets it: verbs, messages, exit codes, files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use assert_cmd::assert::Assert;
use critbatch_tests::critbatch;
use critbatch_tuner::{Space, Store};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

/// Two studies of two trials, done in a second.
const TINY: &str = r#"
[workload]
dataset = "mnist_5k"
model = "fc_64_64_64"
optimizer = "nesterov_momentum"
[goal]
metric = "val/classification_error"
below = 0.5
[batch_sizes]
list = [8, 64]
[search]
sampler = "halton"
trials = 2
seed = 0
[search.space]
learning_rate = { log = [0.01, 0.05] }
momentum = 0.9
[budget]
steps = 120
[evaluation]
relative_spacing = 0.1
"#;

/// Writes an experiment file and gives its path.
fn file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).expect("the temporary directory can be written");
    path.display().to_string()
}

/// `critbatch run` on the CPU, in `directory`.
fn run(directory: &Path, experiment: &str, out: &str, more: &[&str]) -> Assert {
    let mut command = critbatch();
    command.current_dir(directory).args(["run", experiment, "--out", out, "--device", "cpu"]);
    command.args(more).assert()
}

fn critbatch_in(directory: &Path, arguments: &[&str]) -> Assert {
    critbatch().current_dir(directory).args(arguments).assert()
}

/// What `critbatch table --json` prints, as text.
fn table_json(directory: &Path, out: &str) -> String {
    let assert = critbatch_in(directory, &["table", out, "--json"]);
    String::from_utf8(assert.success().get_output().stdout.clone()).expect("JSON is UTF-8")
}

/// The one error line; asserts that there is one, last on stderr.
fn error_line(assert: &Assert) -> String {
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).expect("messages are UTF-8");
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one line says what is wrong:\n{stderr}");
    assert_eq!(stderr.lines().last(), errors.first().copied(), "and it is the last:\n{stderr}");
    errors[0].to_owned()
}

#[test]
fn an_experiment_runs_and_its_table_has_the_documented_shape() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    let assert = run(directory.path(), &experiment, "out", &[]).success();
    let stdout = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    assert!(stdout.contains("maximum useful batch size"), "{stdout}");
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    for expected in ["device: cpu", "studies: 2", "output: out", "batch size 64: "] {
        assert!(stderr.contains(expected), "'{expected}' is missing in:\n{stderr}");
    }

    let json = table_json(directory.path(), "out");
    assert_eq!(json.trim_end().lines().count(), 1, "one line");
    let table: Value = serde_json::from_str(&json).unwrap();
    let expected = [
        "goal",
        "max_examples",
        "max_steps",
        "measured_by",
        "omissions",
        "regimes",
        "studies",
        "workload",
    ];
    assert_eq!(keys(&table), expected);
    let documented = include_str!("../../docs/json.md");
    let told = keys(&table).into_iter().chain(keys(&table["studies"][0]));
    for field in told.chain(keys(&table["regimes"])).chain(keys(&table["measured_by"])) {
        assert!(documented.contains(&format!("`{field}`")), "'{field}' is not in docs/json.md");
    }
    assert_eq!(table["goal"]["metric"], "val/classification_error");
    assert_eq!(table["goal"]["below"], 0.5);
    assert_eq!(keys(&table["workload"]), ["dataset", "model", "optimizer"]);
    let studies = table["studies"].as_array().unwrap();
    assert_eq!(studies.len(), 2);
    for (study, batch_size) in studies.iter().zip([8_u64, 64]) {
        let expected = [
            "batch_size",
            "boundaries",
            "budget_steps",
            "complete",
            "examples",
            "good_effective_learning_rates",
            "incomplete",
            "infeasible",
            "interval",
            "parameters",
            "reached",
            "search_excess",
            "steps_to_result",
            "trial_id",
            "trials",
            "trials_exhausted",
            "value",
            "warnings",
        ];
        assert_eq!(keys(study), expected);
        assert_eq!(study["batch_size"], batch_size);
        assert_eq!(study["complete"], 2);
        let steps = study["steps_to_result"].as_u64().expect("half wrong is an easy goal");
        assert_eq!(study["examples"], steps * batch_size);
        assert_eq!(study["parameters"]["momentum"], 0.9);
    }
}

#[test]
fn a_dry_run_tells_what_it_would_take_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    let dry = |more: &[&str]| {
        let arguments = [&["--dry-run"], more].concat();
        let assert = run(directory.path(), &experiment, "out", &arguments).success();
        String::from_utf8(assert.get_output().stdout.clone()).unwrap()
    };
    let row = |plan: &str, batch_size: &str| -> Vec<String> {
        let rows = plan.lines().map(|line| line.split_whitespace().map(str::to_owned));
        let mut rows = rows.map(Iterator::collect::<Vec<String>>);
        let row = rows.find(|row| row.first().is_some_and(|first| first == batch_size));
        row.unwrap_or_else(|| panic!("no row of {batch_size} in:\n{plan}"))
    };
    let plan = dry(&["--lanes", "2"]);
    // Batch size, trials, lanes, steps, examples, measurements, seconds per step.
    let row_of_8 = row(&plan, "8");
    assert_eq!(row_of_8[..5], ["8", "2", "2", "120", "1.9k"]);
    assert!(row_of_8[6].parse::<f64>().unwrap() > 0.0, "{plan}");
    assert_eq!(row(&plan, "64")[..5], ["64", "2", "2", "120", "15k"]);
    assert!(plan.contains("at most ") && plan.contains("kB, if every trial"), "{plan}");
    assert!(!directory.path().join("out").exists(), "nothing is written");

    // A run says the same before it trains, and keeps its speeds.
    let assert = run(directory.path(), &experiment, "out", &["--lanes", "2"]).success();
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert_eq!(row(&stderr, "64")[..5], ["64", "2", "2", "120", "15k"]);
    let before = table_json(directory.path(), "out");
    assert!(dry(&[]).contains("nothing is left to do"));
    assert_eq!(table_json(directory.path(), "out"), before);
    let refused = run(directory.path(), &experiment, "out", &["--seed", "5", "--dry-run"]).code(1);
    assert!(error_line(&refused).contains("search.seed is 0 there and 5 here"));
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> =
        value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn running_again_continues_and_changes_nothing_and_another_experiment_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    run(directory.path(), &experiment, "out", &["--lanes", "1"]).success();
    let before = table_json(directory.path(), "out");
    let assert = run(directory.path(), &experiment, "out", &[]).success();
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert_eq!(stderr.matches("(measured before)").count(), 2, "{stderr}");
    assert_eq!(table_json(directory.path(), "out"), before);

    let doctor = critbatch().current_dir(directory.path()).args(["doctor", "out"]).assert();
    let said = String::from_utf8(doctor.success().get_output().stdout.clone()).unwrap();
    assert!(said.starts_with("whole: 4 ended trials and 0 half-run ones"), "{said}");
    assert!(said.ends_with("nothing is wrong\n"), "{said}");
    // Two trials a study are too few.
    run(directory.path(), &experiment, "out", &["--strict"]).code(3);
    critbatch().current_dir(directory.path()).args(["table", "out", "--strict"]).assert().code(3);

    let refused = run(directory.path(), &experiment, "out", &["--seed", "5"]).code(1);
    let line = error_line(&refused);
    assert!(line.contains("search.seed is 0 there and 5 here"), "{line}");
    assert_eq!(table_json(directory.path(), "out"), before);
}

#[test]
fn an_experiment_travels_in_one_file_and_goes_on_with_more_trials() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    run(directory.path(), &experiment, "out", &[]).success();
    let critbatch = |arguments: &[&str]| critbatch_in(directory.path(), arguments);
    critbatch(&["export", "out", "--to", "tiny.sqlite.gz"]).success();
    assert_eq!(table_json(directory.path(), "tiny.sqlite.gz"), table_json(directory.path(), "out"));
    let line = error_line(&critbatch(&["report", "tiny.sqlite.gz"]).code(2));
    assert!(line.contains("'tiny.sqlite.gz' is a file; give a directory by --out DIR"), "{line}");
    let line = error_line(&critbatch(&["report", "tiny.sqlite.gz", "--out", "out"]).code(2));
    assert!(line.contains("'out' holds the measurements and the report of a run"), "{line}");
    critbatch(&["report", "tiny.sqlite.gz", "--out", "page"]).success();
    assert!(directory.path().join("page/report.html").is_file());
    let line = error_line(&critbatch(&["doctor", "tiny.sqlite.gz"]).code(1));
    assert!(line.contains("is a file") && line.contains("import tiny.sqlite.gz --out"), "{line}");
    let line = error_line(&critbatch(&["import", "tiny.toml", "--out", "new"]).code(1));
    assert!(line.contains("cannot read the compressed store 'tiny.toml'"), "{line}");

    let unpacked = critbatch(&["import", "tiny.sqlite.gz", "--out", "new"]).success();
    let unpacked = String::from_utf8(unpacked.get_output().stdout.clone()).unwrap();
    let how = "to go on: critbatch run 'new/experiment.toml' --seed 0 --out 'new'";
    assert!(unpacked.contains(how), "{unpacked}");
    assert_eq!(fs::read_to_string(directory.path().join("new/experiment.toml")).unwrap(), TINY);
    critbatch(&["run", "new/experiment.toml", "--seed", "0", "--out", "new"]).success();
    let larger = TINY.replace("trials = 2", "trials = 3").replace("[8, 64]", "[8, 64, 256]");
    let larger = file(directory.path(), "larger.toml", &larger);
    let plan = run(directory.path(), &larger, "new", &["--dry-run", "--lanes", "1"]).success();
    let plan = String::from_utf8(plan.get_output().stdout.clone()).unwrap();
    let left: Vec<Vec<&str>> =
        plan.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    for row in [["8", "1"], ["64", "1"], ["256", "3"]] {
        assert!(left.contains(&row.to_vec()), "trials left of {row:?}:\n{plan}");
    }
    assert_eq!(table_json(directory.path(), "new"), table_json(directory.path(), "out"));
    run(directory.path(), &larger, "new", &[]).success();
    run(directory.path(), &larger, "at_once", &[]).success();
    assert_eq!(table_json(directory.path(), "new"), table_json(directory.path(), "at_once"));
}

#[test]
fn a_damaged_store_is_refused_and_what_is_whole_goes_on_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    run(directory.path(), &experiment, "out", &[]).success();
    let before = table_json(directory.path(), "out");
    let path = directory.path().join("out/critbatch.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 4096..].fill(0x5A);
    fs::write(&path, bytes).unwrap();
    let line = error_line(&run(directory.path(), &experiment, "out", &[]).code(1));
    assert!(line.contains("is damaged (") && line.contains("'critbatch doctor out'"), "{line}");
    let exported = fs::File::create(directory.path().join("damaged.sqlite.gz")).unwrap();
    let mut exported = GzEncoder::new(exported, Compression::fast());
    exported.write_all(&fs::read(&path).unwrap()).unwrap();
    exported.finish().unwrap();
    let import = ["import", "damaged.sqlite.gz", "--out", "imported"];
    let line = error_line(&critbatch_in(directory.path(), &import).code(1));
    assert!(
        line.contains("is damaged (") && line.contains("'critbatch doctor imported'"),
        "{line}"
    );
    let doctor = |more: &[&str]| {
        let mut command = critbatch();
        command.current_dir(directory.path()).args(["doctor", "out"]).args(more).assert()
    };
    let said = String::from_utf8(doctor(&[]).code(1).get_output().stdout.clone()).unwrap();
    assert!(said.starts_with("wrong: ") && said.contains("--save-to NEW"), "{said}");
    // A reader that had enough ends no work.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let unread = |more: &[&str]| {
        let mut command = std::process::Command::new(critbatch_tests::binary());
        command.current_dir(directory.path()).args(["doctor", "out"]).args(more);
        command.stdout(writer.try_clone().unwrap()).status().unwrap().code()
    };
    assert_eq!((unread(&[]), unread(&["--save-to", "unread"])), (Some(1), Some(0)));
    assert!(directory.path().join("unread/critbatch.sqlite").is_file());
    let said = doctor(&["--save-to", "new"]).success();
    let said = String::from_utf8(said.get_output().stdout.clone()).unwrap();
    assert!(said.contains(" trials to 'new'; run the experiment with --out 'new'"), "{said}");
    run(directory.path(), &experiment, "new", &[]).success();
    let seconds = |table: String| -> Value {
        // All but the seconds, which are measured anew.
        let mut table: Value = serde_json::from_str(&table).unwrap();
        for study in table["studies"].as_array_mut().unwrap() {
            study.as_object_mut().unwrap().retain(|key, _| !key.contains("seconds"));
        }
        table["studies"].take()
    };
    assert_eq!(seconds(table_json(directory.path(), "new")), seconds(before));
}

#[test]
fn overtaken_trials_are_stopped_and_the_saving_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let text = TINY.replace("trials = 2", "trials = 6").replace("[0.01, 0.05]", "[1e-5, 0.05]");
    let whole = file(directory.path(), "whole.toml", &text);
    let text = text.replace("steps = 120", "steps = 120\nstop = \"incumbent\"");
    let short = file(directory.path(), "short.toml", &text);
    run(directory.path(), &whole, "whole", &[]).success();
    let assert = run(directory.path(), &short, "short", &[]).success();
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(stderr.contains("stopped early, "), "{stderr}");
    let results = |out: &str| {
        let table: Value = serde_json::from_str(&table_json(directory.path(), out)).unwrap();
        let studies = table["studies"].as_array().unwrap().clone();
        let facts = ["steps_to_result", "trial_id", "complete", "parameters"];
        studies.iter().map(|study| facts.map(|fact| study[fact].clone())).collect::<Vec<_>>()
    };
    assert_eq!(results("whole"), results("short"));
}

#[test]
fn a_search_that_ended_on_an_edge_goes_on_in_a_wider_box() {
    let directory = tempfile::tempdir().unwrap();
    let text = TINY.replace("trials = 2", "trials = 4").replace("[0.01, 0.05]", "[2e-3, 4e-3]");
    let experiment = file(directory.path(), "narrow.toml", &text);
    run(directory.path(), &experiment, "out", &[]).success();
    let widen = |more: &[&str]| {
        let mut command = critbatch();
        command.current_dir(directory.path()).args(["widen", "out", "--device", "cpu"]);
        command.args(more).assert()
    };
    let table = || -> Value { serde_json::from_str(&table_json(directory.path(), "out")).unwrap() };
    let trials = |table: &Value, index: usize| table["studies"][index]["complete"].as_u64();
    let before = table();
    // One command measures it again, until the boxes are no longer those of the file.
    let says_how = || {
        let page = fs::read_to_string(directory.path().join("out/report.html")).unwrap();
        page.contains("critbatch run experiment.toml")
    };
    assert!(says_how());
    let assert = widen(&["--factor", "1"]).success();
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    let words = "is on an edge of { log = [0.002, 0.004] }, widened to { log = [0.002, 0.00";
    assert!(stderr.contains(words), "{stderr}");
    assert!(!says_how());
    let after = table();
    assert_eq!((trials(&after, 0), trials(&after, 1)), (Some(4), Some(8)));
    let steps = |table: &Value| table["studies"][1]["steps_to_result"].as_u64().unwrap();
    assert!(steps(&after) < steps(&before), "{after}");
    // The file goes on to fit the directory.
    run(directory.path(), &experiment, "out", &[]).success();
    assert_eq!(table(), after);
    critbatch().args(["widen", "/no/such"]).assert().code(1);
}

#[test]
fn an_interrupted_widening_goes_on_with_the_same_command() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let text = TINY.replace("trials = 2", "trials = 4").replace("[0.01, 0.05]", "[2e-3, 4e-3]");
    let experiment = file(directory, "narrow.toml", &text);
    run(directory, &experiment, "whole", &[]).success();
    fs::create_dir(directory.join("cut")).unwrap();
    fs::copy(directory.join("whole/critbatch.sqlite"), directory.join("cut/critbatch.sqlite"))
        .unwrap();
    let widen = |out: &str| {
        let arguments = ["widen", out, "--device", "cpu", "--factor", "1"];
        let assert = critbatch_in(directory, &arguments).success();
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    };
    assert!(!widen("whole").contains("left to run"));
    // As if it had been stopped before its first trial ended.
    let whole = Store::open_read_only(&directory.join("whole")).unwrap();
    let is_widened = |batch_size: &u64| whole.boxes(*batch_size).unwrap().len() > 1;
    let space = |batch_size| (batch_size, whole.last_box(batch_size).unwrap().space);
    let wider: BTreeMap<u64, Space> = [8, 64].into_iter().filter(is_widened).map(space).collect();
    let (experiment, provenance) = (whole.experiment().unwrap(), whole.provenance());
    let mut cut = Store::open_or_create(&directory.join("cut"), experiment, provenance).unwrap();
    cut.widen(&wider).unwrap();
    drop(cut);
    assert_ne!(table_json(directory, "cut"), table_json(directory, "whole"));
    let said = widen("cut");
    assert!(said.contains("trials are left to run (batch sizes 64): going on"), "{said}");
    assert!(!said.contains("widened to"), "{said}");
    assert_eq!(table_json(directory, "cut"), table_json(directory, "whole"));
}

#[test]
fn nothing_is_widened_where_nothing_ended_on_an_edge() {
    let directory = tempfile::tempdir().unwrap();
    let text = TINY.replace("{ log = [0.01, 0.05] }", "0.02");
    let experiment = file(directory.path(), "fixed.toml", &text);
    run(directory.path(), &experiment, "out", &[]).success();
    let before = table_json(directory.path(), "out");
    let assert =
        critbatch().current_dir(directory.path()).args(["widen", "out"]).assert().success();
    let stdout = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    assert!(stdout.contains("no study ended on an edge"), "{stdout}");
    assert_eq!(table_json(directory.path(), "out"), before);
}

#[test]
fn lanes_change_no_result() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    run(directory.path(), &experiment, "one", &["--lanes", "1"]).success();
    run(directory.path(), &experiment, "two", &["--lanes", "2"]).success();
    assert_eq!(table_json(directory.path(), "one"), table_json(directory.path(), "two"));
}

#[test]
fn report_and_figures_are_whole_and_can_be_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    run(directory.path(), &experiment, "out", &[]).success();
    let out = directory.path().join("out");
    let names = ["report.html", "figures/steps_to_result.svg", "figures/steps_to_result.png"];
    let written = names.map(|name| fs::read(out.join(name)).unwrap());
    for name in names {
        fs::remove_file(out.join(name)).unwrap();
    }
    critbatch().current_dir(directory.path()).args(["report", "out"]).assert().success();
    assert_eq!(names.map(|name| fs::read(out.join(name)).unwrap()), written, "same results");

    let [html, svg, png] = written;
    let html = String::from_utf8(html).unwrap();
    assert!(html.contains("<svg") && html.ends_with("</html>\n"));
    assert!(!html.contains("http") && !html.contains("src="), "a page for itself");
    let table = fs::read_to_string(out.join("tables/steps_to_result.csv")).unwrap();
    assert!(table.starts_with("batch_size,steps_to_result,"), "{table}");
    let tree = resvg::usvg::Tree::from_data(&svg, &resvg::usvg::Options::default()).unwrap();
    let image = image::load_from_memory(&png).unwrap().to_rgb8();
    let drawn = (tree.size().width() as u32, tree.size().height() as u32);
    assert_eq!((image.width(), image.height()), (2 * drawn.0, 2 * drawn.1));
    assert!(image.pixels().any(|pixel| pixel.0[2] > 150 && pixel.0[0] < 60), "blue marks");
}

/// Runs `TINY` with a harder goal, with all examples and until decided, into `all` and `until_decided`.
fn run_both(directory: &Path) {
    for examples in ["all", "until_decided"] {
        let text = TINY.replace("below = 0.5", "below = 0.2").replace("trials = 2", "trials = 4");
        let experiment = file(directory, "tiny.toml", &format!("{text}examples = '{examples}'\n"));
        run(directory, &experiment, examples, &[]).success();
    }
}

#[test]
fn evaluations_that_end_early_change_no_steps_to_result() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    run_both(directory);
    let table = |of: &str, more: &[&str]| {
        let assert = critbatch_in(directory, &[&["table", of, "--json"], more].concat()).success();
        serde_json::from_slice::<Value>(&assert.get_output().stdout).unwrap()
    };
    assert_eq!(table("all", &[]), table("until_decided", &[]));
    assert!(table("all", &[])["studies"][1]["reached"].as_u64() > Some(0), "some get there");
    // A harder goal is as well answered; of an easier one nothing is known.
    let harder = ["--below", "0.17"];
    assert_eq!(table("all", &harder), table("until_decided", &harder));
    let refused = |more: &[&str]| {
        error_line(&critbatch_in(directory, &[&["table", "until_decided"], more].concat()).code(2))
    };
    assert_eq!(
        refused(&["--below", "0.3"]),
        "error: whether val/classification_error < 0.3 cannot be told: evaluations ended once it was \
         clear that val/classification_error < 0.2 is not reached; ask for that goal or a harder one, \
         or measure with evaluation.examples = \"all\""
    );
    let loss = refused(&["--metric", "val/cross_entropy_error", "--below", "0.1"]);
    assert!(loss.contains("whether val/cross_entropy_error < 0.1 cannot be told"), "{loss}");
}

#[test]
fn reports_and_archives_say_what_was_evaluated() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    run_both(directory);
    let page = |of: &str| fs::read_to_string(directory.join(of).join("report.html")).unwrap();
    let says = "until it is clear that val/classification_error &lt; 0.2 is not reached";
    assert!(page("until_decided").contains(says));
    assert!(!page("all").contains("until it is clear"));
    // Best values and easier goals need whole evaluations.
    for section in ["id=\"solution-quality\"", "&lt; 0.25"] {
        assert!(page("all").contains(section), "{section}");
        assert!(!page("until_decided").contains(section), "{section}");
    }
    // An archive has no place for what its values are; a store does.
    let export = |of: &str, to: &str| critbatch_in(directory, &["export", of, "--to", to]);
    let refused = error_line(&export("until_decided", "archive").code(1));
    assert!(refused.contains("values are means over the first examples"), "{refused}");
    assert!(!directory.join("archive").exists());
    export("until_decided", "until_decided.sqlite.gz").success();
    export("all", "archive").success();
}

#[test]
fn a_file_is_exported_under_a_name_that_files_have() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    run(directory.path(), &experiment, "out", &[]).success();
    let export = |to: &str| critbatch_in(directory.path(), &["export", "out", "--to", to]);
    for name in ["tiny.sqlite", "tiny.gz"] {
        let line = error_line(&export(name).code(2));
        assert!(line.contains("has to end in '.sqlite.gz'"), "{line}");
        assert!(!directory.path().join(name).exists());
    }
    let line = error_line(&export("nowhere/tiny.sqlite.gz").code(2));
    assert!(line.contains("there is no folder 'nowhere'"), "{line}");
    fs::write(directory.path().join("mine.sqlite.gz"), "mine").unwrap();
    let line = error_line(&export("mine.sqlite.gz").code(1));
    assert!(line.contains("no earlier export of this experiment"), "{line}");
}

#[test]
fn a_comparison_says_which_points_cannot_be_trusted() {
    let record = |name: &str| {
        let experiments =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments/optimizers_mnist_5k");
        format!("{experiments}/{name}.sqlite.gz")
    };
    let (sgd, momentum) = (record("sgd"), record("momentum"));
    let compare =
        |more: &[&str]| critbatch().args(["compare", &sgd, &momentum]).args(more).assert();
    let output = compare(&["--label", "plain SGD", "--label", "b", "--strict"]).code(3);
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains("cannot be trusted yet, as its own table says why: batch size 2\n"),
        "{text}"
    );
    assert!(text.lines().any(|line| line.starts_with(" batch size") && line.contains("plain SGD")));
    let line = error_line(&compare(&["--label", "a", "--label", "a"]).code(2));
    assert!(line.contains("--label 'a' is given twice"), "{line}");
}

#[test]
fn a_comparison_is_normalised_where_there_is_a_result() {
    let record =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments/optimizers_mnist_5k/sgd.sqlite.gz");
    let compare = |at: &str| critbatch().args(["compare", record, "--normalise-at", at]).assert();
    let refused = error_line(&compare("7").code(2));
    let expected = "error: --normalise-at 7: no experiment has a result at that batch size; there are \
                    results at 2, 4,";
    assert!(refused.starts_with(expected), "{refused}");
    let compared = String::from_utf8(compare("16").success().get_output().stdout.clone()).unwrap();
    assert!(compared.contains("(relative to those at batch size 16)"), "{compared}");
}

#[test]
fn a_typo_is_the_users_and_has_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let text = TINY.replace("relative_spacing", "relative_spacin");
    let experiment = file(directory.path(), "typo.toml", &text);
    let line = error_line(&run(directory.path(), &experiment, "out", &[]).code(2));
    assert!(line.contains("typo.toml:21: unknown key 'relative_spacin'"), "{line}");
    assert!(line.contains("did you mean 'relative_spacing'?"), "{line}");

    let text = TINY.replace("learning_rate", "learning_rte");
    let experiment = file(directory.path(), "typo.toml", &text);
    let line = error_line(&run(directory.path(), &experiment, "out", &[]).code(2));
    assert!(line.contains("typo.toml:16: unknown key 'learning_rte'"), "{line}");
    assert!(!directory.path().join("out").exists(), "nothing is written for a bad file");
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let directory = tempfile::tempdir().unwrap();
    let cases = [
        ("mnist_5k", "imagenet_22k", "mnist_5k"),
        ("fc_64_64_64", "resnet_9", "simple_cnn_base"),
        ("nesterov_momentum", "adagrad", "sgd"),
    ];
    for (right, wrong, listed) in cases {
        let experiment = file(directory.path(), "wrong.toml", &TINY.replace(right, wrong));
        let line = error_line(&run(directory.path(), &experiment, "out", &[]).code(2));
        assert!(line.contains(wrong) && line.contains(listed), "{line}");
        assert!(line.contains("wrong.toml: "), "{line}");
    }
}

#[test]
fn a_metric_that_was_not_measured_is_answered_with_those_that_were() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    run(directory.path(), &experiment, "out", &[]).success();
    let asked = ["table", "out", "--metric", "val/clasification_error", "--below", "0.1"];
    let line = error_line(&critbatch_in(directory.path(), &asked).code(2));
    let expected = "'val/clasification_error' was not measured on mnist_5k / fc_64_64_64 / nesterov_momentum; \
                    what was: ";
    assert!(line.contains(expected) && line.contains("val/classification_error"), "{line}");
}

#[test]
fn learning_rate_rules_are_anchored_where_there_is_a_result() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    run(directory.path(), &experiment, "out", &[]).success();
    let report = |more: &[&str]| {
        let arguments = ["report", "out", "--base-batch-size"];
        critbatch_in(directory.path(), &[&arguments[..], more].concat())
    };
    report(&["64"]).success();
    let page = fs::read_to_string(directory.path().join("out/report.html")).unwrap();
    assert!(page.contains("follows a rule from batch size 64"), "the rules are anchored there");
    let line = error_line(&report(&["16"]).code(2));
    let found = "--base-batch-size 16 has no result for val/classification_error < 0.5";
    assert!(line.contains(found) && line.ends_with("; those that have one: 8 and 64"), "{line}");
    let line = error_line(&report(&["8", "--below", "0"]).code(2));
    assert!(line.ends_with(", and no other batch size has one with a learning rate"), "{line}");
}

#[test]
fn workloads_of_an_archive_without_a_known_goal_do_not_hide_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    run(directory.path(), &experiment, "out", &[]).success();
    let critbatch = |arguments: &[&str]| critbatch_in(directory.path(), arguments);
    critbatch(&["export", "out", "--to", "archive"]).success();
    let line = error_line(&critbatch(&["table", "archive"]).code(2));
    assert!(line.contains("no goal is known for mnist_5k / fc_64_64_64"), "{line}");
    // Another workload, of which the paper has a goal.
    critbatch(&["export", "out", "--to", "again"]).success();
    let again = directory.path().join("again/mnist_5k");
    for batch_size in ["8", "64"] {
        let study = again.join(format!("fc_64_64_64/nesterov_momentum/{batch_size}/study.json"));
        let text = fs::read_to_string(&study).unwrap().replace("mnist_5k", "mnist");
        fs::write(&study, text.replace("fc_64_64_64", "simple_cnn_base")).unwrap();
    }
    fs::rename(again, directory.path().join("archive/mnist")).unwrap();
    let found = critbatch(&["table", "archive"]).success();
    let stdout = String::from_utf8(found.get_output().stdout.clone()).unwrap();
    assert!(stdout.contains("mnist / simple_cnn_base / nesterov_momentum"), "{stdout}");
    let stderr = String::from_utf8(found.get_output().stderr.clone()).unwrap();
    assert!(stderr.contains("left out: no goal is known for mnist_5k / fc_64_64_64"), "{stderr}");
}

#[test]
fn missing_files_are_one_line_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let line = error_line(&run(directory.path(), "no.toml", "out", &[]).code(2));
    assert!(line.contains("cannot read the experiment file 'no.toml'"), "{line}");

    let line = error_line(&critbatch().args(["table", "/no/such"]).assert().code(1));
    assert!(line.contains("give the output directory of an earlier"), "{line}");

    // Where the data is installed for the whole machine it is found, and that is right.
    if Path::new("/usr/share/datasets/mnist").exists() {
        return;
    }
    let experiment = file(directory.path(), "mnist.toml", &TINY.replace("mnist_5k", "mnist"));
    fs::create_dir(directory.path().join("empty")).unwrap();
    let assert = run(directory.path(), &experiment, "out", &["--data-dir", "empty"]).code(1);
    let line = error_line(&assert);
    assert!(line.contains("data set 'mnist' not found") && line.contains("--data-dir"), "{line}");
    assert!(!directory.path().join("out").exists(), "nothing is written before the data is there");
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_before_training() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = file(directory.path(), "tiny.toml", TINY);
    let mut outs = vec!["tiny.toml", "tiny.toml/out", "no/such/out"];
    if cfg!(target_os = "linux") {
        outs.push("/proc/critbatch");
    }
    for out in outs {
        let assert = run(directory.path(), &experiment, out, &[]).code(1);
        let line = error_line(&assert);
        assert!(line.contains(out.trim_end_matches("/out")), "{line}");
        let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert!(!stderr.contains("batch size 8"), "no study begins:\n{stderr}");
    }
    fs::create_dir(directory.path().join("photos")).unwrap();
    file(directory.path(), "photos/me.jpg", "");
    let line = error_line(&run(directory.path(), &experiment, "photos", &[]).code(1));
    assert!(line.contains("choose a new or an empty directory"), "{line}");
}

#[test]
fn impossible_arguments_are_refused_with_the_possible_ones() {
    let cases = [
        (&["quickstart", "--device", "tpu"][..], "[possible values: auto, cpu, wgpu]"),
        (&["quickstart", "--lanes", "0"], "expected auto, or a whole number from 1"),
        (&["quickstart", "--seed", "-1"], "--seed"),
        (&["run", "x.toml"], "--out <DIR>"),
        (&["workloads", "mnist/fc_7/sgd"], "is no workload of the paper; those are "),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["table", "x", "--below", "nan"], "expected a finite number"),
    ];
    for (arguments, expected) in cases {
        let assert = critbatch().args(arguments).assert().code(2);
        let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert!(stderr.contains(expected), "{arguments:?}: '{expected}' is missing in:\n{stderr}");
        assert!(assert.get_output().stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn workloads_and_devices_are_listed_for_people_and_programs() {
    let listed = |verb: &str| {
        let assert = critbatch().args([verb, "--json"]).assert().success();
        serde_json::from_slice::<Value>(&assert.get_output().stdout).unwrap()
    };
    let workloads = listed("workloads");
    assert_eq!(keys(&workloads), ["datasets", "models", "optimizers", "workloads"]);
    let datasets = workloads["datasets"].as_array().unwrap();
    let embedded = datasets.iter().find(|dataset| dataset["name"] == "mnist_5k").unwrap();
    assert_eq!(embedded["is_present"], true);
    assert_eq!(embedded["n_train"], 4_000);
    let models = workloads["models"].as_array().unwrap();
    let base = models.iter().find(|model| model["name"] == "simple_cnn_base").unwrap();
    let size = &base["sizes"][0];
    assert_eq!(size["example_shape"], serde_json::json!([28, 28, 1]));
    assert_eq!(size["n_parameters"], 3_274_634);
    let devices = listed("devices");
    assert!(devices.as_array().unwrap().iter().any(|device| device["choice"] == "cpu"));
    for verb in ["workloads", "devices"] {
        let assert = critbatch().arg(verb).assert().success();
        assert!(assert.get_output().stdout.len() > 100, "{verb}");
    }
}

#[cfg(unix)]
mod signals {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};

    use super::*;

    /// Two studies of three trials that train for a few seconds each.
    fn slow() -> String {
        let text = TINY.replace("trials = 2", "trials = 3").replace("[8, 64]", "[4, 16]");
        text.replace("steps = 120", "steps = 1500\nstop = \"budget\"")
    }

    #[test]
    fn an_interrupted_run_says_so_and_continues_to_the_same_results() {
        let directory = tempfile::tempdir().unwrap();
        let experiment = file(directory.path(), "slow.toml", &slow());
        let mut child = critbatch_tests::listening()
            .current_dir(directory.path())
            .args(["run", &experiment, "--out", "cut", "--device", "cpu"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("batch size 4: 3 trials") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the run ended too soon");
        }
        let process = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
        assert!(rest.contains("run the same command again to continue"), "{rest}");
        let interrupted: Value =
            serde_json::from_str(&table_json(directory.path(), "cut")).unwrap();
        assert_ne!(interrupted["studies"][1]["complete"], 3, "it was to be cut short");

        run(directory.path(), &experiment, "cut", &[]).success();
        run(directory.path(), &experiment, "whole", &[]).success();
        assert_eq!(table_json(directory.path(), "cut"), table_json(directory.path(), "whole"));
    }
}
