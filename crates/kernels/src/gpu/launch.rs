//! What an op tells the GPU executor: which kernel, on which operands, with how many workgroups.
//!
//! A launch is made from the op's dimensions alone, so it can be tested without a GPU, and
//! nothing in it depends on the number of lanes: that is why a lane's bits do not either.

use super::gemm::Tiling;

/// One WGSL file with the entry point `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shader {
    /// Path of the file below `ops/`, also the label of its pipeline.
    pub(crate) name: &'static str,
    /// Contents of the file.
    pub(crate) source: &'static str,
}

/// An operand of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operand {
    /// An input of the op.
    Input(usize),
    /// An output of the op.
    Output(usize),
    /// Scratch of so many elements per lane, from one kernel of an op to its next.
    Workspace(usize),
}

/// What a kernel binds beside its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Lane states, to read.
    Lanes,
    /// Lane states, to change.
    LanesMut,
    /// One flag a lane: a weight is no longer finite.
    Faults,
    /// Bytes of a split, four to a word: the first binding ...
    Words(usize),
    /// ... and the second, with what goes beyond it.
    MoreWords(usize),
    /// Labels of a split.
    Labels(usize),
}

/// A flag that says whether the rows of an operand are whole vectors of four in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quads {
    /// Name of the pipeline constant.
    pub(crate) constant: &'static str,
    /// Operand, in the order of their bindings.
    pub(crate) operand: usize,
    /// Elements of one row.
    pub(crate) row_len: usize,
}

impl Quads {
    /// Elements of one vector.
    pub(crate) const LEN: usize = 4;
}

/// One kernel over all lanes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Launch {
    pub(crate) shader: Shader,
    /// What `#import "gemm"` means in it.
    pub(crate) tiling: Tiling,
    /// Pipeline-overridable constants.
    pub(crate) constants: Vec<(&'static str, f64)>,
    /// Flags among them that buffers decide; see [`Launch::quads`].
    pub(crate) quads: Vec<Quads>,
    pub(crate) reads: Vec<Operand>,
    pub(crate) writes: Vec<Operand>,
    pub(crate) resources: Vec<Resource>,
    /// Members of the kernel's `Params` after the operands' views.
    pub(crate) words: Vec<u32>,
    /// Workgroups per lane.
    pub(crate) n_workgroups: usize,
}

/// Threads of a workgroup of the elementwise kernels.
const ELEMENTWISE_THREADS: usize = 256;

impl Launch {
    /// A kernel that reads the lane states and has no operands yet.
    pub(crate) fn new(shader: Shader, n_workgroups: usize) -> Self {
        Self {
            shader,
            tiling: Tiling::Shared,
            constants: vec![],
            quads: vec![],
            reads: vec![],
            writes: vec![],
            resources: vec![Resource::Lanes],
            words: vec![],
            n_workgroups,
        }
    }

    /// A kernel with a thread per element, whose first word is the number of elements.
    pub(crate) fn per_element(shader: Shader, len: usize) -> Self {
        Self::new(shader, len.div_ceil(ELEMENTWISE_THREADS)).words([word(len)])
    }

    /// Such a kernel that reads the op's first `n_inputs` inputs and writes its first output.
    pub(crate) fn elementwise(shader: Shader, n_inputs: usize, len: usize) -> Self {
        Self::per_element(shader, len)
            .reads((0..n_inputs).map(Operand::Input))
            .writes([Operand::Output(0)])
    }

    /// A kernel with some threads for each of `rows` rows of `row_len` elements, whose first word is the
    /// number of rows, and which reads the op's first `n_inputs` inputs and writes its first output.
    pub(crate) fn per_row(shader: Shader, n_inputs: usize, [rows, row_len]: [usize; 2]) -> Self {
        let threads = threads_per_row(row_len);
        Self::new(shader, (rows * threads).div_ceil(ELEMENTWISE_THREADS))
            .constants([("THREADS_PER_ROW", constant(threads))])
            .words([word(rows)])
            .reads((0..n_inputs).map(Operand::Input))
            .writes([Operand::Output(0)])
    }

    /// The kernel of a product.
    pub(crate) fn tiling(mut self, tiling: Tiling) -> Self {
        self.tiling = tiling;
        self
    }

    /// Adds a flag: whether the rows, `row_len` long, of an operand are whole vectors. The
    /// operand's place in its buffer decides with the length, so lowering sets it.
    pub(crate) fn quads(mut self, constant: &'static str, operand: usize, row_len: usize) -> Self {
        self.quads.push(Quads { constant, operand, row_len });
        self
    }

    pub(crate) fn reads(mut self, reads: impl IntoIterator<Item = Operand>) -> Self {
        self.reads.extend(reads);
        self
    }

    pub(crate) fn writes(mut self, writes: impl IntoIterator<Item = Operand>) -> Self {
        self.writes.extend(writes);
        self
    }

    pub(crate) fn words(mut self, words: impl IntoIterator<Item = u32>) -> Self {
        self.words.extend(words);
        self
    }

    pub(crate) fn resources(mut self, resources: impl IntoIterator<Item = Resource>) -> Self {
        self.resources.extend(resources);
        self
    }

    pub(crate) fn constants(
        mut self,
        constants: impl IntoIterator<Item = (&'static str, f64)>,
    ) -> Self {
        self.constants.extend(constants);
        self
    }

    /// All operands in the order of their bindings.
    pub(crate) fn operands(&self) -> impl Iterator<Item = Operand> {
        self.reads.iter().chain(&self.writes).copied()
    }
}

/// Threads for a row: a power of two up to a workgroup, so that each has some dozens of elements.
fn threads_per_row(row_len: usize) -> usize {
    const ELEMENTS_PER_THREAD: usize = 32;
    (row_len / ELEMENTS_PER_THREAD).max(1).next_power_of_two().min(ELEMENTWISE_THREADS)
}

/// A length as a word of `Params`.
pub(crate) fn word(value: usize) -> u32 {
    u32::try_from(value).expect("plans refuse tensors that 32-bit indices do not reach")
}

/// A flag as a pipeline constant.
pub(crate) fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

/// A length as a pipeline constant.
pub(crate) fn constant(value: usize) -> f64 {
    f64::from(word(value))
}
