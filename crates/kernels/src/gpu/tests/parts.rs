//! Training on a batch in parts: natively what training on the whole batch gives, but for rounding; on the
//! device what it gives natively.

use std::sync::Arc;

use super::{gpu, lane};
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program, Split};
use crate::graph::{Graph, Initialiser, Node};
use crate::lane::Snapshot;
use crate::ops::batch_norm::Moments;
use crate::ops::conv2d::Padding;
use crate::ops::gather::{Pixels, Sampling, Source};
use crate::ops::update::UpdateRule;
use crate::plan::Plan;
use crate::real::Real;
use crate::testing::random_values;

const N_EXAMPLES: usize = 29;
const BATCH: usize = 16;
const SIDE: usize = 6;
const GROUP: usize = 2;

/// Mean loss of a small network with convolution, batch norm and dense layer; of a part its share.
fn network(batch: usize, sampling: Sampling) -> (Graph, Node) {
    let mut graph = Graph::new();
    let source = Source { split: 0, n_examples: N_EXAMPLES, sampling };
    let pixels = Pixels::resident(1.0 / 128.0, -1.0);
    let images = graph.gather_images(source, batch, &[SIDE, SIDE, 1], pixels).unwrap();
    let labels = graph.gather_labels(source, batch).unwrap();
    let initialiser = Initialiser::Zeros;
    let filter = graph.parameter("filter", &[3, 3, 1, 4], initialiser).unwrap();
    let weights = graph.parameter("weights", &[SIDE * SIDE * 4, 3], initialiser).unwrap();
    let x = graph.conv2d(images, filter, 1, Padding::Same).unwrap();
    let x = graph.batch_norm(x, "norm", Moments::OfGroups(GROUP)).unwrap();
    let x = graph.relu(x).unwrap();
    let x = graph.reshape(x, &[batch, SIDE * SIDE * 4]).unwrap();
    let logits = graph.matmul(x, weights).unwrap();
    let losses = graph.softmax_cross_entropy(logits, labels, true).unwrap();
    let loss = graph.sum(losses, 1.0 / BATCH as f64).unwrap();
    (graph, loss)
}

/// Mean loss over the labelled tokens of a bag of embeddings.
fn sentences(batch: usize, sampling: Sampling) -> (Graph, Node) {
    const LENGTH: usize = SIDE * SIDE / 2;
    let mut graph = Graph::new();
    let source = Source { split: 0, n_examples: N_EXAMPLES, sampling };
    let tokens = graph.gather_tokens(source, batch, LENGTH, [0, 1]).unwrap();
    let tokens = graph.reshape(tokens, &[batch]).unwrap();
    let labels = graph.gather_tokens(source, batch, LENGTH, [1, 1]).unwrap();
    let labels = graph.reshape(labels, &[batch]).unwrap();
    let of_batch = Source { sampling: Sampling::Shuffled, ..source };
    let all = graph.gather_tokens(of_batch, BATCH, LENGTH, [1, 1]).unwrap();
    let all = graph.reshape(all, &[BATCH]).unwrap();
    let table = graph.parameter("table", &[9, 5], Initialiser::Zeros).unwrap();
    let weights = graph.parameter("weights", &[5, 9], Initialiser::Zeros).unwrap();
    let x = graph.embedding(table, tokens, 1.0).unwrap();
    let logits = graph.matmul(x, weights).unwrap();
    let losses = graph.softmax_cross_entropy(logits, labels, true).unwrap();
    let loss = graph.share_of_labelled(losses, labels, all).unwrap();
    (graph, loss)
}

type Build = fn(usize, Sampling) -> (Graph, Node);

/// Bytes that are images, or tokens of which some are padding.
fn split(is_tokens: bool) -> Arc<Split> {
    let byte = |i: usize| u8::try_from(i * 97 % 251).unwrap();
    let bytes: Vec<u8> = match is_tokens {
        false => (0..N_EXAMPLES * SIDE * SIDE).map(byte).collect(),
        true => (0..N_EXAMPLES * SIDE * SIDE / 2)
            .flat_map(|i| if i % 7 == 1 { [255, 255] } else { [byte(i) % 9, 0] })
            .collect(),
    };
    let labels = (0..3).cycle().take(N_EXAMPLES).collect();
    Arc::new(Split::resident(bytes, labels))
}

