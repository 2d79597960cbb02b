//! What experiment files are accepted and refused, with which words and on which line.

use proptest::prelude::*;

use super::*;
use crate::space::Scale;
use crate::trainer::{Metaparameter, Range, WorkloadFacts};

mod spaces;

const TEXT: &str = r#"[workload]
dataset = "mnist_5k"
model = "fc_256_256_256"
optimizer = "nesterov_momentum"
[goal]
metric = "val/classification_error"
below = 0.08
[batch_sizes]
list = [2, 8, 32, "full"]
[search]
sampler = "halton"
trials = 16
seed = 0
[search.space]
learning_rate = { log = [1e-4, 10.0] }
momentum = { reverse_log = [0.9, 0.999] }
label_smoothing = { discrete = [0.1, 0.0] }
[budget]
steps = { at_batch_size = 32, steps = 2000 }
[evaluation]
relative_spacing = 0.05
"#;

fn metaparameter(name: &'static str, default: Option<f64>, range: Range) -> Metaparameter {
    let is_integer = name == "warm_up";
    Metaparameter { name, description: "knob", default, range, is_integer, needs: None }
}

fn facts() -> WorkloadFacts {
    WorkloadFacts {
        dataset: "mnist_5k".to_owned(),
        model: "fc_256_256_256".to_owned(),
        optimizer: "nesterov_momentum".to_owned(),
        n_train: 5000,
        data_digest: None,
        metrics: [
            "val/cross_entropy_error",
            "val/classification_error",
            "test/cross_entropy_error",
            "val/average_precision",
        ]
        .map(str::to_owned)
        .to_vec(),
        metaparameters: vec![
            metaparameter("learning_rate", None, Range::POSITIVE),
            metaparameter("momentum", None, Range::BELOW_ONE),
            metaparameter("label_smoothing", Some(0.0), Range::BELOW_ONE),
            metaparameter("warm_up", Some(5.0), Range::NOT_NEGATIVE),
        ],
        device: "test".to_owned(),
    }
}

fn checked(text: &str) -> CheckedExperiment {
    Experiment::parse(text, "e.toml").unwrap().check(&facts()).unwrap()
}

/// The file with one line replaced; an empty replacement leaves the line empty.
fn with_line(line: usize, replacement: &str) -> String {
    let mut lines: Vec<&str> = TEXT.lines().collect();
    lines[line - 1] = replacement;
    lines.join("\n")
}

fn refusal(text: &str) -> String {
    let checked = Experiment::parse(text, "e.toml").and_then(|parsed| parsed.check(&facts()));
    let message = checked.unwrap_err().to_string();
    assert!(!message.contains('\n') && !message.ends_with('.'), "{message}");
    message
}

#[test]
fn a_whole_file_is_understood() {
    let experiment = checked(TEXT);
    assert_eq!(experiment.workload.model, "fc_256_256_256");
    assert_eq!(experiment.goal.threshold, Threshold::Below(0.08));
    let budgets = [(2, 32_000), (8, 8000), (32, 2000), (5000, 13)];
    assert_eq!(experiment.budget_steps, budgets.into());
    assert_eq!((experiment.search.n_trials, experiment.search.max_trials), (16, 160));
    assert_eq!((experiment.search.seed, experiment.stop), (0, StopRule::Goal));
    assert_eq!(experiment.evaluation.splits, [EvaluationSplit::Val]);
    let scales = &experiment.spaces[&32].scales;
    assert_eq!(scales["learning_rate"], Scale::Log(1e-4, 10.0));
    assert_eq!(scales["momentum"], Scale::ReverseLog(0.9, 0.999));
    assert_eq!(scales["label_smoothing"], Scale::Discrete(vec![0.0, 0.1]));
    assert_eq!(scales["warm_up"], Scale::Fixed(5.0));
}

