//! The Transformers of Shallue et al. 2018: language models of the decoder of Vaswani et al. 2017,
//! "Attention Is All You Need", which see one sentence at a time.
//!
//! Normalisation stands before each sub-layer and behind the last, so that networks train without
//! warm-up; the table of the embedding is that of the logits too (sec. 3.4). `transformer_tiny` is none
//! of the paper's: a study of it takes hours on a processor, where one of theirs takes months.

use crate::model::{Layer, Model};

/// Dropout of embedded tokens and of each sub-layer's result (sec. 5.4).
const DROPOUT: f32 = 0.1;

/// Dimensions of one network.
struct Transformer {
    name: &'static str,
    n_blocks: usize,
    columns: usize,
    hidden: usize,
    heads: usize,
}

#[rustfmt::skip]
const TRANSFORMER: [Transformer; 5] = [
    Transformer { name: "transformer_base",               n_blocks: 6, columns:  512, hidden: 2048, heads:  8 },
    Transformer { name: "transformer_shallow",            n_blocks: 2, columns:  512, hidden: 2048, heads:  8 },
    Transformer { name: "transformer_narrow_and_shallow", n_blocks: 2, columns:  256, hidden: 1024, heads:  4 },
    Transformer { name: "transformer_tiny",               n_blocks: 2, columns:   64, hidden:  256, heads:  2 },
    Transformer { name: "transformer_wide",               n_blocks: 6, columns: 1024, hidden: 4096, heads: 16 },
];

pub(crate) fn models() -> Vec<Model> {
    TRANSFORMER.iter().map(Transformer::model).collect()
}

impl Transformer {
    fn model(&self) -> Model {
        let &Self { name, n_blocks, columns, hidden, heads } = self;
        let start = [
            Layer::Embedding { columns, is_scaled: true },
            Layer::Positions,
            Layer::Dropout { rate: DROPOUT },
        ];
        let block = [
            Layer::Attention { heads, dropout: DROPOUT },
            Layer::FeedForward { hidden, dropout: DROPOUT },
        ];
        let end = [Layer::LayerNorm, Layer::TiedLogits];
        let blocks = (0..n_blocks).flat_map(|_| block);
        Model::new(name, start.into_iter().chain(blocks).chain(end).collect())
    }
}