fn whole(build: Build, is_tokens: bool, rule: UpdateRule) -> Program {
    let (graph, loss) = build(BATCH, Sampling::Shuffled);
    let plan = Plan::training(graph, loss, rule, &[]).unwrap();
    Program::new(vec![plan], vec![split(is_tokens)]).unwrap()
}

fn in_parts(build: Build, is_tokens: bool, rule: UpdateRule, part: usize) -> Program {
    let (graph, loss) = build(part, Sampling::Parts { batch: BATCH });
    let n_parts = BATCH.div_ceil(part);
    let plans = Plan::training_in_parts(graph, loss, rule, n_parts).unwrap();
    Program::new(plans.into(), vec![split(is_tokens)]).unwrap()
}

fn start<T: Real>(program: &Program, seed: u32) -> Snapshot<T> {
    Snapshot::fresh(lane(seed), random_values(seed, program.n_parameters()))
}

/// So many steps in each of two lanes, a part at a time.
fn train_in_parts<T: Real>(executor: &mut dyn Executor<T>, part: usize, steps: [u32; 2]) {
    let n_parts = u32::try_from(BATCH.div_ceil(part)).unwrap();
    for step in 0..steps[0].max(steps[1]) {
        let running = steps.map(|steps| u32::from(step < steps));
        executor.run(0, &running.map(|runs| runs * n_parts)).unwrap();
        executor.run(1, &running).unwrap();
    }
}

fn distance<T: Real>(a: &[T], b: &[T]) -> f64 {
    let square = |x: f64| x * x;
    let difference: f64 = a.iter().zip(b).map(|(a, b)| square(a.as_f64() - b.as_f64())).sum();
    (difference / b.iter().map(|b| square(b.as_f64())).sum::<f64>()).sqrt()
}

#[test]
fn parts_add_up_to_the_whole() {
    let cases: [(Build, bool, &[usize]); 2] =
        [(network, false, &[2, 8]), (sentences, true, &[1, 4, 7])];
    for (build, is_tokens, parts) in cases {
        for rule in [UpdateRule::Sgd, UpdateRule::NesterovMomentum, UpdateRule::Adam] {
            let whole = whole(build, is_tokens, rule);
            let mut reference = CpuExecutor::<f64>::new(&whole, 2).unwrap();
            for index in 0..2 {
                reference.load(index, &start(&whole, 3 + index as u32)).unwrap();
            }
            reference.run(0, &[5, 3]).unwrap();
            for &part in parts {
                let program = in_parts(build, is_tokens, rule, part);
                let mut tested = CpuExecutor::<f64>::new(&program, 2).unwrap();
                tested.poison().unwrap();
                for index in 0..2 {
                    tested.load(index, &start(&program, 3 + index as u32)).unwrap();
                }
                train_in_parts(&mut tested, part, [5, 3]);
                for index in 0..2 {
                    let (got, expected) =
                        (tested.save(index).unwrap(), reference.save(index).unwrap());
                    let error = distance(&got.parameters, &expected.parameters);
                    assert!(error < 1e-12, "{rule:?}, parts of {part}, lane {index}: {error}");
                    assert_eq!(
                        (got.state.step, got.state.epoch, got.state.offset),
                        (expected.state.step, expected.state.epoch, expected.state.offset)
                    );
                }
            }
        }
    }
}

#[test]
fn the_device_adds_parts_as_the_native_executor_does() {
    let cases: [(Build, bool, usize); 2] = [(network, false, 4), (sentences, true, 7)];
    for (build, is_tokens, part) in cases {
        let program = in_parts(build, is_tokens, UpdateRule::Momentum, part);
        let mut tested = gpu(&program, 2);
        let mut native = CpuExecutor::<f32>::new(&program, 2).unwrap();
        for index in 0..2 {
            tested.load(index, &start(&program, 3 + index as u32)).unwrap();
            native.load(index, &start(&program, 3 + index as u32)).unwrap();
        }
        train_in_parts(&mut tested, part, [4, 2]);
        train_in_parts(&mut native, part, [4, 2]);
        for index in 0..2 {
            let (got, expected) = (tested.save(index).unwrap(), native.save(index).unwrap());
            let error = distance(&got.parameters, &expected.parameters);
            assert!(error < 1e-5, "parts of {part}, lane {index}: {error}");
            assert_eq!(got.state, expected.state);
        }
    }
}
