//! The ops beside products and convolutions, at the shapes of `simple_cnn_base` with 32 examples (the
//! layer norm's are a transformer's), and a whole evaluation. Backward cases run the forward op and
//! the gradient of a squared norm too, which seeds theirs; bytes count all of it.

use std::sync::Arc;

use critbatch_benches::{Case, Observed, bench_case};
use critbatch_kernels::{
    Error, Graph, Initialiser, Masks, Node, Padding, Pixels, Plan, Program, Sampling, Source,
    Split, UpdateRule,
};
use critbatch_models::{Compute, Measured, Model, Optimizer, Workload};
use critbatch_tuner::EvaluationSplit;
use criterion::{Criterion, criterion_group, criterion_main};

const BATCH: usize = 32;
const N_EXAMPLES: usize = 4_000;
const SOURCE: Source = Source { split: 0, n_examples: N_EXAMPLES, sampling: Sampling::Shuffled };

/// An op applied to parameters of the given shapes.
type Apply = fn(&mut Graph, &[Node]) -> Result<Node, Error>;

/// Group, shapes of the operands, terms of the longest sum, whether a gradient is taken, op.
type Row = (&'static str, &'static [&'static [usize]], usize, bool, Apply);

#[rustfmt::skip]
const CASES: [Row; 17] = [
    ("gather_images",         &[],                               1,         false, gather_images),
    ("gather_labels",         &[],                               1,         false, gather_labels),
    ("add_bias",              &[&[BATCH, 28, 28, 32], &[32]],    2,         false, add_bias),
    ("sum_rows",              &[&[BATCH, 28, 28, 32], &[32]],    BATCH*784, true,  add_bias),
    ("relu",                  &[&[BATCH, 28, 28, 32]],           1,         false, relu),
    ("relu backward",         &[&[BATCH, 28, 28, 32]],           1,         true,  relu),
    ("max_pool",              &[&[BATCH, 28, 28, 32]],           1,         false, max_pool),
    ("max_pool backward",     &[&[BATCH, 28, 28, 32]],           4,         true,  max_pool),
    ("dropout",               &[&[BATCH, 1024]],                 1,         false, dropout),
    ("layer_norm",            &[&[2048, 512]],                   512,       false, layer_norm),
    ("layer_norm and relu backward", &[&[2048, 512]],            512,       true,  norm_and_relu),
    ("cross_entropy",         &[&[512, 10]],                     10,        false, cross_entropy),
    ("cross_entropy backward", &[&[512, 10]],                    10,        true,  cross_entropy),
    ("error_count",           &[&[512, 10]],                     10,        false, error_count),
    ("add",                   &[&[BATCH, 1024], &[BATCH, 1024]], 2,         false, add),
    ("sum",                   &[&[512]],                         512,       false, sum),
    ("squared_norm",          &[&[3_274_634]],                   16_384,    false, squared_norm),
];

fn gather_images(graph: &mut Graph, _: &[Node]) -> Result<Node, Error> {
    graph.gather_images(SOURCE, BATCH, &[28, 28, 1], Pixels::resident(1.0 / 255.0, 0.0))
}

fn gather_labels(graph: &mut Graph, _: &[Node]) -> Result<Node, Error> {
    graph.gather_labels(SOURCE, 512)
}

fn add_bias(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    graph.add_bias(operands[0], operands[1])
}

fn relu(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    graph.relu(operands[0])
}

fn max_pool(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    graph.max_pool(operands[0], 2, 2, Padding::Valid)
}

fn dropout(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    graph.dropout(operands[0], 0.4, 1, Masks::EachStep)
}

fn layer_norm(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    graph.layer_norm(operands[0], "norm")
}

/// A row's norm alone does not depend on the row: without the ReLU the gradient would be nothing but
/// what is left of cancelled sums.
fn norm_and_relu(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    let norm = layer_norm(graph, operands)?;
    graph.relu(norm)
}

fn cross_entropy(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    let labels = gather_labels(graph, operands)?;
    graph.softmax_cross_entropy(operands[0], labels, true)
}

fn error_count(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    let labels = gather_labels(graph, operands)?;
    graph.error_count(operands[0], labels)
}

fn add(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    graph.add(operands[0], operands[1])
}

fn sum(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    graph.sum(operands[0], 1.0)
}

fn squared_norm(graph: &mut Graph, operands: &[Node]) -> Result<Node, Error> {
    graph.squared_norm(operands[0])
}

fn examples() -> Arc<Split> {
    let bytes = (0..N_EXAMPLES * 784).map(|index| (index * 31 % 251) as u8);
    let labels = (0..N_EXAMPLES as u32).map(|index| index * 7 % 10);
    Arc::new(Split::resident(bytes.collect::<Vec<u8>>(), labels.collect()))
}

fn ops(criterion: &mut Criterion) {
    let split = examples();
    for (group, shapes, reduction_len, backward, apply) in CASES {
        let mut graph = Graph::new();
        let parameter = |(index, shape): (usize, &&[usize])| {
            graph.parameter(&format!("operand {index}"), shape, Initialiser::Zeros)
        };
        let operands: Result<Vec<Node>, Error> = shapes.iter().enumerate().map(parameter).collect();
        let operands = operands.expect("fresh names");
        let y = apply(&mut graph, &operands).expect("shapes fit");
        let mut outputs = vec![y];
        if backward {
            let loss = graph.squared_norm(y).expect("any shape");
            // Of several operands the last: the gradient of a biased tensor is the upstream one.
            let wrt = operands.last().expect("gradients are taken of an operand");
            outputs = graph.gradients(loss, &[*wrt]).expect("the loss depends on it");
        }
        let name = shapes.first().map_or_else(|| graph.shape(y).to_string(), |s| format!("{s:?}"));
        let splits = vec![Arc::clone(&split)];
        let case = Case::forward(name, &graph, outputs, splits, reduction_len);
        bench_case(criterion, group, &case);
    }
}

/// Nesterov momentum of all weights of `simple_cnn_base`, whose gradient is that of the squared
/// norm: an elementwise op.
fn update(criterion: &mut Criterion) {
    const LEN: usize = 3_274_634;
    let mut graph = Graph::new();
    let weights = graph.parameter("weights", &[LEN], Initialiser::Zeros).expect("a fresh name");
    let loss = graph.squared_norm(weights).expect("any shape");
    let plan = Plan::training(graph, loss, UpdateRule::NesterovMomentum, &[]).expect("it trains");
    let case = Case {
        name: format!("nesterov_momentum [{LEN}]"),
        program: Program::new(vec![plan], vec![]).expect("it is a program"),
        plan: 0,
        n_iterations: 4,
        observed: Observed::Parameters,
        reduction_len: 8,
    };
    bench_case(criterion, "update", &case);
}

/// The validation set of `mnist_5k` through `simple_cnn_narrow`, as a study does at every
/// measurement.
fn evaluation(criterion: &mut Criterion) {
    let dataset = critbatch_data::load("mnist_5k", None).expect("mnist_5k is built in");
    let model = Model::find("simple_cnn_narrow").expect("the model exists");
    let measured = Measured { splits: &[EvaluationSplit::Val], gradient_noise_scale: false };
    let optimizer = Optimizer::NesterovMomentum;
    // Which device the workload names is of no account: only its program is used.
    let workload = Workload::new(&dataset, model, optimizer, measured, Compute::Cpu);
    let program = workload.and_then(|workload| workload.program(1)).expect("the model fits");
    let case = Case {
        name: "simple_cnn_narrow, 500 examples".to_owned(),
        program,
        plan: 1,
        // 125 examples each.
        n_iterations: 4,
        observed: Observed::Records,
        // Sums over 1,568 and over 125 terms, one after the other.
        reduction_len: 1_693,
    };
    bench_case(criterion, "evaluation", &case);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = ops, update, evaluation
}
criterion_main!(benches);
