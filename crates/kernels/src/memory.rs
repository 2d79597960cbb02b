//! Memory that a program takes on the native executor, known before anything is made. (On a device:
//! [`gpu::memory_bytes`](crate::gpu::memory_bytes).)
//!
//! A lane holds what outlives a step; scratch belongs to the threads that work, and its buffers go
//! round by length, so that each length is held as often as it was ever in use at once.

use std::collections::HashMap;

use crate::cpu::ScratchLens;
use crate::executor::Program;
use crate::ops::Op;
use crate::plan::Plan;

/// How many buffers there are of each length.
pub(crate) type Buffers = HashMap<usize, usize>;

impl Program {
    /// Bytes that so many lanes take in f32 on the native executor with so many threads, when each is
    /// given its trial or once every plan has run, whichever is more: parameters, velocities, gradients,
    /// kept values and records of each lane, and each thread's scratch. The data, which the program
    /// already holds, are not among them.
    ///
    /// Products, convolutions and attention count what they take for themselves; other ops take little.
    pub fn native_memory_bytes(&self, lanes: usize, n_threads: usize) -> u64 {
        // The state of all lanes, and the last trial's parameters on their way in.
        let filled_len = lanes * self.state_len() + self.n_parameters();
        bytes_of(filled_len.max(self.working_len(lanes, n_threads)))
    }

    /// As [`Program::native_memory_bytes`], where trials leave and enter lanes while others train: one
    /// checkpoint on top. (A fresh trial takes less: its moments are zeros that are never written.)
    pub fn native_memory_bytes_with_checkpoints(&self, lanes: usize, n_threads: usize) -> u64 {
        bytes_of(self.working_len(lanes, n_threads) + self.state_len())
    }

    /// Elements of lanes and scratch once every plan has run.
    fn working_len(&self, lanes: usize, n_threads: usize) -> usize {
        let buffers = self.scratch_buffers(lanes.min(n_threads), n_threads);
        let scratch_len: usize = buffers.iter().map(|(len, count)| len * count).sum();
        lanes * self.lane_len() + scratch_len
    }

    /// Elements of what a checkpoint holds: parameters and moments.
    fn state_len(&self) -> usize {
        2 * self.n_parameters() + self.second_moment_len()
    }

    /// Scratch buffers once every plan has run, with so many lanes at work at the same time.
    pub(crate) fn scratch_buffers(&self, n_working: usize, n_threads: usize) -> Buffers {
        let mut buffers = Buffers::new();
        for plan in self.plans() {
            let mut of_plan = of_ops(plan, n_working, n_threads);
            plan.slots.iter().for_each(|&len| *of_plan.entry(len).or_default() += n_working);
            keep_most(&mut buffers, of_plan);
        }
        buffers
    }
}

fn bytes_of(len: usize) -> u64 {
    (len * size_of::<f32>()) as u64
}

/// What the dispatches of a plan take beside its slots, one after the other.
fn of_ops(plan: &Plan, n_working: usize, n_threads: usize) -> Buffers {
    let mut most = Buffers::new();
    for dispatch in &plan.dispatches {
        let ScratchLens { of_op, of_piece } = scratch(&dispatch.op);
        let copies = dispatch.inputs.iter().filter(|view| dispatch.writes_to(view));
        let mut buffers = Buffers::new();
        for len in of_op.into_iter().chain(copies.map(|view| view.len)) {
            *buffers.entry(len).or_default() += n_working;
        }
        of_piece.into_iter().for_each(|len| *buffers.entry(len).or_default() += n_threads);
        keep_most(&mut most, buffers);
    }
    most
}

/// Buffers enough for either.
pub(crate) fn keep_most(most: &mut Buffers, buffers: Buffers) {
    for (len, count) in buffers {
        let most = most.entry(len).or_default();
        *most = count.max(*most);
    }
}

/// What a dispatch takes for itself.
fn scratch(op: &Op) -> ScratchLens {
    match op {
        Op::Attention(op) => op.scratch::<f32>(false),
        Op::AttentionGrad(op) => op.scratch::<f32>(true),
        Op::Conv2d(op) => op.scratch::<f32>(),
        Op::Conv2dGradInput(op) => op.grad_input_scratch::<f32>(),
        Op::Conv2dGradFilter(op) => op.grad_filter_scratch::<f32>(),
        Op::Matmul(op) => op.scratch::<f32>(),
        Op::MatmulUpdate(op) => op.scratch::<f32>(),
        _ => ScratchLens::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::cpu::CpuExecutor;
    use crate::executor::Executor;
    use crate::graph::{Graph, Initialiser};
    use crate::ops::update::UpdateRule;

    /// A layer of 3 to 5 units on 4 rows, trained and evaluated.
    fn program() -> Program {
        program_of(UpdateRule::Momentum)
    }

    fn program_of(rule: UpdateRule) -> Program {
        let mut graph = Graph::new();
        let x = graph.parameter("x", &[4, 3], Initialiser::Zeros).unwrap();
        let w = graph.parameter("w", &[3, 5], Initialiser::Zeros).unwrap();
        let product = graph.matmul(x, w).unwrap();
        let y = graph.relu(product).unwrap();
        let loss = graph.sum(y, 1.0).unwrap();
        let evaluation = Plan::evaluation(&graph, &[loss], 7).unwrap();
        let training = Plan::training(graph, loss, rule, &[]).unwrap();
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

    /// What the lane does not take.
    fn scratch_bytes(program: &Program) -> u64 {
        program.native_memory_bytes(1, 1) - 4 * program.lane_len() as u64
    }

    #[test]
    fn lanes_that_are_little_more_than_their_state_take_the_most_when_they_are_filled() {
        let mut graph = Graph::new();
        let table = graph.parameter("table", &[1000, 2], Initialiser::Zeros).unwrap();
        let loss = graph.sum(table, 1.0).unwrap();
        let evaluation = Plan::evaluation(&graph, &[loss], 1).unwrap();
        let program = Program::new(vec![evaluation], vec![]).unwrap();
        assert_eq!(program.native_memory_bytes(3, 1), 4 * (3 * 2 + 1) * 2000);
    }

    #[test]
    fn a_trial_on_its_way_out_takes_one_copy_that_is_planned() {
        for (rule, n_buffers) in [(UpdateRule::Momentum, 2), (UpdateRule::Adam, 3)] {
            let program = program_of(rule);
            let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
            let lane = executor.view(0).unwrap();
            let buffers = [lane.parameters, lane.velocity, lane.second_moment];
            assert!(buffers.iter().all(|buffer| matches!(buffer, Cow::Borrowed(_))), "{rule:?}");
            let len: usize = buffers.iter().map(|buffer| buffer.len()).sum();
            assert_eq!(len, 27 * n_buffers);
            let planned = |lanes| program.native_memory_bytes_with_checkpoints(lanes, 1);
            let lanes_and_scratch = bytes_of(program.working_len(3, 1));
            assert_eq!(planned(3) - lanes_and_scratch, 4 * len as u64, "{rule:?}");
        }
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
