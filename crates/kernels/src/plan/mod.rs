//! The plan: what runs. A flat list of dispatches over buffers that are sized before the first
//! step.
//!
//! `graph -> needed nodes in order -> fused dispatches (fuse.rs) -> buffers by liveness
//! (memory.rs)`. The [`Display`](std::fmt::Display) of a plan is exactly what the executors run.

mod fuse;
mod memory;
mod updates;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::executor::Split;
use crate::graph::{Graph, Node, Statistic};
use crate::ops::Op;
use crate::ops::advance::{Advance, Record};
use crate::ops::batch_norm::RunningMoments;
use crate::ops::gather::Sampling;
use crate::ops::update::UpdateRule;

pub(crate) use fuse::Fused;

/// Storage with a lane axis in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Buffer {
    /// All parameters, in order of declaration.
    Parameters,
    /// Velocity of each parameter.
    Velocity,
    /// Mean of the squared gradients of each parameter.
    SecondMoment,
    /// Gradients that are stored until the end of a training step: those that no product turns
    /// into an update at once.
    Gradients,
    /// Rows that an evaluation plan records.
    Records,
    /// A value that the caller may read after the run, or a running sum.
    Kept(usize),
    /// Scratch, reused by values whose lives do not overlap.
    Slot(usize),
}

/// A part of a buffer, per lane, in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) buffer: Buffer,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// One kernel over all lanes.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(crate) op: Op,
    pub(crate) inputs: Vec<View>,
    pub(crate) outputs: Vec<View>,
}

impl Dispatch {
    /// Whether an output lies in the same buffer.
    pub(crate) fn writes_to(&self, view: &View) -> bool {
        self.outputs.iter().any(|output| output.buffer == view.buffer)
    }

    /// As [`Plan::bytes`], of one dispatch.
    fn bytes(&self) -> u64 {
        let read: usize = self.inputs.iter().map(|view| view.len).sum();
        let written: usize = self.outputs.iter().map(|view| view.len).sum();
        let (in_place, data) = match &self.op {
            Op::Update(_) | Op::Accumulate { .. } | Op::RunningMoments(_) => (written, 0),
            Op::GatherImages(gather) => (0, gather.batch * gather.example_len),
            Op::GatherLabels(gather) => (0, gather.batch * size_of::<u32>()),
            Op::GatherTokens(tokens) => (0, tokens.gather.batch * 2 * tokens.length),
            _ => (0, 0),
        };
        ((read + written + in_place) * size_of::<f32>() + data) as u64
    }
}

/// A flat list of dispatches with the buffers that they use.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) dispatches: Vec<Dispatch>,
    /// Elements per lane of each scratch slot.
    pub(crate) slots: Vec<usize>,
    /// Elements per lane of each kept value and running sum.
    pub(crate) kept: Vec<usize>,
    /// Elements per lane of the gradients that are stored.
    pub(crate) gradients_len: usize,
    /// Where the readable values are.
    pub(crate) readable: HashMap<Node, View>,
    /// Values per recorded row and number of rows.
    pub(crate) records: (usize, usize),
    parameters: Vec<(String, String)>,
    n_parameters: usize,
}

/// What a plan is made for, beside computing the values it keeps.
enum Ending {
    Nothing,
    Train { loss: Node, gradients: Vec<Node>, rule: UpdateRule },
    Evaluate { values: Vec<Node>, rows: usize },
}

impl Plan {
    /// Computes the given values and keeps them for reading.
    ///
    /// # Errors
    /// If a tensor is too large.
    pub fn forward(graph: &Graph, keep: &[Node]) -> Result<Self, Error> {
        Self::build(graph, keep, Ending::Nothing)
    }

