//! Whole training runs: against the native executor, and of lanes against each other.

use std::sync::Arc;

use super::{bits, gpu, lane};
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program, Split};
use crate::gpu::submissions::Limits;
use crate::graph::{Graph, Initialiser, Node, Parameter};
use crate::lane::Snapshot;
use crate::ops::dropout::Masks;
use crate::ops::gather::{Pixels, Sampling, Source};
use crate::ops::update::UpdateRule;
use crate::ops::window::Padding;
use crate::plan::Plan;
use crate::testing::random_values;

const N_EXAMPLES: usize = 50;
const BATCH: usize = 12;
const SIDE: usize = 8;
const CLASSES: usize = 5;

/// Plans of a [`network`]'s program.
const TRAINING: usize = 0;
const EVALUATION: usize = 1;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Network {
    FullyConnected,
    Convolutional,
}

pub(super) const RULES: [UpdateRule; 4] =
    [UpdateRule::Sgd, UpdateRule::Momentum, UpdateRule::NesterovMomentum, UpdateRule::Adam];

/// Random images, dark or bright by the bits of their labels, so that there is something to
/// learn.
fn data() -> Arc<Split> {
    let noise: Vec<f32> = random_values(99, N_EXAMPLES * SIDE * SIDE);
    let labels: Vec<u32> = (0..).map(|i| i * 7 % 5).take(N_EXAMPLES).collect();
    let pixel = |(index, noise): (usize, &f32)| {
        let label = labels[index / (SIDE * SIDE)];
        let base = if label >> (index % 3) & 1 == 1 { 160.0 } else { 60.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "10..210")]
        let byte = (base + 50.0 * noise) as u8;
        byte
    };
    let images: Vec<u8> = noise.iter().enumerate().map(pixel).collect();
    Arc::new(Split::resident(images, labels))
}

/// Loss and number of errors; in training with dropout and label smoothing.
fn forward(graph: &mut Graph, network: Network, training: bool) -> (Node, Node) {
    let sampling = if training { Sampling::Shuffled } else { Sampling::Sequential };
    let source = Source { split: 0, n_examples: N_EXAMPLES, sampling };
    let scaling = Pixels::resident(1.0 / 128.0, -1.0);
    let images = graph.gather_images(source, BATCH, &[SIDE, SIDE, 1], scaling).unwrap();
    let labels = graph.gather_labels(source, BATCH).unwrap();
    let (features, len) = match network {
        Network::FullyConnected => {
            let x = graph.reshape(images, &[BATCH, SIDE * SIDE]).unwrap();
            (dense(graph, x, "hidden", SIDE * SIDE, 20), 20)
        }
        Network::Convolutional => {
            let x = convolution(graph, images, "first", 1, 4);
            let x = convolution(graph, x, "second", 4, 6);
            (graph.reshape(x, &[BATCH, 2 * 2 * 6]).unwrap(), 2 * 2 * 6)
        }
    };
    let features =
        if training { graph.dropout(features, 0.2, 0, Masks::EachStep).unwrap() } else { features };
    let weights = parameter(graph, "output_weights", &[len, CLASSES]);
    let bias = parameter(graph, "output_bias", &[CLASSES]);
    let logits = graph.matmul(features, weights).unwrap();
    let logits = graph.add_bias(logits, bias).unwrap();
    let losses = graph.softmax_cross_entropy(logits, labels, training).unwrap();
    let errors = graph.error_count(logits, labels).unwrap();
    let loss = graph.sum(losses, 1.0 / 12.0).unwrap();
    (loss, graph.sum(errors, 1.0).unwrap())
}

fn parameter(graph: &mut Graph, name: &str, shape: &[usize]) -> Node {
    graph.parameter(name, shape, Initialiser::Zeros).unwrap()
}

fn dense(graph: &mut Graph, x: Node, name: &str, n_in: usize, n_out: usize) -> Node {
    let weights = parameter(graph, &format!("{name}_weights"), &[n_in, n_out]);
    let bias = parameter(graph, &format!("{name}_bias"), &[n_out]);
    let y = graph.matmul(x, weights).unwrap();
    let y = graph.add_bias(y, bias).unwrap();
    graph.relu(y).unwrap()
}

