//! Layers of language models: from tokens `[N, T]` over `[N, T, C]` to logits `[N T, K]`.

use critbatch_kernels::{Error, Initialiser, Node};

use crate::model::Builder;

impl Builder<'_> {
    /// The table of the vocabulary, a row for each token.
    pub(crate) fn embedding(
        &mut self,
        tokens: Node,
        columns: usize,
        is_scaled: bool,
        vocabulary: usize,
    ) -> Result<Node, Error> {
        let lecun = Initialiser::LecunNormal { fan_in: columns };
        let table = self.graph.parameter("embedding/table", &[vocabulary, columns], lecun)?;
        self.table = Some(table);
        #[expect(clippy::cast_precision_loss, reason = "columns are far below 2^23")]
        let scale = if is_scaled { (columns as f32).sqrt() } else { 1.0 };
        self.graph.embedding(table, tokens, scale)
    }

    /// `x + dropout(attention(norm(x) W) V)`.
    pub(crate) fn attention(&mut self, x: Node, heads: usize, rate: f32) -> Result<Node, Error> {
        self.n_attentions += 1;
        let name = format!("attention{}", self.n_attentions);
        let columns = self.columns(x);
        let y = self.layer_norm(x)?;
        let qkv = self.product(y, &format!("{name}/qkv"), 3 * columns, false)?;
        let y = self.graph.causal_attention(qkv, heads)?;
        let y = self.product(y, &format!("{name}/output"), columns, false)?;
        let y = self.dropout(y, rate)?;
        self.graph.add(x, y)
    }

    /// `x + dropout(relu(norm(x) W + a) V + b)`.
    pub(crate) fn feed_forward(
        &mut self,
        x: Node,
        hidden: usize,
        rate: f32,
    ) -> Result<Node, Error> {
        self.n_feed_forwards += 1;
        let name = format!("feed_forward{}", self.n_feed_forwards);
        let columns = self.columns(x);
        let y = self.layer_norm(x)?;
        let y = self.product(y, &format!("{name}/hidden"), hidden, true)?;
        let y = self.graph.relu(y)?;
        let y = self.product(y, &format!("{name}/output"), columns, true)?;
        let y = self.dropout(y, rate)?;
        self.graph.add(x, y)
    }

    pub(crate) fn layer_norm(&mut self, x: Node) -> Result<Node, Error> {
        self.n_norms += 1;
        self.graph.layer_norm(x, &format!("norm{}", self.n_norms))
    }

    /// Long short-term memory on a product with bias.
    pub(crate) fn lstm(&mut self, x: Node, units: usize, outputs: usize) -> Result<Node, Error> {
        self.n_lstms += 1;
        let name = format!("lstm{}", self.n_lstms);
        let gates = self.product(x, &format!("{name}/input"), 4 * units, true)?;
        let mut kernel = |name: String, [inputs, columns]: [usize; 2]| {
            let lecun = Initialiser::LecunNormal { fan_in: inputs };
            self.graph.parameter(&name, &[inputs, columns], lecun)
        };
        let recurrent = kernel(format!("{name}/recurrent/kernel"), [outputs, 4 * units])?;
        let projection = kernel(format!("{name}/projection/kernel"), [units, outputs])?;
        self.graph.lstm(gates, recurrent, projection)
    }

    /// Logits by a product without bias.
    pub(crate) fn unbiased_logits(&mut self, x: Node, vocabulary: usize) -> Result<Node, Error> {
        let logits = self.product(x, "logits", vocabulary, false)?;
        self.rows(logits)
    }

    /// Logits by the table of the embedding.
    pub(crate) fn tied_logits(&mut self, x: Node) -> Result<Node, Error> {
        let x = self.rows(x)?;
        let Some(table) = self.table else {
            return Err(Error::Call {
                call: "tied logits",
                got: "a network without embedding".to_owned(),
                expected: "an embedding before them".to_owned(),
            });
        };
        self.graph.matmul_transposed(x, table, false, true)
    }

    /// A product along the last axis, with bias or without.
    fn product(&mut self, x: Node, name: &str, units: usize, bias: bool) -> Result<Node, Error> {
        let shape = self.graph.shape(x).to_vec();
        let inputs = self.columns(x);
        let rows = self.rows(x)?;
        let lecun = Initialiser::LecunNormal { fan_in: inputs };
        let kernel = self.graph.parameter(&format!("{name}/kernel"), &[inputs, units], lecun)?;
        let mut y = self.graph.matmul(rows, kernel)?;
        if bias {
            let zeros = Initialiser::Zeros;
            let bias = self.graph.parameter(&format!("{name}/bias"), &[units], zeros)?;
            y = self.graph.add_bias(y, bias)?;
        }
        let shape = [&shape[..shape.len() - 1], &[units]].concat();
        self.graph.reshape(y, &shape)
    }

    /// `x` as a matrix of its last axis.
    fn rows(&mut self, x: Node) -> Result<Node, Error> {
        let (len, columns) = (self.graph.shape(x).len(), self.columns(x));
        self.graph.reshape(x, &[len / columns, columns])
    }

    fn columns(&self, x: Node) -> usize {
        self.graph.shape(x).last().copied().unwrap_or(1)
    }
}