    /// One training step: forward, backward, update of all parameters, step counter.
    ///
    /// The lane's place in its data moves on by the batch of the graph's shuffled gather.
    ///
    /// # Errors
    /// As [`Graph::gradients`].
    pub fn training(
        mut graph: Graph,
        loss: Node,
        rule: UpdateRule,
        keep: &[Node],
    ) -> Result<Self, Error> {
        let nodes: Vec<Node> = graph.trained_parameters().map(|parameter| parameter.node).collect();
        let gradients = graph.gradients(loss, &nodes)?;
        let gradients = graph.unshare(gradients)?;
        Self::training_with(&graph, loss, gradients, rule, keep)
    }

    /// As [`Plan::training`], of gradients that have nodes of their own.
    pub(crate) fn training_with(
        graph: &Graph,
        loss: Node,
        gradients: Vec<Node>,
        rule: UpdateRule,
        keep: &[Node],
    ) -> Result<Self, Error> {
        Self::build(graph, keep, Ending::Train { loss, gradients, rule })
    }

    /// A training step on a batch in parts, for batches that do not fit into memory whole: a plan of which
    /// each iteration adds the gradients, the loss and the moments of one part to those of the parts
    /// before, and one that updates by the sums, as [`Plan::training`] does.
    ///
    /// Run the first `n_parts` times in one call, then the second once. The graph gathers by
    /// [`Sampling::Parts`](crate::Sampling::Parts), and `loss` is a part's share of the batch's loss.
    ///
    /// # Errors
    /// As [`Plan::training`].
    pub fn training_in_parts(
        mut graph: Graph,
        loss: Node,
        rule: UpdateRule,
        n_parts: usize,
    ) -> Result<[Self; 2], Error> {
        let nodes: Vec<Node> = graph.trained_parameters().map(|parameter| parameter.node).collect();
        let n_gradients = nodes.len();
        let mut parts = graph.gradients(loss, &nodes)?;
        parts.extend(graph.statistics().iter().map(|statistic| statistic.moments));
        parts.push(loss);
        let sums = parts.into_iter().map(|part| graph.accumulate(part));
        let sums = sums.collect::<Result<Vec<_>, _>>()?;
        let mut end = 0;
        let stored: Vec<(Node, usize)> = sums
            .iter()
            .map(|&sum| {
                let start = end;
                end += graph.shape(sum).len();
                (sum, start)
            })
            .collect();
        let mut adding = fuse::fuse(&graph, &sums);
        // Added as soon as it is made, a gradient takes memory no longer.
        adding.sort_by_key(|dispatch| match dispatch.op {
            Op::Accumulate { .. } => dispatch.inputs.first().map(|&part| graph.storage(part)),
            _ => dispatch.output,
        });
        let (batch, n_examples) = adding.iter().find_map(in_parts).unwrap_or((0, 0));
        let advance = |training| Op::Advance(Advance { training, batch, n_examples });
        adding.push(Fused::effect(advance(false), &[]));
        let updates = updates::plan_updates(&graph, &mut [], &sums[..n_gradients], &[], rule);
        let follow = |(statistic, &sum): (&Statistic, &Node)| {
            let op = RunningMoments { n_parts, ..statistic.op };
            Fused::effect(Op::RunningMoments(op), &[sum])
        };
        let statistics = graph.statistics().iter().zip(&sums[n_gradients..]).map(follow);
        let updates =
            updates.at_end.into_iter().map(|update| Fused::effect(Op::Update(update), &[]));
        let end = Fused::effect(advance(true), &sums[sums.len() - 1..]);
        let updating: Vec<Fused> = updates.chain(statistics).chain([end]).collect();
        Ok([
            Self::assemble(&graph, adding, &[], &stored, (0, 0))?,
            Self::assemble(&graph, updating, &[], &stored, (0, 0))?,
        ])
    }

    /// One chunk of an evaluation: records the elements of the given values, one after another, in row
    /// `cursor` of at most `rows`.
    ///
    /// # Errors
    /// If a tensor is too large.
    pub fn evaluation(graph: &Graph, values: &[Node], rows: usize) -> Result<Self, Error> {
        Self::build(graph, &[], Ending::Evaluate { values: values.to_vec(), rows })
    }

