//! The convolutions of `simple_cnn_base`, forward and backward.

use critbatch_benches::{Case, bench_case};
use critbatch_kernels::{Graph, Initialiser, Padding};
use criterion::{Criterion, criterion_group, criterion_main};

/// Height and width, input channels, output channels.
const LAYERS: [(usize, usize, usize); 2] = [(28, 1, 32), (14, 32, 64)];
const BATCH: usize = 8;

fn conv2d(criterion: &mut Criterion) {
    for (size, in_channels, out_channels) in LAYERS {
        for backward in [false, true] {
            let mut graph = Graph::new();
            let mut parameter =
                |name, shape: [usize; 4]| graph.parameter(name, &shape, Initialiser::Zeros);
            let x = parameter("x", [BATCH, size, size, in_channels]).expect("a fresh name");
            let filter = parameter("filter", [5, 5, in_channels, out_channels]).expect("fresh");
            let y = graph.conv2d(x, filter, 1, Padding::Same).expect("shapes fit");
            let mut outputs = vec![y];
            let mut reduction_len = 25 * in_channels;
            if backward {
                let loss = graph.sum(y, 1.0).expect("a finite scale");
                outputs = graph.gradients(loss, &[x, filter]).expect("the loss depends on both");
                reduction_len = BATCH * size * size;
            }
            let direction = if backward { "backward" } else { "forward" };
            let name = format!("{BATCH}x{size}x{size}x{in_channels} to {out_channels} {direction}");
            bench_case(
                criterion,
                "conv2d",
                &Case::forward(name, &graph, outputs, vec![], reduction_len),
            );
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = conv2d
}
criterion_main!(benches);
