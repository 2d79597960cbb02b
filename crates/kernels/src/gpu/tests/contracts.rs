//! What is promised bit for bit: special values, random numbers, batches; and what is refused.

use std::sync::Arc;

use bytes::Bytes;

use super::{device, gpu, lane};
use crate::cpu::CpuExecutor;
use crate::error::Error;
use crate::executor::{Executor, Program, Split};
use crate::gpu::{GpuExecutor, max_lanes, memory_bytes};
use crate::graph::{Graph, Initialiser, Node};
use crate::lane::Snapshot;
use crate::ops::dropout::Masks;
use crate::ops::gather::{Pixels, Sampling, Source};
use crate::ops::window::Padding;
use crate::plan::Plan;
use crate::testing::random_values;

/// Values of `keep` on both executors, from the same trial in one lane.
fn both(
    graph: &Graph,
    keep: &[Node],
    trial: &Snapshot<f32>,
    splits: Vec<Arc<Split>>,
) -> [Vec<Vec<f32>>; 2] {
    let program = Program::new(vec![Plan::forward(graph, keep).unwrap()], splits).unwrap();
    let mut native = CpuExecutor::<f32>::new(&program, 1).unwrap();
    let mut tested = gpu(&program, 1);
    let executors: [&mut dyn Executor<f32>; 2] = [&mut tested, &mut native];
    executors.map(|executor| {
        executor.load(0, trial).unwrap();
        executor.run(0, &[1]).unwrap();
        keep.iter().map(|&node| executor.read(0, 0, node).unwrap()).collect()
    })
}

/// NaN, infinities and signed values where the executors must agree on what is NaN.
#[test]
fn special_values_show_as_on_the_native_executor() {
    const INF: f32 = f32::INFINITY;
    let rows: [[f32; 4]; 6] = [
        [f32::NAN, 1.0, 2.0, 3.0],
        [1.0, f32::NAN, -INF, -1.0],
        [INF, 1.0, 2.0, 3.0],
        [-INF, -INF, -INF, -INF],
        [-1.0, -0.0, 0.0, -INF],
        [3.0, 2.0, 3.0, f32::NAN],
    ];
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[6, 4], Initialiser::Zeros).unwrap();
    let weights = graph.parameter("weights", &[6, 1], Initialiser::Zeros).unwrap();
    let source = Source { split: 0, n_examples: 6, sampling: Sampling::Sequential };
    let labels = graph.gather_labels(source, 6).unwrap();
    let relu = graph.relu(x).unwrap();
    let image = graph.reshape(x, &[1, 6, 4, 1]).unwrap();
    let pooled = graph.max_pool(image, 2, 2, Padding::Valid).unwrap();
    let losses = graph.softmax_cross_entropy(x, labels, false).unwrap();
    let errors = graph.error_count(x, labels).unwrap();
    let row = graph.reshape(losses, &[1, 6]).unwrap();
    let loss = graph.matmul(row, weights).unwrap();
    let loss = graph.reshape(loss, &[1]).unwrap();
    let gradient = graph.gradients(loss, &[x]).unwrap()[0];
    let total = graph.sum(x, 1.0).unwrap();
    // The label 9 is no class: NaN, rather than a look outside the row.
    let split = Split::resident(Bytes::new(), vec![0, 0, 1, 3, 9, 2]);
    let keep = [relu, pooled, losses, errors, gradient, total];
    let parameters = rows.as_flattened().iter().copied().chain([1.0; 6]).collect();
    let trial = Snapshot::fresh(lane(4), parameters);
    let [got, reference] = both(&graph, &keep, &trial, vec![Arc::new(split)]);
    for (index, (got, reference)) in got.iter().zip(&reference).enumerate() {
        for (got, reference) in got.iter().zip(reference) {
            let same = got.is_nan() && reference.is_nan()
                || got == reference
                || (got - reference).abs() <= 1e-6 * reference.abs();
            assert!(same, "value {index}: got {got}, native {reference}");
        }
    }
    assert!(reference[2][4].is_nan() && got[2][0].is_nan(), "bad labels and NaN logits show");
}

#[test]
fn dropout_masks_have_the_same_bits() {
    for (len, rate) in [(1, 0.5), (1001, 0.0), (4096, 0.1), (4099, 0.9)] {
        let mut graph = Graph::new();
        let x = graph.parameter("x", &[len], Initialiser::Zeros).unwrap();
        let y = graph.dropout(x, rate, 2, Masks::EachStep).unwrap();
        let trial = Snapshot::fresh(lane(4), random_values(8, len));
        let [got, reference] = both(&graph, &[y], &trial, vec![]);
        assert_eq!(got, reference, "len {len}, rate {rate}");
    }
}

/// Images whose length is no multiple of a word; small and large domains of the shuffle; more
/// workgroups than one dimension of a grid has.
#[test]
fn batches_have_the_same_bits() {
    for (n_examples, batch) in [(1, 1), (7, 7), (300, 129), (70_000, 66_000)] {
        let example_len = 7 * 3;
        let images: Vec<u8> =
            (0..n_examples * example_len).map(|i| (i * 37 % 251).try_into().unwrap()).collect();
        let labels = (0..).take(n_examples).collect();
        let split = Arc::new(Split::resident(images, labels));
        for sampling in [Sampling::Shuffled, Sampling::Sequential, Sampling::Drawn] {
            let mut graph = Graph::new();
            graph.parameter("unused", &[1], Initialiser::Zeros).unwrap();
            let source = Source { split: 0, n_examples, sampling };
            let scaling = Pixels::resident(1.0 / 255.0 / 0.3081, -0.1307 / 0.3081);
            let images = graph.gather_images(source, batch, &[7, 3, 1], scaling).unwrap();
            let labels = graph.gather_labels(source, batch).unwrap();
            let keep = [images, labels];
            let mut trial = Snapshot::fresh(lane(4), vec![0.0]);
            // So that the batch straddles two epochs, where it holds more than one example.
            trial.state.offset = u32::try_from(n_examples - 1).unwrap();
            let [got, reference] = both(&graph, &keep, &trial, vec![Arc::clone(&split)]);
            assert_eq!(got, reference, "{n_examples} examples, batch {batch}, {sampling:?}");
        }
    }
}