fn convolution(graph: &mut Graph, x: Node, name: &str, n_in: usize, n_out: usize) -> Node {
    let filter = parameter(graph, &format!("{name}_filter"), &[3, 3, n_in, n_out]);
    let bias = parameter(graph, &format!("{name}_bias"), &[n_out]);
    let y = graph.conv2d(x, filter, 1, Padding::Same).unwrap();
    let y = graph.add_bias(y, bias).unwrap();
    let y = graph.relu(y).unwrap();
    graph.max_pool(y, 2, 2, Padding::Valid).unwrap()
}

/// A training and an evaluation plan, the node of the training loss, and a trial's start.
fn program(network: Network, rule: UpdateRule) -> (Program, Node) {
    let (program, loss, _) = whole_program(network, rule);
    (program, loss)
}

/// The same with its parameters.
pub(super) fn named_program(network: Network, rule: UpdateRule) -> (Program, Vec<Parameter>) {
    let (program, _, parameters) = whole_program(network, rule);
    (program, parameters)
}

fn whole_program(network: Network, rule: UpdateRule) -> (Program, Node, Vec<Parameter>) {
    let mut graph = Graph::new();
    let (loss, _) = forward(&mut graph, network, true);
    let parameters = graph.parameters().to_vec();
    let training = Plan::training(graph, loss, rule, &[loss]).unwrap();
    let mut graph = Graph::new();
    let (evaluation_loss, errors) = forward(&mut graph, network, false);
    let n_chunks = N_EXAMPLES.div_ceil(BATCH);
    let evaluation = Plan::evaluation(&graph, &[evaluation_loss, errors], n_chunks).unwrap();
    (Program::new(vec![training, evaluation], vec![data()]).unwrap(), loss, parameters)
}

/// A trial named by its seed.
pub(super) fn trial(program: &Program, seed: u32) -> Snapshot<f32> {
    let weights: Vec<f32> = random_values(seed, program.n_parameters());
    Snapshot::fresh(lane(seed), weights.iter().map(|weight| 0.3 * weight).collect())
}

#[test]
fn twenty_steps_stay_close_to_the_native_executor() {
    for network in [Network::FullyConnected, Network::Convolutional] {
        for rule in RULES {
            let (program, loss) = program(network, rule);
            let mut tested = gpu(&program, 2);
            let mut native = CpuExecutor::<f32>::new(&program, 2).unwrap();
            for index in 0..2 {
                let trial = trial(&program, 10 + u32::try_from(index).unwrap());
                tested.load(index, &trial).unwrap();
                native.load(index, &trial).unwrap();
            }
            let states = tested.run(TRAINING, &[20, 13]).unwrap();
            assert_eq!(states, native.run(TRAINING, &[20, 13]).unwrap(), "{network:?} {rule:?}");
            for index in 0..2 {
                let (got, reference) = (tested.save(index).unwrap(), native.save(index).unwrap());
                for (name, got, reference) in [
                    ("parameters", &got.parameters, &reference.parameters),
                    ("velocity", &got.velocity, &reference.velocity),
                    ("second moment", &got.second_moment, &reference.second_moment),
                    (
                        "loss",
                        &tested.read(TRAINING, index, loss).unwrap(),
                        &native.read(TRAINING, index, loss).unwrap(),
                    ),
                ] {
                    assert_near(&format!("{network:?} {rule:?} {name}"), got, reference);
                }
            }
            assert_eq!(tested.run(EVALUATION, &[5, 3]).unwrap()[1].cursor, 3);
            native.run(EVALUATION, &[5, 3]).unwrap();
            let [got, reference] = [tested.records(EVALUATION), native.records(EVALUATION)];
            let (got, reference) = (got.unwrap(), reference.unwrap());
            for index in 0..2 {
                let (got, reference) = (&got[index], &reference[index]);
                assert_eq!((got.len(), reference.len()), ([5, 3][index], [5, 3][index]));
                assert_near("records", &got.concat(), &reference.concat());
            }
        }
    }
}

/// Rounding differences grow a little over 20 steps: a hundredth of a percent of the largest.
fn assert_near(name: &str, got: &[f32], reference: &[f32]) {
    assert_eq!(got.len(), reference.len(), "{name}");
    let largest = reference.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (index, (got, reference)) in got.iter().zip(reference).enumerate() {
        let error = (got - reference).abs();
        assert!(error <= 1e-4 * largest, "{name}[{index}]: got {got}, native {reference}");
    }
}

