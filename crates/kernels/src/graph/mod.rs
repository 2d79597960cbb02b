//! The graph: ops over per-lane tensors, built once by a model, shapes checked at every call.
//!
//! The methods that add an op (`matmul`, `conv2d`, ...) stand in the op's own folder under
//! `ops/`; here are the nodes, the parameters and the errors that ops share.

mod grad;

use std::collections::HashSet;

use crate::error::Error;
use crate::ops::Op;
use crate::ops::batch_norm::RunningMoments;
use crate::shape::Shape;

/// A value of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(pub(crate) usize);

/// How the elements of a parameter start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initialiser {
    /// All zero.
    Zeros,
    /// All one.
    Ones,
    /// Zeros in the first half, ones in the second: the mean and variance of a standard normal.
    StandardMoments,
    /// Sines and cosines of the row's index t, in turn:
    /// `sin(t / 10000^(2 i / C))` in column 2 i and the cosine of the same in column 2 i + 1, of C
    /// columns (Vaswani et al. 2017, sec. 3.5).
    Sinusoids {
        /// Number of columns.
        columns: usize,
    },
    /// Normal with variance `1 / fan_in`, cut at two standard deviations.
    LecunNormal {
        /// Number of inputs that one output sums over.
        fan_in: usize,
    },
}

/// A tensor that training changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Name, unique in the graph.
    pub name: String,
    /// Shape per lane.
    pub shape: Shape,
    /// How its elements start.
    pub initialiser: Initialiser,
    /// Its value in the graph.
    pub node: Node,
    /// Place of its first element among all parameters.
    pub offset: usize,
    /// Whether gradients change it, or (statistics) training by other means.
    pub is_trained: bool,
}

/// A parameter that follows a value of the training graph instead of a gradient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statistic {
    /// What it follows.
    pub(crate) moments: Node,
    /// How.
    pub(crate) op: RunningMoments,
}

/// One op with its operands and the shape of its result.
#[derive(Debug, Clone)]
pub(crate) struct NodeInfo {
    pub(crate) op: Op,
    pub(crate) inputs: Vec<Node>,
    pub(crate) shape: Shape,
}

/// A static computation over per-lane tensors.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<NodeInfo>,
    parameters: Vec<Parameter>,
    statistics: Vec<Statistic>,
    names: HashSet<String>,
    checkpoints: Vec<Node>,
    /// Whether gradients compute again what lies between checkpoints.
    recomputes: bool,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares a parameter. Parameters lie in one buffer in the order of declaration.
    ///
    /// # Errors
    /// If the name is taken or the shape holds nothing.
    pub fn parameter(
        &mut self,
        name: &str,
        shape: &[usize],
        initialiser: Initialiser,
    ) -> Result<Node, Error> {
        self.declare(name, shape, initialiser, true)
    }

    /// Declares a parameter that no gradient changes.
    ///
    /// # Errors
    /// As [`Graph::parameter`].
    pub(crate) fn statistic(
        &mut self,
        name: &str,
        shape: &[usize],
        initialiser: Initialiser,
    ) -> Result<Node, Error> {
        self.declare(name, shape, initialiser, false)
    }

    fn declare(
        &mut self,
        name: &str,
        shape: &[usize],
        initialiser: Initialiser,
        is_trained: bool,
    ) -> Result<Node, Error> {
        let shape = Shape::from(shape);
        if shape.is_empty() {
            let needs = "every axis must be at least 1".to_owned();
            return Err(Error::Operand { op: "parameter", got: shape, needs });
        }
        if !self.names.insert(name.to_owned()) {
            return Err(Error::DuplicateParameter(name.to_owned()));
        }
        let offset = self.n_parameters();
        let node = self.push(Op::Parameter(self.parameters.len()), &[], shape.clone());
        let name = name.to_owned();
        self.parameters.push(Parameter { name, shape, initialiser, node, offset, is_trained });
        Ok(node)
    }

    /// Lets a statistic follow a value whenever the graph trains.
    pub(crate) fn follow(&mut self, moments: Node, op: RunningMoments) {
        self.statistics.push(Statistic { moments, op });
    }

    /// Marks a value that stays in memory for the backward pass, whatever is computed again.
    pub fn checkpoint(&mut self, node: Node) {
        self.checkpoints.push(node);
    }

    /// Has [`Graph::gradients`] compute the values between checkpoints again, up to the last one, instead of
    /// keeping them: about one more forward pass for the memory of all segments but the largest. No bit
    /// of a gradient changes. Without checkpoints nothing does.
    pub fn recompute_activations(&mut self) {
        self.recomputes = true;
    }

    /// What statistics follow.
    pub(crate) fn statistics(&self) -> &[Statistic] {
        &self.statistics
    }

    /// The parameters that gradients change, in the order of declaration.
    pub fn trained_parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.is_trained)
    }

    /// The parameters, in the order of declaration.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Number of parameter elements per lane.
    pub fn n_parameters(&self) -> usize {
        self.parameters.last().map_or(0, |last| last.offset + last.shape.len())
    }

    /// Shape of a value.
    pub fn shape(&self, node: Node) -> &Shape {
        &self.nodes[node.0].shape
    }

    pub(crate) fn info(&self, node: Node) -> &NodeInfo {
        &self.nodes[node.0]
    }

    pub(crate) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn push(&mut self, op: Op, inputs: &[Node], shape: Shape) -> Node {
        self.nodes.push(NodeInfo { op, inputs: inputs.to_vec(), shape });
        Node(self.nodes.len() - 1)
    }

    /// The node whose storage holds this value: reshapes are views.
    pub(crate) fn storage(&self, node: Node) -> Node {
        let info = self.info(node);
        match info.op {
            Op::Reshape => self.storage(info.inputs[0]),
            _ => node,
        }
    }

    pub(crate) fn operand_error(&self, op: &'static str, node: Node, needs: &str) -> Error {
        Error::Operand { op, got: self.shape(node).clone(), needs: needs.to_owned() }
    }

    pub(crate) fn shapes_error(
        &self,
        op: &'static str,
        problem: &'static str,
        (lhs, rhs): (Node, Node),
        advice: String,
    ) -> Error {
        let (lhs, rhs) = (self.shape(lhs).clone(), self.shape(rhs).clone());
        Error::Shapes { op, problem, lhs, rhs, advice }
    }
}