#[test]
fn alternatives_are_understood() {
    let text = with_line(9, "powers_of_two = [1, 3]");
    let text = text.replace("val/classification_error", "val/average_precision");
    let text = text.replace("below = 0.08", "above = 0.3");
    let text =
        text.replace("steps = { at_batch_size = 32, steps = 2000 }", "epochs = 2\nstop = 'budget'");
    let experiment = checked(&text);
    assert_eq!(experiment.goal.threshold, Threshold::Above(0.3));
    assert_eq!(experiment.budget_steps, [(2, 5000), (4, 2500), (8, 1250)].into());
    assert_eq!(experiment.stop, StopRule::Budget);
    assert_eq!(checked(&text.replace("'budget'", "'incumbent'")).stop, StopRule::Incumbent);
    let repeated = checked(&with_line(13, "seed = 0\nrepeats = { best = 5, seeds = 3 }"));
    assert_eq!(repeated.search.repeats, Some(Repeats { n_best: 5, n_seeds: 3 }));
    let per_size = with_line(19, r#"steps = { "2" = 40, "8" = 30, "32" = 20, "full" = 10 }"#);
    assert_eq!(checked(&per_size).budget_steps, [(2, 40), (8, 30), (32, 20), (5000, 10)].into());
    let splits = checked(&format!("{TEXT}splits = [\"test\", \"val\"]")).evaluation.splits;
    assert_eq!(splits, [EvaluationSplit::Val, EvaluationSplit::Test]);
    let spaces = checked(&with_line(17, "warm_up = { integer = [0, 9] }")).spaces;
    assert_eq!(spaces[&8].scales["warm_up"], Scale::Integer(0, 9));
    let spaces = checked(&with_line(16, "momentum = { linear = [0, 0.5] }")).spaces;
    assert_eq!(spaces[&8].scales["momentum"], Scale::Linear(0.0, 0.5));
}

#[test]
fn goals_that_make_no_sense_of_their_metric_are_refused() {
    let goal = |metric: &str, goal: &str| {
        let text = TEXT.replace("val/classification_error", metric).replace("below = 0.08", goal);
        Experiment::parse(&text, "e.toml").and_then(|parsed| parsed.check(&facts()))
    };
    for (metric, sound) in [
        ("val/classification_error", "below = 1.0"),
        ("val/classification_error", "below = 0"),
        ("val/cross_entropy_error", "below = 8"),
        ("val/average_precision", "above = 0.0"),
    ] {
        assert!(goal(metric, sound).is_ok(), "{metric} {sound}");
    }
    for (metric, senseless) in [
        ("val/classification_error", "below = 8"),
        ("val/classification_error", "below = -0.1"),
        ("val/classification_error", "above = 0.1"),
        ("val/cross_entropy_error", "below = -1"),
        ("val/cross_entropy_error", "above = 4.8"),
        ("val/average_precision", "above = 1.5"),
        ("val/average_precision", "below = 0.5"),
    ] {
        let error = goal(metric, senseless).unwrap_err().to_string();
        assert!(error.starts_with("e.toml:7: 'goal."), "{metric} {senseless}: {error}");
    }
}

#[test]
fn unknown_keys_are_refused_with_line_and_suggestion() {
    let message = refusal(&with_line(15, "learning_rte = 0.1"));
    assert_eq!(
        message,
        "e.toml:15: unknown key 'learning_rte' in [search.space]; did you mean 'learning_rate'? \
         accepted: learning_rate, momentum, label_smoothing, warm_up"
    );
    let message = refusal(&with_line(7, "belov = 0.08"));
    assert_eq!(
        message,
        "e.toml:7: unknown key 'belov' in [goal]; did you mean 'below'? \
         accepted: metric, below, above"
    );
    assert_eq!(
        refusal(&with_line(17, "[colour]\nx = 1")),
        "e.toml:17: unknown key 'colour' in the file; \
         accepted: workload, goal, batch_sizes, search, budget, evaluation"
    );
}

/// Line to replace, by what, and the words that must be in the refusal (on that line unless said).
#[rustfmt::skip]
const REFUSED: &[(usize, &str, &str)] = &[
    (2, "dataset = 3", ":2: 'workload.dataset' is 3; expected a name in quotes"),
    (2, "dataset = 'cifar'", ":2: 'workload.dataset' is 'cifar'; expected 'mnist_5k'"),
    (2, "", ":1: missing key 'dataset' in [workload]; expected a name in quotes"),
    (6, "metric = 'test/classification_error'", ":6: 'goal.metric' is 'test/classification_error'; expected a metric on val or train; test is only reported"),
    (6, "metric = 'train/classification_error'", ":6: 'goal.metric' is 'train/classification_error'; expected a metric on one of evaluation.splits"),
    (6, "metric = 'accuracy'", ":6: 'goal.metric' is 'accuracy'; expected a name such as"),
    (6, "metric = 'val/accuracy'", ":6: 'goal.metric' is 'val/accuracy'; expected one of val/cross_entropy_error, val/classification_error"),
    (7, "below = nan", ":7: 'goal.below' is NaN; expected a finite number"),
    (7, "below = 1\nabove = 2", ":5: [goal] has below and above; expected exactly one of below, above"),
    (7, "", ":5: [goal] has neither; expected exactly one of below, above"),
    (9, "list = []", ":9: 'batch_sizes.list' is a list of 0 values; expected a list with at least one value"),
    (9, "list = [2, 8, 2]", ":9: 'batch_sizes.list[2]' is 2; expected each batch size once"),
    (9, "list = [2,\n0]", ":10: 'batch_sizes.list[1]' is 0; expected a whole number from 1 to 2^40, or 'full'"),
    (9, "list = [2.0]", "is 2.0; expected a whole number from 1"),
    (9, "list = [5000, 'full']", ":9: 'batch_sizes.list[1]' is full; expected each batch size once; 'full' is 5000"),
    (9, "list = [2,\n 8192]", ":10: 'batch_sizes.list[1]' is 8192; expected at most 5000, the examples of the training set"),
    (9, "powers_of_two = [1, 41]", ":9: 'batch_sizes.powers_of_two[1]' is 41; expected two exponents"),
    (9, "powers_of_two = [-1, 4]", ":9: 'batch_sizes.powers_of_two[0]' is -1; expected two exponents"),
    (9, "powers_of_two = [5, 4]", ":9: 'batch_sizes.powers_of_two[1]' is 4; expected two exponents"),
    (9, "powers_of_two = [10, 13]", ":9: 'batch_sizes.powers_of_two' is 8192; expected at most 5000"),
    (9, "list = [2]\npowers_of_two = [1, 2]", ":8: [batch_sizes] has list and powers_of_two"),
    (11, "sampler = 'random'", ":11: 'search.sampler' is 'random'; expected 'halton' or 'sobol' or 'uniform'"),
    (12, "trials = 0", ":12: 'search.trials' is 0; expected a whole number from 1"),
    (12, "trials = 16\nmax_trials = 15", ":13: 'search.max_trials' is 15; expected a whole number from 16"),
    (13, "seed = -1", ":13: 'search.seed' is -1; expected a whole number from 0"),
    (13, "seed = 99999999999999999999", ":13: 'search.seed' is the integer 99999999999999999999"),
    (15, "learning_rate = { log = [0, 1] }", ":15: 'search.space.learning_rate.log' is { log = [0.0, 1.0] }; expected [lo, hi], finite, with 0 < lo < hi"),
    (15, "learning_rate = { log = [1, 0.1] }", "with 0 < lo < hi"),
    (15, "learning_rate = { log = [1, 2, 3] }", "is a list of 3 values; expected two values, [lo, hi]"),
    (15, "learning_rate = { log = [1, 2], linear = [1, 2] }", ":15: [search.space.learning_rate] has linear and log; expected exactly one of"),
    (15, "learning_rate = { lag = [1, 2] }", ":15: unknown key 'lag' in [search.space.learning_rate]; did you mean 'log'?"),
    (15, "learning_rate = 'large'", ":15: 'search.space.learning_rate' is 'large'; expected a number, or a scale"),
    (15, "learning_rate = inf", ":15: 'search.space.learning_rate' is inf; expected a finite number"),
    (15, "learning_rate = { linear = [0.0, 1.0] }", ":15: 'search.space.learning_rate' is { linear = [0.0, 1.0] }; expected values above 0 for the knob"),
    (15, "", ":14: missing key 'learning_rate' in [search.space]; expected a scale such as"),
    (15, "learning_rate = { log = [1, 2], batch_exponant = 1 }", ":15: unknown key 'batch_exponant' in [search.space.learning_rate]; did you mean 'batch_exponent'?"),
    (15, "learning_rate = { batch_exponent = 1 }", ":15: [search.space.learning_rate] has neither; expected exactly one of linear, log"),
    (15, "learning_rate = { log = [1, 2], batch_exponent = inf }", ":15: 'search.space.learning_rate.batch_exponent' is inf; expected a finite number"),
    (15, "learning_rate = { log = [1, 2], batch_exponent = 150 }", ":15: 'search.space.learning_rate' is { log = [inf, inf] } at batch size full; expected [lo, hi], finite, with 0 < lo < hi"),
    (15, "learning_rate = { log = [1, 2], batch_exponent = -150 }", ":15: 'search.space.learning_rate' is { log = [0.0, 0.0] } at batch size full; expected [lo, hi], finite, with 0 < lo < hi"),
    (16, "momentum = { linear = [0.1, 0.5], batch_exponent = 1 }", ":16: 'search.space.momentum' is { linear = [0.4, 2.0] } at batch size 8; expected values at least 0 and below 1 for the knob"),
    (16, "momentum = { reverse_log = [0.9, 0.99], batch_exponent = 1 }", ":16: 'search.space.momentum.batch_exponent' is 1; expected none here: it multiplies the bounds of a linear or log scale"),
    (17, "warm_up = { integer = [1, 2], batch_exponent = 1 }", ":17: 'search.space.warm_up.batch_exponent' is 1; expected none here"),
    (17, "[search.space_at.64]\nmomentum = 0.5", ":17: unknown key '64' in [search.space_at]; accepted: 2, 8, 32, full"),
    (17, "[search.space_at.5000]\nmomentum = 0.5", ":17: unknown key '5000' in [search.space_at]; accepted: 2, 8, 32, full"),
    (17, "[search.space_at]\n8 = 0.5", ":18: 'search.space_at.8' is 0.5; expected a table"),
    (17, "[search.space_at.8]\nmomentun = 0.5", ":18: unknown key 'momentun' in [search.space_at.8]; did you mean 'momentum'? accepted: learning_rate, momentum, label_smoothing, warm_up"),
    (17, "[search.space_at.8]\nmomentum = { linear = [0.5, 1.0] }", ":18: 'search.space_at.8.momentum' is { linear = [0.5, 1.0] }; expected values at least 0 and below 1 for the knob"),
    (17, "[search.space_at.full]\nwarm_up = 0.5", ":18: 'search.space_at.full.warm_up' is 0.5; expected whole numbers for the knob"),
    (17, "[search.space_at.8]\nlearning_rate = { log = [1, 2], batch_exponent = 1 }", ":18: unknown key 'batch_exponent' in [search.space_at.8.learning_rate]; accepted: linear, log, reverse_log, integer, discrete"),
    (15, "[search.space_at.8]\nlearning_rate = 1", ":14: missing key 'learning_rate' in [search.space]"),
    (16, "momentum = { reverse_log = [0.9, 1.0] }", "expected [lo, hi] with 0 <= lo < hi < 1"),
    (16, "momentum = { reverse_log = [-0.1, 0.9] }", "expected [lo, hi] with 0 <= lo < hi < 1"),
    (16, "momentum = 1.0", ":16: 'search.space.momentum' is 1.0; expected values at least 0 and below 1 for the knob"),
    (17, "label_smoothing = { discrete = [0.1, 0.1] }", "none twice"),
    (17, "label_smoothing = { discrete = [] }", "expected a list with at least one value"),
    (17, "warm_up = { linear = [1, 3] }", ":17: 'search.space.warm_up' is { linear = [1.0, 3.0] }; expected whole numbers"),
    (17, "warm_up = { integer = [3, 3] }", "expected [lo, hi] with lo < hi"),
    (19, "steps = 0", ":19: 'budget.steps' is 0; expected a whole number from 1"),
    (19, "epochs = 0", ":19: 'budget.epochs' is 0; expected above 0"),
    (19, "steps = 3\nepochs = 1", ":18: [budget] has steps and epochs"),
    (19, "steps = { at_batchsize = 32, steps = 2000 }", ":19: unknown key 'at_batchsize' in [budget.steps]; did you mean 'at_batch_size'?"),
    (19, "steps = { '2' = 5, '8' = 4, '32' = 3 }", ":19: missing key 'full' in [budget.steps]"),
    (19, "steps = { '2' = 5, '8' = 4, '32' = 3, 'full' = 2, '64' = 1 }", ":19: unknown key '64' in [budget.steps]"),
    (19, "steps = { at_batch_size = 'ful', steps = 2 }", "'budget.steps.at_batch_size' is 'ful'; expected a whole number from 1 to 2^40, or 'full'"),
    (19, "steps = { at_batch_size = 'full', steps = 1099511627776 }", "steps at batch size 2; expected at most 2^40 steps"),
    (19, "steps = 2\nstop = 'never'", ":20: 'budget.stop' is 'never'; expected 'goal' or 'budget' or 'incumbent'"),
    (13, "seed = 0\nrepeats = { best = 17, seeds = 3 }", ":14: 'search.repeats.best' is 17; expected a whole number from 1 to 16"),
    (13, "seed = 0\nrepeats = { best = 5 }", ":14: missing key 'seeds' in [search.repeats]; expected repeats of each, such as 3"),
    (13, "seed = 0\nrepeats = { best = 5, seed = 3 }", ":14: unknown key 'seed' in [search.repeats]; did you mean 'seeds'?"),
    (21, "relative_spacing = 0", ":21: 'evaluation.relative_spacing' is 0; expected a number from 1e-6 to 1"),
    (21, "relative_spacing = 1.5", "expected a number from 1e-6 to 1"),
    (21, "relative_spacing = 1\nsplits = ['val', 'val']", ":22: 'evaluation.splits' is a list of 2 values; expected each split once"),
    (21, "relative_spacing = 1\nsplits = ['val', 'dev']", ":22: 'evaluation.splits[1]' is 'dev'; expected 'train' or 'val' or 'test'"),
    (21, "relative_spacing = 1\nsplits = ['val', 'train']", ":22: 'evaluation.splits' is 'train'; expected splits on which"),
    (21, "relative_spacing = 1\ngradient_noise_scale = 1", ":22: 'evaluation.gradient_noise_scale' is 1; expected true or false"),
    (21, "relative_spacing = 1\ngradient_noise_scale = true", ":22: 'evaluation.gradient_noise_scale' is true; expected false; this workload does not measure"),
    (21, "relative_spacing = 1\nexamples = 'some'", ":22: 'evaluation.examples' is 'some'; expected 'all' or 'until_decided'"),
    (6, "metric = 'train/squared_gradient_norm'", ":6: 'goal.metric' is 'train/squared_gradient_norm'; expected a metric of progress; the gradient noise is only reported"),
    (6, "metric = 'train/gradient_variance'", ":6: 'goal.metric' is 'train/gradient_variance'; expected a metric of progress"),
    (12, "trials = ", ":12: not valid TOML: "),
    (13, "seed = 1\nseed = 2", "not valid TOML: duplicate key"),
    (10, "[[search]]", "'search' is a list of 1 values; expected a table"),
    (12, "trials = true", "'search.trials' is true; expected a whole number"),
    (12, "trials = 2020-01-01", "'search.trials' is the date 2020-01-01"),
];

#[test]
fn impossible_values_are_refused_with_line_and_remedy() {
    for (line, replacement, words) in REFUSED {
        let message = refusal(&with_line(*line, replacement));
        assert!(message.contains(words), "{replacement}\n gave {message}\n not   {words}");
    }
}

/// Its metrics are named after the training split, which need not be evaluated for them.
#[test]
fn gradient_noise_is_measured_where_asked_for_whatever_the_splits() {
    assert!(!checked(TEXT).evaluation.gradient_noise_scale);
    let check = |text: &str, facts: &WorkloadFacts| {
        Experiment::parse(text, "e.toml").and_then(|experiment| experiment.check(facts))
    };
    let mut facts = facts();
    facts.metrics.extend(crate::GRADIENT_NOISE_METRICS.map(str::to_owned));
    let text = with_line(21, "relative_spacing = 0.05\ngradient_noise_scale = true");
    let evaluation = check(&text, &facts).unwrap().evaluation;
    assert_eq!(
        (evaluation.gradient_noise_scale, evaluation.splits),
        (true, vec![EvaluationSplit::Val])
    );
    // They do not stand in for metrics on the split, nor for a goal.
    let message = |text: &str| check(text, &facts).unwrap_err().to_string();
    let refused = message(&format!("{text}\nsplits = ['train', 'val']"));
    assert!(refused.contains("expected splits on which the workload has metrics"), "{refused}");
    let refused = message(&text.replace("val/classification_error", "val/accuracy"));
    assert!(refused.ends_with(
        "one of val/cross_entropy_error, val/classification_error, val/average_precision"
    ));
    let differences = checked(TEXT).differences(&check(&text, &facts).unwrap());
    let [difference] = &differences[..] else { panic!("{differences:?}") };
    assert_eq!(
        difference.to_string(),
        "evaluation.gradient_noise_scale is false there and true here"
    );
}

#[test]
fn evaluations_end_early_where_goal_and_budget_allow() {
    let text = with_line(21, "relative_spacing = 0.05\nexamples = 'until_decided'");
    let experiment = checked(&text);
    assert_eq!(experiment.decided_goal(), Some(&experiment.goal));
    assert_eq!(checked(TEXT).decided_goal(), None);
    let difference = checked(TEXT).differences(&experiment)[0].to_string();
    assert_eq!(difference, r#"evaluation.examples is "all" there and "until_decided" here"#);
    let whole_curves = text.replace("[evaluation]", "stop = 'budget'\n[evaluation]");
    let words = ":23: 'evaluation.examples' is 'until_decided'; expected 'all', because budget.stop is 'budget'";
    assert!(refusal(&whole_curves).contains(words), "{}", refusal(&whole_curves));
    let above = text.replace("below = 0.08", "above = 0.08");
    let words = ":22: 'evaluation.examples' is 'until_decided'; expected 'all', because the goal is above a value";
    assert!(refusal(&above).contains(words), "{}", refusal(&above));
}

#[test]
fn what_reaches_a_goal_reaches_easier_ones_on_its_metric() {
    let goal = |metric: &str, threshold| Goal { metric: metric.to_owned(), threshold };
    let below = |value| goal("val/a", Threshold::Below(value));
    let above = |value| goal("val/a", Threshold::Above(value));
    assert!(below(0.1).implies(&below(0.1)) && below(0.1).implies(&below(0.2)));
    assert!(!below(0.2).implies(&below(0.1)));
    assert!(above(0.2).implies(&above(0.1)) && !above(0.1).implies(&above(0.2)));
    assert!(!below(0.1).implies(&above(0.1)) && !above(0.1).implies(&below(0.1)));
    assert!(!below(0.1).implies(&goal("val/b", Threshold::Below(0.2))));
}

#[test]
fn data_that_are_known_to_be_others_are_another_experiment() {
    let on = |digest: Option<&str>, n_trials: u64| {
        let facts = WorkloadFacts { data_digest: digest.map(str::to_owned), ..facts() };
        let text = with_line(12, &format!("trials = {n_trials}"));
        Experiment::parse(&text, "e.toml").unwrap().check(&facts).unwrap()
    };
    let (some, other, unknown) = (on(Some("a"), 16), on(Some("b"), 16), on(None, 16));
    let told: Vec<String> = some.differences(&other).iter().map(ToString::to_string).collect();
    assert_eq!(told, ["the data were others there, by the same name"]);
    assert!(!on(Some("a"), 20).is_grown_from(&other));
    // Stores made before it was known go on, and from then on it is.
    for grown in [Some("a"), None] {
        assert_eq!(unknown.differences(&on(grown, 16)), []);
        assert_eq!(on(grown, 16).differences(&unknown), []);
        assert!(on(grown, 20).is_grown_from(&unknown) && on(Some("a"), 20).is_grown_from(&some));
    }
}

/// Stores made before there were these switches go on.
#[test]
fn an_experiment_without_the_switches_is_one_without_gradient_noise_and_with_all_examples() {
    let mut identity = checked(TEXT).identity();
    let evaluation = identity["evaluation"].as_object_mut().unwrap();
    assert!(evaluation.remove("gradient_noise_scale").is_some());
    assert!(evaluation.remove("examples").is_some());
    let restored: CheckedExperiment = serde_json::from_value(identity).unwrap();
    assert_eq!(restored, checked(TEXT));
}

#[test]
fn huge_files_are_refused() {
    let text = format!("{TEXT}#{}", "x".repeat(1 << 20));
    assert!(refusal(&text).starts_with("e.toml:1: file is larger than 1048576 bytes"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("e.toml");
    std::fs::write(&path, text).unwrap();
    assert!(Experiment::read(&path).unwrap_err().to_string().contains("larger than"));
    std::fs::write(&path, TEXT).unwrap();
    assert_eq!(Experiment::read(&path).unwrap().check(&facts()).unwrap(), checked(TEXT));
    let missing = Experiment::read(&directory.path().join("no.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read the experiment file"), "{missing}");
}

#[test]
fn other_words_for_the_same_measurements_are_the_same_experiment() {
    let same = [
        with_line(9, "list = [5000, 32, 8, 2]"),
        with_line(12, "trials = 16\nmax_trials = 160"),
        with_line(17, "warm_up = 5\nlabel_smoothing = { discrete = [0.0, 0.1] }"),
        with_line(19, "stop = 'goal'\nsteps = { at_batch_size = 2, steps = 32000 }"),
        format!("# a comment\n{TEXT}"),
    ];
    for text in same {
        assert_eq!(checked(TEXT).differences(&checked(&text)), []);
        assert_eq!(checked(TEXT).identity(), checked(&text).identity());
    }
}

#[test]
fn a_batch_size_that_is_missing_is_one_difference() {
    let fewer = checked(&with_line(9, "list = [2, 32, \"full\"]"));
    let told = |from: &CheckedExperiment, to: &CheckedExperiment| -> Vec<String> {
        from.differences(to).iter().map(ToString::to_string).collect()
    };
    assert_eq!(told(&checked(TEXT), &fewer), ["batch size 8 is studied there and not here"]);
    assert_eq!(told(&fewer, &checked(TEXT)), ["batch size 8 is studied here and not there"]);
}

#[test]
fn half_a_schedule_is_refused() {
    let mut facts = facts();
    let decay = metaparameter("decay", Some(1.0), Range::UNIT);
    facts.metaparameters.push(Metaparameter { needs: Some("warm_up"), ..decay });
    let check = |lines: &str| {
        let text = with_line(17, lines);
        Experiment::parse(&text, "e.toml").and_then(|parsed| parsed.check(&facts)).map(|_| ())
    };
    let error = check("decay = 0.1").unwrap_err().to_string();
    let expected = "e.toml:14: missing key 'warm_up' in [search.space]; expected it beside 'decay', which \
                    does nothing by itself";
    assert_eq!(error, expected);
    assert!(check("[search.space_at.8]\ndecay = 0.1").is_err());
    check("decay = 1.0").unwrap();
    check("decay = 0.1\nwarm_up = 5").unwrap();
    check("decay = 0.1\n[search.space_at.8]\nwarm_up = 3").unwrap();
}

#[test]
fn differences_name_keys_and_values() {
    let other = checked(&with_line(12, "trials = 17\nmax_trials = 160").replace("0.08", "0.07"));
    let differences = checked(TEXT).differences(&other);
    let texts: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["goal.below is 0.08 there and 0.07 here", "search.trials is 16 there and 17 here"]
    );
}

#[test]
fn identity_survives_the_store_bit_for_bit() {
    let text = TEXT.replace("0.08", "0.07999999999999999").replace("1e-4", "1.2345678901234567e-4");
    let experiment = checked(&text);
    let stored = experiment.identity().to_string();
    let restored: CheckedExperiment = serde_json::from_str(&stored).unwrap();
    assert_eq!(restored, experiment);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}", line in 1..22_usize) {
        let _ = Experiment::parse(&text, "e.toml");
        let _ = Experiment::parse(&with_line(line, &text), "e.toml");
    }

    #[test]
    fn no_number_makes_the_check_panic(number: f64, count: i64, line in 12..22_usize) {
        let key = TEXT.lines().nth(line - 1).unwrap().split(" = ").next().unwrap();
        for value in [format!("{number:?}"), count.to_string(), format!("{{ log = [{number:?}, 1.0] }}")] {
            let text = with_line(line, &format!("{key} = {value}"));
            let _ = Experiment::parse(&text, "e.toml").and_then(|parsed| parsed.check(&facts()));
        }
    }
}
