//! Tokens of a batch: sentences, whose next tokens are the labels.

use super::{Gather, Source, WHOLE, check_batch};
use crate::cpu::CpuContext;
use crate::error::Error;
use crate::gpu::launch::{Launch, Resource, Shader, word};
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::real::Real;

const TOKENS: Shader = Shader { name: "gather/tokens", source: include_str!("tokens.wgsl") };

/// What fills a sentence up to the length of the examples.
pub(crate) const PADDING: u16 = u16::MAX;

/// Bytes of a token.
const TOKEN_BYTES: usize = size_of::<u16>();

/// Dimensions of a gather of tokens `first .. first + length` of each example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GatherTokens {
    pub(crate) gather: Gather,
    pub(crate) first: usize,
    pub(crate) length: usize,
}

impl Graph {
    /// Neighbouring tokens of each example of the next batch: those from 0 on are a language model's
    /// input, those from 1 on its labels.
    ///
    /// # Equation
    /// `y[n, t] = tokens[example(n), first + t]`; -1 for padding (65535) and past the end of a
    /// sequential pass.
    ///
    /// # Shapes
    /// Examples are `example_len` tokens of 16 bits, little-endian; `y: [batch, length]`.
    ///
    /// # Errors
    /// As [`Graph::gather_images`], or if the examples are shorter than `first + length`.
    pub fn gather_tokens(
        &mut self,
        source: Source,
        batch: usize,
        example_len: usize,
        [first, length]: [usize; 2],
    ) -> Result<Node, Error> {
        check_batch("gather_tokens", source, batch)?;
        let example_bytes = TOKEN_BYTES * example_len;
        let gather = Gather { source, batch, example_len: example_bytes, pixels: WHOLE };
        let op = GatherTokens { gather, first, length };
        if length == 0 || first + length > example_len {
            #[expect(clippy::cast_precision_loss, reason = "for a message")]
            let value = (first + length) as f64;
            let needs = "it must be at least 1 and at most the tokens of an example";
            return Err(Error::Attribute { op: "gather_tokens", name: "end", value, needs });
        }
        Ok(self.push(Op::GatherTokens(op), &[], [batch, length].into()))
    }
}

impl GatherTokens {
    pub(crate) fn cpu<T: Real>(&self, context: &CpuContext<'_, T>, y: &mut [T]) {
        let split = &context.splits[self.gather.source.split];
        for (n, y) in y.chunks_exact_mut(self.length).enumerate() {
            let Some(index) = self.gather.example(&context.lane, n) else {
                y.fill(-T::one());
                continue;
            };
            let start = index * self.gather.example_len + TOKEN_BYTES * self.first;
            let bytes = &split.bytes()[start..start + TOKEN_BYTES * self.length];
            for (y, &token) in y.iter_mut().zip(bytes.as_chunks::<TOKEN_BYTES>().0) {
                let token = u16::from_le_bytes(token);
                *y = if token == PADDING { -T::one() } else { T::of(f64::from(token)) };
            }
        }
    }

    pub(crate) fn launch(&self) -> Launch {
        let Gather { source, batch, example_len, .. } = self.gather;
        Launch::elementwise(TOKENS, 0, batch * self.length)
            .constants(self.gather.constants())
            .resources([Resource::Words(source.split), Resource::MoreWords(source.split)])
            .words([word(source.n_examples), word(batch), word(example_len / TOKEN_BYTES)])
            .words([word(self.first), word(self.length)])
    }
}