    fn build(graph: &Graph, keep: &[Node], ending: Ending) -> Result<Self, Error> {
        let mut targets = keep.to_vec();
        match &ending {
            Ending::Nothing => {}
            Ending::Train { loss, gradients, .. } => {
                targets.push(*loss);
                targets.extend(gradients);
                targets.extend(graph.statistics().iter().map(|statistic| statistic.moments));
            }
            Ending::Evaluate { values, .. } => targets.extend(values),
        }
        let mut fused = fuse::fuse(graph, &targets);
        if matches!(ending, Ending::Evaluate { .. }) {
            fuse::without_backward(&mut fused);
        }
        let advance = |training| Op::Advance(Advance::new(&fused, training));
        let mut stored = vec![];
        let (records, tail) = match ending {
            Ending::Nothing => ((0, 0), vec![]),
            Ending::Train { loss, gradients: nodes, rule } => {
                let tail_end = Fused::effect(advance(true), &[loss]);
                let updates = updates::plan_updates(graph, &mut fused, &nodes, keep, rule);
                let places = nodes.into_iter().zip(updates.gradient_offsets);
                stored = places.filter_map(|(node, offset)| Some((node, offset?))).collect();
                let update = |update| Fused::effect(Op::Update(update), &[]);
                let follow = |statistic: &Statistic| {
                    Fused::effect(Op::RunningMoments(statistic.op), &[statistic.moments])
                };
                let statistics = graph.statistics().iter().map(follow);
                let updates = updates.at_end.into_iter().map(update);
                ((0, 0), updates.chain(statistics).chain([tail_end]).collect())
            }
            Ending::Evaluate { values, rows } => {
                let lens = values.iter().map(|&value| graph.shape(value).len()).collect();
                let record = Record { lens, rows };
                let row_len = record.row_len();
                let record = Fused::effect(Op::Record(record), &values);
                ((row_len, rows), vec![record, Fused::effect(advance(false), &[])])
            }
        };
        fused.extend(tail);
        Self::assemble(graph, fused, keep, &stored, records)
    }