/// Sentences of more bytes than one binding may have on software Vulkan, where one is cut in its middle.
#[test]
fn data_go_on_in_a_second_binding() {
    const LEN: usize = 7;
    let most = device().device.limits().max_storage_buffer_binding_size.min(1 << 27);
    let n_first = usize::try_from(most).unwrap() / (2 * LEN);
    let n_examples = n_first + 9;
    let mut tokens = (0..251).collect::<Vec<u8>>().repeat(2 * LEN * n_examples / 251 + 1);
    tokens.truncate(2 * LEN * n_examples);
    let split = Arc::new(Split::resident(tokens, vec![0; n_examples]));
    let mut graph = Graph::new();
    graph.parameter("unused", &[1], Initialiser::Zeros).unwrap();
    let source = Source { split: 0, n_examples, sampling: Sampling::Sequential };
    let batch = n_examples.div_ceil(5) + 1;
    let y = graph.gather_tokens(source, batch, LEN, [1, 5]).unwrap();
    let program = Program::new(vec![Plan::forward(&graph, &[y]).unwrap()], vec![split]).unwrap();
    let mut native = CpuExecutor::<f32>::new(&program, 1).unwrap();
    let mut tested = gpu(&program, 1);
    let executors: [&mut dyn Executor<f32>; 2] = [&mut tested, &mut native];
    let [got, reference] = executors.map(|executor| {
        executor.load(0, &Snapshot::fresh(lane(4), vec![0.0])).unwrap();
        executor.run_from(4, 0, &[1]).unwrap();
        executor.read(0, 0, y).unwrap()
    });
    assert!(got == reference);
    assert_eq!(reference[5 * (n_examples - 4 * batch)], -1.0, "past the end");
}

/// Three channels, each shifted by its own number.
#[test]
fn channels_have_the_same_bits() {
    let images: Vec<u8> = (0..5 * 2 * 3 * 3).map(|i| (i * 37 % 251).try_into().unwrap()).collect();
    let split = Arc::new(Split::resident(images.clone(), vec![0; 5]));
    let mut graph = Graph::new();
    graph.parameter("unused", &[1], Initialiser::Zeros).unwrap();
    let source = Source { split: 0, n_examples: 5, sampling: Sampling::Sequential };
    let pixels = Pixels { scale: 0.25, shifts: [-1.0, 2.0, 0.5], is_streamed: false };
    assert!(graph.gather_images(source, 5, &[2, 3, 4], pixels).is_err(), "four channels");
    let y = graph.gather_images(source, 5, &[2, 3, 3], pixels).unwrap();
    let trial = Snapshot::fresh(lane(4), vec![0.0]);
    let [got, reference] = both(&graph, &[y], &trial, vec![split]);
    assert_eq!(got, reference);
    let expected = images.iter().zip([-1.0, 2.0, 0.5].into_iter().cycle());
    let expected: Vec<f64> =
        expected.map(|(&byte, shift): (&u8, f64)| 0.25 * f64::from(byte) + shift).collect();
    assert!(got[0].iter().zip(expected).all(|(&got, expected)| f64::from(got) == expected));
}

/// A plan that does nothing but declare a parameter of the given size.
fn parameter_program(len: usize) -> Program {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[len], Initialiser::Zeros).unwrap();
    Program::new(vec![Plan::forward(&graph, &[x]).unwrap()], vec![]).unwrap()
}

#[test]
fn too_large_a_program_is_refused_before_anything_is_made() {
    let program = parameter_program(1 << 30);
    assert!(memory_bytes(&program, 4) >= 2 * 4 * (4 << 30), "parameters and velocities");
    let error = GpuExecutor::new(device(), &program, 4).err().expect("no device has this");
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert!(max_lanes(device(), &program) < 4);
    let program = parameter_program(1);
    assert!(max_lanes(device(), &program) > 1000);
    let error = GpuExecutor::new(device(), &program, 0).err().expect("no lane is an error");
    assert_eq!(error.to_string(), "new: got 0 lanes, expected at least one");
}

#[test]
fn programs_without_kernels_or_data_run() {
    let mut executor = gpu(&parameter_program(3), 2);
    executor.load(1, &Snapshot::fresh(lane(1), vec![1.0, 2.0, 3.0])).unwrap();
    let states = executor.run(0, &[1, 1]).unwrap();
    assert_eq!((states[0].remaining, states[1].key), (1, lane(1).key));
    assert_eq!(executor.save(1).unwrap().parameters, [1.0, 2.0, 3.0]);
    assert_eq!(executor.save(0).unwrap().parameters, [0.0; 3]);
    assert!(executor.records(0).unwrap()[0].is_empty());
    for error in [
        executor.run(1, &[1, 1]).err(),
        executor.run(0, &[1]).err(),
        executor.save(2).err(),
        executor.load(0, &Snapshot::fresh(lane(1), vec![1.0])).err(),
    ] {
        assert!(matches!(error, Some(Error::Call { .. })), "{error:?}");
    }
}
