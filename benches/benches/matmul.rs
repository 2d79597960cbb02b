//! The product at the shapes that training uses, and at 1024^3, against which ceilings are quoted.

use critbatch_benches::{Case, bench_case};
use critbatch_kernels::{Graph, Initialiser};
use criterion::{Criterion, criterion_group, criterion_main};

/// m, k, n; whether either operand is transposed; what it is.
const CASES: [(usize, usize, usize, bool, bool, &str); 6] = [
    (1024, 1024, 1024, false, false, "square"),
    (2, 784, 256, false, false, "first layer, batch 2"),
    (32, 784, 256, false, false, "first layer, batch 32"),
    (512, 784, 256, false, false, "first layer, batch 512"),
    (784, 512, 256, true, false, "its filter gradient"),
    (512, 256, 784, false, true, "its input gradient"),
];

fn matmul(criterion: &mut Criterion) {
    for (m, k, n, transpose_lhs, transpose_rhs, what) in CASES {
        let mut graph = Graph::new();
        let lhs_shape = if transpose_lhs { [k, m] } else { [m, k] };
        let rhs_shape = if transpose_rhs { [n, k] } else { [k, n] };
        let mut parameter =
            |name, shape: [usize; 2]| graph.parameter(name, &shape, Initialiser::Zeros);
        let lhs = parameter("lhs", lhs_shape).expect("a fresh name");
        let rhs = parameter("rhs", rhs_shape).expect("a fresh name");
        let y =
            graph.matmul_transposed(lhs, rhs, transpose_lhs, transpose_rhs).expect("shapes fit");
        let name = format!("{m}x{k}x{n} ({what})");
        bench_case(criterion, "matmul", &Case::forward(name, &graph, vec![y], vec![], k));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = matmul
}
criterion_main!(benches);