/// A trial's weights, losses and records, run among `lanes` lanes in the given one, while its
/// neighbours run other trials for other numbers of steps.
fn run_among(program: &Program, loss: Node, lanes: usize, index: usize) -> Vec<u32> {
    let mut executor = gpu(program, lanes);
    for lane in 0..lanes {
        executor.load(lane, &trial(program, 30 + u32::try_from(lane).unwrap())).unwrap();
    }
    executor.load(index, &trial(program, 20)).unwrap();
    let repeats = |of_trial, step: u32| -> Vec<u32> {
        let others = (0..).map(|lane| lane * step);
        others.take(lanes).enumerate().map(|(i, n)| if i == index { of_trial } else { n }).collect()
    };
    executor.run(TRAINING, &repeats(7, 3)).unwrap();
    executor.run(TRAINING, &repeats(2, 1)).unwrap();
    let last_loss = executor.read(TRAINING, index, loss).unwrap();
    executor.run(EVALUATION, &repeats(4, 1)).unwrap();
    let records = executor.records(EVALUATION).unwrap()[index].concat();
    let measured = last_loss.iter().chain(&records).map(|value| value.to_bits());
    bits(&executor.save(index).unwrap()).into_iter().chain(measured).collect()
}

#[test]
fn a_trial_has_the_same_bits_in_every_lane_of_any_number() {
    for network in [Network::FullyConnected, Network::Convolutional] {
        for rule in RULES {
            let (program, loss) = program(network, rule);
            let alone = run_among(&program, loss, 1, 0);
            for (lanes, index) in [(2, 0), (2, 1), (5, 4), (5, 2)] {
                let among = run_among(&program, loss, lanes, index);
                assert!(alone == among, "{network:?} {rule:?}: lane {index} of {lanes} differs");
            }
        }
    }
}

/// Rounds of any length, cut into submissions or not, lead to the same weights.
#[test]
fn a_trial_may_pause_and_change_lanes() {
    let (program, _) = program(Network::FullyConnected, UpdateRule::NesterovMomentum);
    let mut executor = gpu(&program, 2);
    executor.load(0, &trial(&program, 20)).unwrap();
    // Many more iterations than one submission holds, or is recorded ahead.
    executor.run(TRAINING, &[300, 0]).unwrap();
    let whole = executor.save(0).unwrap();
    executor.load(0, &trial(&program, 20)).unwrap();
    executor.run(TRAINING, &[4, 0]).unwrap();
    let paused = executor.save(0).unwrap();
    executor.load(1, &paused).unwrap();
    executor.run(TRAINING, &[1, 296]).unwrap();
    let mut resumed = executor.save(1).unwrap();
    assert_eq!((whole.state.step, whole.state.cursor), (320, 300));
    resumed.state.cursor = whole.state.cursor;
    assert!(bits(&whole) == bits(&resumed), "the pause changed the trial");
}

/// As a large iteration is: here around each product, and into pairs of kernels.
#[test]
fn an_iteration_in_several_submissions_has_the_same_bits() {
    let (program, _) = program(Network::Convolutional, UpdateRule::Momentum);
    let train = |limits: Option<Limits>| {
        let mut executor = gpu(&program, 2);
        if let Some(limits) = limits {
            executor = executor.with_limits(limits);
        }
        for index in 0..2 {
            executor.load(index, &trial(&program, 20 + index as u32)).unwrap();
        }
        executor.run(TRAINING, &[25, 7]).unwrap();
        let trained = [0, 1].map(|index| bits(&executor.save(index).unwrap()));
        executor.run(EVALUATION, &[5, 3]).unwrap();
        (trained, executor.records(EVALUATION).unwrap())
    };
    let whole = train(None);
    let limits = Limits::default();
    assert!(train(Some(Limits { cost: 1, ..limits })) == whole, "cut by cost");
    assert!(train(Some(Limits { n_kernels: 2, ..limits })) == whole, "cut by kernels");
}

