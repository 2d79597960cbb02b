//! Memory that a program takes on the native executor, known before anything is made. (On a device:
//! [`gpu::memory_bytes`](crate::gpu::memory_bytes).)
//!
//! A lane holds what outlives a step; scratch belongs to the threads that work, and its buffers go
//! round by length, so that each length is held as often as it was ever in use at once.

use std::collections::{HashMap, HashSet};

use crate::executor::Program;
use crate::ops::Op;
use crate::ops::conv2d::Conv2d;
use crate::plan::{Dispatch, Plan};

/// Elements of the pieces that products copy at a time: half of a second-level cache in f32.
const PIECE_LEN: usize = 1 << 18;

/// Points of a transformed filter.
const FILTER_POINTS: usize = 36;

/// Parts that a filter gradient is summed in at most.
const MAX_FILTER_PARTS: usize = 8;

impl Program {
    /// Bytes that so many lanes take in f32 on the native executor with so many threads, once every
    /// plan has run: parameters, velocities, gradients, kept values and records of each lane, each
    /// thread's scratch, and the parameters of a trial on its way into a lane (its velocities are zeros
    /// that are never written, so they take nothing). The data, which the program already holds, are
    /// not among them.
    ///
    /// What an op takes for itself is estimated from its shape: it is off by up to 1 MB a thread.
    pub fn native_memory_bytes(&self, lanes: usize, n_threads: usize) -> u64 {
        let n_working = lanes.min(n_threads);
        let mut buffers: HashMap<usize, usize> = HashMap::new();
        for plan in self.plans() {
            let mut of_plan: HashMap<usize, usize> = HashMap::new();
            for &len in &plan.slots {
                *of_plan.entry(len).or_default() += n_working;
            }
            for (len, count) in of_plan {
                let most = buffers.entry(len).or_default();
                *most = count.max(*most);
            }
        }
        let slots_len: usize = buffers.iter().map(|(len, count)| len * count).sum();
        let own_lens: HashSet<usize> = self.plans().iter().flat_map(own_scratch).collect();
        let own_len: usize = own_lens.into_iter().sum();
        let scratch_len = slots_len + n_working * own_len + n_threads * PIECE_LEN;
        let len = lanes * self.lane_len() + scratch_len + self.n_parameters();
        (len * size_of::<f32>()) as u64
    }
}

/// Elements that the dispatches of a plan take beside their operands and pieces of them, about.
fn own_scratch(plan: &Plan) -> impl Iterator<Item = usize> {
    plan.dispatches.iter().map(|Dispatch { op, .. }| match op {
        // The filter, turned and transformed.
        Op::Conv2d(op) | Op::Conv2dGradInput(op) => 2 * filter_len(op),
        // Its gradient in parts, and their sum.
        Op::Conv2dGradFilter(op) => (1 + MAX_FILTER_PARTS.min(op.batch)) * filter_len(op),
        // The right operand in panels.
        Op::MatmulUpdate(op) => op.matmul.k * op.matmul.n,
        // The right operand, or the result and the left one, transposed.
        Op::Matmul(op) if op.transpose_rhs => (op.n * op.k).min(op.m * (op.n + op.k)),
        _ => 0,
    })
}

/// Elements of a filter, or of its transform if that is larger.
fn filter_len(op: &Conv2d) -> usize {
    FILTER_POINTS.max(op.window.len()) * op.in_channels * op.out_channels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Graph, Initialiser};
    use crate::ops::update::UpdateRule;

    /// A layer of 3 to 5 units on 4 rows, trained and evaluated.
    fn program() -> Program {
        let mut graph = Graph::new();
        let x = graph.parameter("x", &[4, 3], Initialiser::Zeros).unwrap();
        let w = graph.parameter("w", &[3, 5], Initialiser::Zeros).unwrap();
        let product = graph.matmul(x, w).unwrap();
        let y = graph.relu(product).unwrap();
        let loss = graph.sum(y, 1.0).unwrap();
        let evaluation = Plan::evaluation(&graph, &[loss], 7).unwrap();
        let training = Plan::training(graph, loss, UpdateRule::Momentum, &[]).unwrap();
        Program::new(vec![training, evaluation], vec![]).unwrap()
    }

    #[test]
    fn lanes_hold_what_lasts_and_threads_the_rest() {
        let program = program();
        let bytes = |lanes, n_threads| program.native_memory_bytes(lanes, n_threads);
        // 12 + 15 parameters and velocities, the gradient of the first 12 (that of the others is
        // used where it is made), and seven rows of one value.
        let lane_bytes = 4 * (2 * 27 + 12 + 7);
        assert_eq!(bytes(9, 2) - bytes(8, 2), lane_bytes);
        assert_eq!(bytes(3, 2) - bytes(2, 2), lane_bytes, "two threads have their scratch");
        assert!(bytes(2, 2) - bytes(1, 2) > lane_bytes, "the second lane's thread has its own");
        assert!(bytes(8, 4) > bytes(8, 2));
    }

    /// What a lane and a trial on its way into it do not take.
    fn scratch_bytes(program: &Program) -> u64 {
        let len = program.lane_len() + program.n_parameters();
        program.native_memory_bytes(1, 1) - 4 * len as u64
    }

    #[test]
    fn plans_share_scratch_of_one_length() {
        let program = program();
        let [training, evaluation] = program.plans() else { panic!("two plans") };
        let alone = |plan: &Plan| {
            let program = Program::new(vec![plan.clone()], vec![]).unwrap();
            scratch_bytes(&program)
        };
        let both = scratch_bytes(&program);
        assert!(both >= alone(training) && both < alone(training) + alone(evaluation), "{both}");
    }
}
