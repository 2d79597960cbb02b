//! Where values live: parameters and gradients side by side, kept values and running sums apart,
//! all else in scratch slots that are reused as soon as a value has been read for the last time.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::{Buffer, Dispatch, Fused, View};
use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::ops::sum::Broadcast;
use crate::ops::update::Update;

/// Elements of one buffer per lane that 32-bit indices reach.
const MAX_LEN: usize = u32::MAX as usize;

/// The buffer of every stored node of a plan.
pub(crate) struct Memory {
    views: HashMap<Node, View>,
    /// Elements per lane of each scratch slot.
    pub(crate) slots: Vec<usize>,
    /// Elements per lane of each kept value and running sum.
    pub(crate) kept: Vec<usize>,
    /// Elements per lane of the gradients that are stored.
    pub(crate) gradients_len: usize,
}

impl Graph {
    /// Gives each gradient a node of its own: one that stands for two parameters, or is itself a
    /// parameter, is copied, because gradients lie side by side in one buffer.
    pub(crate) fn unshare(&mut self, gradients: Vec<Node>) -> Result<Vec<Node>, Error> {
        let mut taken: Vec<Node> = Vec::new();
        for mut node in gradients {
            let storage = self.storage(node);
            let is_parameter = matches!(self.info(storage).op, Op::Parameter(_));
            if is_parameter || taken.iter().any(|&other| self.storage(other) == storage) {
                let shape = self.shape(node).clone();
                let len = shape.len();
                let copy = Op::Broadcast(Broadcast { n_in: len, n_out: len, scale: 1.0 });
                node = self.push(copy, &[node], shape);
            }
            taken.push(node);
        }
        Ok(taken)
    }
}

impl Memory {
    /// Assigns buffers to the outputs of `dispatches`; `stored` are gradients, and what is with them, at
    /// their offsets.
    pub(crate) fn assign(
        graph: &Graph,
        dispatches: &[Fused],
        keep: &[Node],
        stored: &[(Node, usize)],
    ) -> Result<Self, Error> {
        let mut memory =
            Self { views: HashMap::new(), slots: vec![], kept: vec![], gradients_len: 0 };
        for parameter in graph.parameters() {
            let (offset, len) = (parameter.offset, parameter.shape.len());
            let view = View { buffer: Buffer::Parameters, offset, len };
            memory.views.insert(parameter.node, view);
        }
        for &(node, offset) in stored {
            let len = graph.shape(node).len();
            let view = View { buffer: Buffer::Gradients, offset, len };
            memory.views.insert(graph.storage(node), view);
            memory.gradients_len = offset + len;
        }
        // A running sum lives from one iteration to the next, as a kept value does.
        let is_sum = |dispatch: &&Fused| matches!(dispatch.op, Op::Accumulate { .. });
        let sums = dispatches.iter().filter(is_sum).filter_map(|dispatch| dispatch.output);
        for node in keep.iter().copied().chain(sums) {
            let storage = graph.storage(node);
            if !memory.views.contains_key(&storage) {
                let len = graph.shape(storage).len();
                let buffer = Buffer::Kept(memory.kept.len());
                memory.kept.push(len);
                memory.views.insert(storage, View { buffer, offset: 0, len });
            }
        }
        memory.assign_slots(graph, dispatches);
        let largest = memory.slots.iter().chain(&memory.kept).copied().max().unwrap_or(0);
        let largest = largest.max(graph.n_parameters());
        if largest > MAX_LEN {
            return Err(Error::TooLarge {
                what: "the largest tensor of the plan".to_owned(),
                needed_bytes: 4 * largest as u64,
                limit: "32-bit indices reach 17179869180 bytes".to_owned(),
            });
        }
        Ok(memory)
    }

    /// Scratch by liveness, the largest value first: each goes into the tightest slot whose values are
    /// read for the last time before it is made, or made after it is.
    ///
    /// # Source
    ///
    /// "Greedy by size" for shared objects of Pisarchyk and Lee 2020, "Efficient Memory Management for
    /// Deep Neural Net Inference".
    fn assign_slots(&mut self, graph: &Graph, dispatches: &[Fused]) {
        let mut lives: HashMap<Node, RangeInclusive<usize>> = HashMap::new();
        for (position, dispatch) in dispatches.iter().enumerate() {
            for &node in dispatch.inputs.iter().chain(&dispatch.output) {
                let life = lives.entry(graph.storage(node)).or_insert(position..=position);
                *life = *life.start()..=position;
            }
        }
        let made = dispatches.iter().filter_map(|dispatch| dispatch.output);
        let mut values: Vec<Node> = made.filter(|node| !self.views.contains_key(node)).collect();
        values.sort_by_key(|&node| Reverse(graph.shape(node).len()));
        let mut taken: Vec<Vec<RangeInclusive<usize>>> = vec![];
        for node in values {
            let (life, len) = (lives[&node].clone(), graph.shape(node).len());
            let is_free = |lives: &Vec<RangeInclusive<usize>>| {
                lives.iter().all(|other| other.end() < life.start() || life.end() < other.start())
            };
            // Later slots are tighter.
            let slot = taken.iter().rposition(is_free).unwrap_or_else(|| {
                taken.push(vec![]);
                self.slots.push(len);
                taken.len() - 1
            });
            taken[slot].push(life);
            self.views.insert(node, View { buffer: Buffer::Slot(slot), offset: 0, len });
        }
    }

    /// Puts buffers in the place of nodes.
    pub(crate) fn place(&self, graph: &Graph, dispatch: Fused) -> Dispatch {
        let view = |node: Node| self.views[&graph.storage(node)];
        let mut inputs: Vec<View> = dispatch.inputs.iter().map(|&node| view(node)).collect();
        let outputs = match &dispatch.op {
            Op::Update(update) => {
                let (offset, len) = (update.gradient_offset, update.len);
                inputs = vec![View { buffer: Buffer::Gradients, offset, len }];
                updated(update)
            }
            Op::MatmulUpdate(op) => updated(&op.update),
            Op::RunningMoments(op) => {
                let (offset, len) = (op.offset, op.len);
                vec![View { buffer: Buffer::Parameters, offset, len }]
            }
            Op::Record(record) => {
                vec![View {
                    buffer: Buffer::Records,
                    offset: 0,
                    len: record.row_len() * record.rows,
                }]
            }
            _ => dispatch.output.iter().map(|&node| view(node)).collect(),
        };
        Dispatch { op: dispatch.op, inputs, outputs }
    }

    /// Where the values are that outlive a run.
    pub(crate) fn readable(
        &self,
        graph: &Graph,
        keep: &[Node],
        stored: &[(Node, usize)],
    ) -> HashMap<Node, View> {
        let parameters = graph.parameters().iter().map(|parameter| parameter.node);
        keep.iter()
            .copied()
            .chain(stored.iter().map(|&(node, _)| node))
            .chain(parameters)
            .map(|node| (node, self.views[&graph.storage(node)]))
            .collect()
    }
}

/// What an update changes: parameters and, where the rule has any, velocities and mean squares.
fn updated(update: &Update) -> Vec<View> {
    let view = |buffer| View { buffer, offset: update.offset, len: update.len };
    let velocity = update.rule.has_velocity().then(|| view(Buffer::Velocity));
    let squares = update.rule.has_second_moment().then(|| view(Buffer::SecondMoment));
    [view(Buffer::Parameters)].into_iter().chain(velocity).chain(squares).collect()
}