    fn assemble(
        graph: &Graph,
        fused: Vec<Fused>,
        keep: &[Node],
        stored: &[(Node, usize)],
        records: (usize, usize),
    ) -> Result<Self, Error> {
        let memory = memory::Memory::assign(graph, &fused, keep, stored)?;
        let dispatches = fused.into_iter().map(|dispatch| memory.place(graph, dispatch)).collect();
        let parameters = graph
            .parameters()
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.shape.to_string()))
            .collect();
        Ok(Self {
            dispatches,
            readable: memory.readable(graph, keep, stored),
            slots: memory.slots,
            kept: memory.kept,
            gradients_len: memory.gradients_len,
            records,
            parameters,
            n_parameters: graph.n_parameters(),
        })
    }

    /// Number of parameter elements per lane.
    pub fn n_parameters(&self) -> usize {
        self.n_parameters
    }

    /// Number of dispatches per iteration.
    pub fn n_dispatches(&self) -> usize {
        self.dispatches.len()
    }

    /// Floating-point operations per lane and iteration: products and convolutions, a
    /// multiply-add counted as two.
    pub fn flops(&self) -> u64 {
        self.dispatches.iter().map(|dispatch| dispatch.op.flops()).sum()
    }

    /// Bytes per lane and iteration, in f32: every operand of every dispatch read or written once,
    /// and what is changed in place both. Less cannot be moved without caches; with them it can.
    pub fn bytes(&self) -> u64 {
        self.dispatches.iter().map(Dispatch::bytes).sum()
    }

    /// Elements of scratch per lane (or, on the native executor, per worker).
    pub fn scratch_len(&self) -> usize {
        self.slots.iter().sum()
    }

    /// Bytes that one lane takes alone, in f32: parameters, velocities, stored gradients, kept values,
    /// records and scratch.
    pub fn lane_bytes(&self) -> u64 {
        let len = 2 * self.n_parameters + self.gradients_len + self.outputs_len();
        4 * (len + self.scratch_len()) as u64
    }

    /// Elements per lane of what outlives a run: kept values, running sums, records.
    pub(crate) fn outputs_len(&self) -> usize {
        self.kept.iter().sum::<usize>() + self.records.0 * self.records.1
    }

    pub(crate) fn layout(&self) -> String {
        let entries: Vec<String> =
            self.parameters.iter().map(|(name, shape)| format!("{name} {shape}")).collect();
        entries.join(", ")
    }

    pub(crate) fn view_of(&self, node: Node) -> Result<View, Error> {
        self.readable.get(&node).copied().ok_or_else(|| Error::Call {
            call: "read",
            got: format!("{node:?}"),
            expected: "a value that the plan keeps".to_owned(),
        })
    }

    pub(crate) fn check_splits(&self, splits: &[Arc<Split>]) -> Result<(), Error> {
        for dispatch in &self.dispatches {
            match &dispatch.op {
                Op::GatherImages(gather) => gather.check(splits, true)?,
                Op::GatherTokens(tokens) => tokens.gather.check(splits, true)?,
                Op::GatherLabels(gather) => gather.check(splits, false)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Examples of a whole batch and of the split, if the dispatch gathers a part.
fn in_parts(dispatch: &Fused) -> Option<(usize, usize)> {
    let source = match &dispatch.op {
        Op::GatherImages(gather) | Op::GatherLabels(gather) => gather.source,
        Op::GatherTokens(tokens) => tokens.gather.source,
        _ => return None,
    };
    match source.sampling {
        Sampling::Parts { batch } => Some((batch, source.n_examples)),
        _ => None,
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = 4 * self.scratch_len();
        writeln!(
            formatter,
            "{} dispatches, {} FLOP, {} scratch bytes in {} slots (per lane)",
            self.dispatches.len(),
            self.flops(),
            bytes,
            self.slots.len()
        )?;
        for dispatch in &self.dispatches {
            let views = |views: &[View]| -> String {
                let list: Vec<String> = views.iter().map(ToString::to_string).collect();
                list.join(" ")
            };
            let (inputs, outputs) = (views(&dispatch.inputs), views(&dispatch.outputs));
            writeln!(formatter, "  {:?}: {inputs} -> {outputs}", dispatch.op)?;
        }
        Ok(())
    }
}

impl fmt::Display for View {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = (self.offset, self.offset + self.len);
        write!(formatter, "{:?}[{start}..{end}]", self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Initialiser;
    use crate::ops::gather::{Pixels, Sampling, Source};

    #[test]
    fn bytes_count_every_operand_once_and_changes_in_place_twice() {
        let mut graph = Graph::new();
        let weights = graph.parameter("weights", &[100], Initialiser::Zeros).unwrap();
        let y = graph.relu(weights).unwrap();
        let forward = Plan::forward(&graph, &[y]).unwrap();
        assert_eq!(forward.bytes(), 4 * (100 + 100));

        let loss = graph.squared_norm(weights).unwrap();
        let training = Plan::training(graph, loss, UpdateRule::NesterovMomentum, &[]).unwrap();
        // The norm; the seed of its gradient; the gradient; the update; the loss at the end.
        let expected = (100 + 1) + 1 + (100 + 1 + 100) + (100 + 2 * 200) + 1;
        assert_eq!(training.bytes(), 4 * expected, "{training}");
    }

    #[test]
    fn bytes_of_a_gather_are_those_of_the_examples_and_of_the_batch() {
        let mut graph = Graph::new();
        let source = Source { split: 0, n_examples: 50, sampling: Sampling::Shuffled };
        let images =
            graph.gather_images(source, 8, &[4, 4, 1], Pixels::resident(1.0, 0.0)).unwrap();
        let labels = graph.gather_labels(source, 8).unwrap();
        let plan = Plan::forward(&graph, &[images, labels]).unwrap();
        assert_eq!(plan.bytes(), 8 * 16 * (1 + 4) + 8 * (4 + 4));
    }
}