#[test]
fn a_lane_that_diverges_is_told_and_harms_no_neighbour() {
    for rule in RULES {
        let (program, _) = program(Network::FullyConnected, rule);
        let mut diverging = trial(&program, 41);
        diverging.state.learning_rate = 1e12;
        let calm = [trial(&program, 40), trial(&program, 42)];
        let mut tested = gpu(&program, 3);
        let mut native = CpuExecutor::<f32>::new(&program, 3).unwrap();
        let mut without = gpu(&program, 3);
        for (index, calm) in [(0, &calm[0]), (2, &calm[1])] {
            tested.load(index, calm).unwrap();
            native.load(index, calm).unwrap();
            without.load(index, calm).unwrap();
        }
        tested.load(1, &diverging).unwrap();
        native.load(1, &diverging).unwrap();
        let states = tested.run(TRAINING, &[15, 15, 15]).unwrap();
        let expected = native.run(TRAINING, &[15, 15, 15]).unwrap();
        assert_eq!(states, expected, "{rule:?}");
        assert!(states[1].diverged_at > 0, "{rule:?}: the test must diverge");
        without.run(TRAINING, &[15, 0, 15]).unwrap();
        for index in [0, 2] {
            let (with, without) = (tested.save(index).unwrap(), without.save(index).unwrap());
            assert!(bits(&with) == bits(&without), "{rule:?}: lane {index} was changed");
        }
        let ended = bits(&tested.save(1).unwrap());
        tested.run(TRAINING, &[1, 1, 1]).unwrap();
        let mut after = tested.save(1).unwrap();
        after.state.cursor = states[1].cursor;
        assert!(ended == bits(&after), "{rule:?}: a diverged lane moved on");
    }
}

/// On both executors: lanes that go on have the rows of one call, the one that does not has none.
#[test]
fn an_evaluation_goes_on_where_it_ended() {
    let (program, _) = program(Network::Convolutional, UpdateRule::Sgd);
    let executors: [Box<dyn Executor<f32>>; 2] =
        [Box::new(gpu(&program, 3)), Box::new(CpuExecutor::<f32>::new(&program, 3).unwrap())];
    for mut executor in executors {
        for index in 0..3 {
            executor.load(index, &trial(&program, 30 + u32::try_from(index).unwrap())).unwrap();
        }
        executor.run(EVALUATION, &[5; 3]).unwrap();
        let whole = executor.records(EVALUATION).unwrap();
        assert!(whole[0][2] != whole[0][4], "the test must tell its rows apart");
        executor.poison().unwrap();
        executor.run(EVALUATION, &[2; 3]).unwrap();
        executor.run_from(2, EVALUATION, &[2, 0, 1]).unwrap();
        let parts = executor.records(EVALUATION).unwrap();
        assert_eq!(parts[0], whole[0][..4]);
        assert!(parts[1].is_empty());
        assert_eq!(parts[2], whole[2][..3]);
        executor.run_from(4, EVALUATION, &[1, 0, 0]).unwrap();
        assert_eq!(executor.records(EVALUATION).unwrap()[0], whole[0]);
    }
}

/// One weight needs no more than a few rows of records to be staged, so lanes are read one by one.
#[test]
fn records_are_read_whole_where_the_host_cannot_stage_them_at_once() {
    let mut graph = Graph::new();
    let weight = graph.parameter("weight", &[1], Initialiser::Zeros).unwrap();
    let value = graph.sum(weight, 1.0).unwrap();
    let plan = Plan::evaluation(&graph, &[value, value], 100).unwrap();
    let mut executor = gpu(&Program::new(vec![plan], vec![]).unwrap(), 3);
    for (index, value) in [3.0, 4.0, 5.0].into_iter().enumerate() {
        executor.load(index, &Snapshot::fresh(lane(1), vec![value])).unwrap();
    }
    executor.run(0, &[100, 0, 7]).unwrap();
    let rows = |value: f32, n_rows| vec![vec![value; 2]; n_rows];
    assert_eq!(executor.records(0).unwrap(), [rows(3.0, 100), vec![], rows(5.0, 7)]);
}

#[test]
fn more_rows_than_planned_are_refused() {
    let (program, _) = program(Network::FullyConnected, UpdateRule::Sgd);
    let mut executor = gpu(&program, 1);
    for result in [executor.run(EVALUATION, &[6]), executor.run_from(4, EVALUATION, &[2])] {
        let error = result.unwrap_err().to_string();
        let expected = "run: got 6 iterations, expected at most the 5 rows that the plan records";
        assert_eq!(error, expected);
    }
}
