//! The ops: one folder each, with equation, shape rule, backward, native kernel and WGSL.

pub(crate) mod accumulate;
pub(crate) mod activation;
pub(crate) mod add;
pub(crate) mod advance;
pub(crate) mod attention;
pub(crate) mod avg_pool;
pub(crate) mod batch_norm;
pub(crate) mod bias;
pub(crate) mod conv2d;
pub(crate) mod dropout;
pub(crate) mod embedding;
pub(crate) mod error_count;
pub(crate) mod fill;
pub(crate) mod gather;
pub(crate) mod identity_shortcut;
pub(crate) mod layer_norm;
pub(crate) mod lstm;
pub(crate) mod matmul;
pub(crate) mod matmul_update;
pub(crate) mod max_pool;
pub(crate) mod mean_of_labelled;
pub(crate) mod multiply;
pub(crate) mod places;
pub(crate) mod positions;
pub(crate) mod relu;
pub(crate) mod reshape;
pub(crate) mod score_histogram;
pub(crate) mod sigmoid_cross_entropy;
pub(crate) mod softmax_cross_entropy;
pub(crate) mod squared_norm;
pub(crate) mod standardise;
pub(crate) mod sum;
pub(crate) mod update;
pub(crate) mod window;

use crate::cpu::CpuContext;
use crate::error::Error;
use crate::gpu::gemm::Tiling;
use crate::gpu::launch::Launch;
use crate::graph::{Graph, Node};
use crate::real::Real;

/// An op with all its dimensions: enough to run it on either executor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Op {
    Parameter(usize),
    Reshape,
    Fill { value: f32, len: usize },
    GatherImages(gather::Gather),
    GatherLabels(gather::Gather),
    GatherTokens(gather::GatherTokens),
    Matmul(matmul::Matmul),
    Conv2d(conv2d::Conv2d),
    Conv2dGradInput(conv2d::Conv2d),
    Conv2dGradFilter(conv2d::Conv2d),
    MaxPool(max_pool::MaxPool),
    MaxPoolGrad(max_pool::MaxPool),
    AvgPool(avg_pool::AvgPool),
    AvgPoolGrad(avg_pool::AvgPool),
    IdentityShortcut(identity_shortcut::IdentityShortcut),
    IdentityShortcutGrad(identity_shortcut::IdentityShortcut),
    Standardise(standardise::Standardise),
    Activation(activation::Activation),
    ActivationGrad(activation::Activation),
    Multiply { len: usize },
    LayerNorm(layer_norm::LayerNorm),
    LayerNormGrad(layer_norm::LayerNorm),
    LayerNormWeigh(layer_norm::LayerNorm),
    Embedding(embedding::Embedding),
    EmbeddingGrad(embedding::Embedding),
    Attention(attention::Attention),
    AttentionGrad(attention::Attention),
    Place(places::Places, usize),
    StackPlaces(places::Places),
    LstmCell(lstm::LstmCell),
    Lstm(places::Places),
    MeanOfLabelled(mean_of_labelled::MeanOfLabelled),
    MeanOfLabelledGrad(mean_of_labelled::MeanOfLabelled),
    CountLabels(mean_of_labelled::MeanOfLabelled),
    BatchMoments(batch_norm::BatchNorm),
    BatchNorm(batch_norm::BatchNorm),
    BatchNormSums(batch_norm::BatchNorm),
    BatchNormGrad(batch_norm::BatchNorm),
    SumGroups(batch_norm::BatchNorm, batch_norm::Affine),
    RunningMoments(batch_norm::RunningMoments),
    AddBias(bias::Bias),
    SumRows(bias::Bias),
    Relu { len: usize },
    ReluGrad { len: usize },
    Dropout(dropout::Dropout),
    Add { len: usize },
    SoftmaxCrossEntropy(softmax_cross_entropy::SoftmaxCrossEntropy),
    SoftmaxCrossEntropyGrad(softmax_cross_entropy::SoftmaxCrossEntropy),
    SigmoidCrossEntropy(sigmoid_cross_entropy::SigmoidCrossEntropy),
    SigmoidCrossEntropyGrad(sigmoid_cross_entropy::SigmoidCrossEntropy),
    ScoreHistogram(score_histogram::ScoreHistogram),
    ErrorCount(error_count::ErrorCount),
    Sum(sum::Sum),
    SquaredNorm(squared_norm::SquaredNorm),
    SquaredNormGrad(squared_norm::SquaredNorm),
    Accumulate { len: usize },
    Broadcast(sum::Broadcast),
    Update(update::Update),
    MatmulUpdate(matmul_update::MatmulUpdate),
    Record(advance::Record),
    Advance(advance::Advance),
}

impl Op {
    /// Name as it stands in plans and errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Op::Parameter(_) => "parameter",
            Op::Reshape => "reshape",
            Op::Fill { .. } => "fill",
            Op::GatherImages(_) => "gather_images",
            Op::GatherLabels(_) => "gather_labels",
            Op::GatherTokens(_) => "gather_tokens",
            Op::Matmul(_) => "matmul",
            Op::Conv2d(_) => "conv2d",
            Op::Conv2dGradInput(_) => "conv2d_grad_input",
            Op::Conv2dGradFilter(_) => "conv2d_grad_filter",
            Op::MaxPool(_) => "max_pool",
            Op::MaxPoolGrad(_) => "max_pool_grad",
            Op::AvgPool(_) => "avg_pool",
            Op::AvgPoolGrad(_) => "avg_pool_grad",
            Op::IdentityShortcut(_) => "identity_shortcut",
            Op::IdentityShortcutGrad(_) => "identity_shortcut_grad",
            Op::Standardise(_) => "standardise",
            Op::Activation(_) => "activation",
            Op::ActivationGrad(_) => "activation_grad",
            Op::Multiply { .. } => "multiply",
            Op::LayerNorm(_) => "layer_norm",
            Op::LayerNormGrad(_) => "layer_norm_grad",
            Op::LayerNormWeigh(_) => "layer_norm_weigh",
            Op::Embedding(_) => "embedding",
            Op::EmbeddingGrad(_) => "embedding_grad",
            Op::Attention(_) => "causal_attention",
            Op::AttentionGrad(_) => "causal_attention_grad",
            Op::Place(..) => "place",
            Op::StackPlaces(_) => "stack_places",
            Op::LstmCell(_) => "lstm_cell",
            Op::Lstm(_) => "lstm",
            Op::MeanOfLabelled(_) => "mean_of_labelled",
            Op::MeanOfLabelledGrad(_) => "mean_of_labelled_grad",
            Op::CountLabels(_) => "count_labels",
            Op::BatchMoments(_) => "batch_moments",
            Op::BatchNorm(_) => "batch_norm",
            Op::BatchNormSums(_) => "batch_norm_sums",
            Op::BatchNormGrad(_) => "batch_norm_grad",
            Op::SumGroups(..) => "sum_groups",
            Op::RunningMoments(_) => "running_moments",
            Op::AddBias(_) => "add_bias",
            Op::SumRows(_) => "sum_rows",
            Op::Relu { .. } => "relu",
            Op::ReluGrad { .. } => "relu_grad",
            Op::Dropout(_) => "dropout",
            Op::Add { .. } => "add",
            Op::SoftmaxCrossEntropy(_) => "softmax_cross_entropy",
            Op::SoftmaxCrossEntropyGrad(_) => "softmax_cross_entropy_grad",
            Op::SigmoidCrossEntropy(_) => "sigmoid_cross_entropy",
            Op::SigmoidCrossEntropyGrad(_) => "sigmoid_cross_entropy_grad",
            Op::ScoreHistogram(_) => "score_histogram",
            Op::ErrorCount(_) => "error_count",
            Op::Sum(_) => "sum",
            Op::SquaredNorm(_) => "squared_norm",
            Op::SquaredNormGrad(_) => "squared_norm_grad",
            Op::Accumulate { .. } => "accumulate",
            Op::Broadcast(_) => "broadcast",
            Op::Update(_) => "update",
            Op::MatmulUpdate(_) => "matmul_update",
            Op::Record(_) => "record",
            Op::Advance(_) => "advance",
        }
    }

    /// Runs the op for one lane on the native executor.
    ///
    /// `outputs` hold whatever was there before; every op writes all of them, and only
    /// updates, `RunningMoments`, `Record` and `Accumulate` look at what was there.
    pub(crate) fn cpu<T: Real>(
        &self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        outputs: &mut [&mut [T]],
    ) {
        match (self, outputs) {
            (Op::Update(op), outputs) => op.cpu(context, inputs, outputs),
            (Op::MatmulUpdate(op), outputs) => op.cpu(context, inputs, outputs),
            (Op::Fill { value, .. }, [y]) => y.fill(T::of(f64::from(*value))),
            (Op::GatherImages(op), [y]) => op.images_cpu(context, y),
            (Op::GatherLabels(op), [y]) => op.labels_cpu(context, y),
            (Op::GatherTokens(op), [y]) => op.cpu(context, y),
            (Op::Matmul(op), [y]) => op.cpu(context, inputs, y),
            (Op::Conv2d(op), [y]) => op.cpu(context, inputs, y),
            (Op::Conv2dGradInput(op), [y]) => op.grad_input_cpu(context, inputs, y),
            (Op::Conv2dGradFilter(op), [y]) => op.grad_filter_cpu(context, inputs, y),
            (Op::MaxPool(op), [y]) => op.cpu(context, inputs[0], y),
            (Op::MaxPoolGrad(op), [y]) => op.grad_cpu(context, inputs[0], inputs[1], y),
            (Op::AvgPool(op), [y]) => op.cpu(context, inputs[0], y),
            (Op::AvgPoolGrad(op), [y]) => op.grad_cpu(context, inputs[0], y),
            (Op::IdentityShortcut(op), [y]) => op.cpu(context, inputs[0], y),
            (Op::IdentityShortcutGrad(op), [y]) => op.grad_cpu(context, inputs[0], y),
            (Op::Standardise(op), [y]) => op.cpu(context, inputs[0], y),
            (Op::Activation(op), [y]) => op.cpu(context, inputs[0], y),
            (Op::ActivationGrad(op), [y]) => op.grad_cpu(context, inputs[0], inputs[1], y),
            (Op::Multiply { .. }, [y]) => multiply::cpu(context.parallel, inputs[0], inputs[1], y),
            (Op::LayerNorm(op), [y]) => op.cpu(context, inputs, y),
            (Op::LayerNormGrad(op), [y]) => op.grad_cpu(context, inputs, y),
            (Op::LayerNormWeigh(op), [y]) => op.weigh_cpu(context, inputs, y),
            (Op::Embedding(op), [y]) => op.cpu(inputs, y),
            (Op::EmbeddingGrad(op), [y]) => op.grad_cpu(context, inputs, y),
            (Op::Attention(op), [y]) => op.cpu(context, inputs[0], y),
            (Op::AttentionGrad(op), [y]) => op.grad_cpu(context, inputs, y),
            (Op::Place(op, t), [y]) => op.place_cpu(*t, inputs[0], y),
            (Op::StackPlaces(op) | Op::Lstm(op), [y]) => op.stack_cpu(&inputs[..op.places], y),
            (Op::LstmCell(op), [y]) => op.cpu(context, inputs, y),
            (Op::MeanOfLabelled(op), [y]) => op.cpu(inputs, y),
            (Op::MeanOfLabelledGrad(op), [y]) => op.grad_cpu(inputs, y),
            (Op::CountLabels(op), [y]) => op.count_cpu(inputs[0], y),
            (Op::BatchMoments(op), [y]) => op.moments_cpu(context, inputs[0], y),
            (Op::BatchNorm(op), [y]) => op.cpu(context, inputs, y),
            (Op::BatchNormSums(op), [y]) => op.sums_cpu(context, inputs, y),
            (Op::BatchNormGrad(op), [y]) => op.grad_cpu(context, inputs, y),
            (Op::SumGroups(op, which), [y]) => op.sum_groups_cpu(*which, inputs[0], y),
            (Op::RunningMoments(op), [y]) => op.cpu(inputs[0], y),
            (Op::AddBias(op), [y]) => op.add_cpu(inputs[0], inputs[1], y),
            (Op::SumRows(op), [y]) => op.sum_rows_cpu(context, inputs[0], y),
            (Op::Relu { .. }, [y]) => relu::cpu(context.parallel, inputs[0], y),
            (Op::ReluGrad { .. }, [y]) => {
                relu::grad_cpu(context.parallel, inputs[0], inputs[1], y);
            }
            (Op::Dropout(op), [y]) => op.cpu(context, inputs[0], y),
            (Op::Add { .. }, [y]) => add::cpu(inputs[0], inputs[1], y),
            (Op::SoftmaxCrossEntropy(op), [y]) => op.cpu(context, inputs, y),
            (Op::SoftmaxCrossEntropyGrad(op), [y]) => op.grad_cpu(context, inputs, y),
            (Op::SigmoidCrossEntropy(op), [y]) => op.cpu(context, inputs, y),
            (Op::SigmoidCrossEntropyGrad(op), [y]) => op.grad_cpu(context, inputs, y),
            (Op::ScoreHistogram(op), [y]) => op.cpu(inputs[0], inputs[1], y),
            (Op::ErrorCount(op), [y]) => op.cpu(context, inputs, y),
            (Op::Sum(op), [y]) => op.cpu(inputs[0], y),
            (Op::SquaredNorm(op), [y]) => op.cpu(context, inputs[0], y),
            (Op::SquaredNormGrad(op), [y]) => op.grad_cpu(inputs[0], inputs[1], y),
            (Op::Accumulate { .. }, [y]) => accumulate::cpu(context.lane.cursor, inputs[0], y),
            (Op::Broadcast(op), [y]) => op.cpu(inputs[0], y),
            (Op::Record(op), [y]) => op.cpu(context, inputs, y),
            (op, outputs) => unreachable!("{} with {} outputs", op.name(), outputs.len()),
        }
    }

    /// The WGSL kernels that run the op for all lanes, in order; `tiling` says how products are cut.
    pub(crate) fn launches(&self, tiling: Tiling) -> Vec<Launch> {
        let launch = match self {
            Op::Parameter(_) | Op::Reshape => unreachable!("{} is no kernel", self.name()),
            Op::Matmul(op) => return op.launch(tiling),
            Op::MatmulUpdate(op) => return op.launch(tiling),
            Op::Conv2d(op) => return op.launch(tiling),
            Op::Conv2dGradInput(op) => return op.launch_grad_input(tiling),
            Op::Conv2dGradFilter(op) => return op.launch_grad_filter(tiling),
            Op::SumRows(op) => return op.launch_sum_rows(),
            Op::AttentionGrad(op) => return op.launch_grad(),
            Op::StackPlaces(op) | Op::Lstm(op) => return op.launch_stack(),
            Op::SquaredNorm(op) => return op.launch(),
            Op::Record(op) => return op.launch(),
            Op::Fill { value, len } => fill::launch(*value, *len),
            Op::GatherImages(op) => op.launch_images(),
            Op::GatherLabels(op) => op.launch_labels(),
            Op::GatherTokens(op) => op.launch(),
            Op::MaxPool(op) => op.launch(),
            Op::MaxPoolGrad(op) => op.launch_grad(),
            Op::AvgPool(op) => op.launch(),
            Op::AvgPoolGrad(op) => op.launch_grad(),
            Op::IdentityShortcut(op) => op.launch(),
            Op::IdentityShortcutGrad(op) => op.launch_grad(),
            Op::Standardise(op) => op.launch(),
            Op::Activation(op) => op.launch(),
            Op::ActivationGrad(op) => op.launch_grad(),
            Op::Multiply { len } => multiply::launch(*len),
            Op::LayerNorm(op) => op.launch(),
            Op::LayerNormGrad(op) => op.launch_grad(),
            Op::LayerNormWeigh(op) => op.launch_weigh(),
            Op::Embedding(op) => op.launch(),
            Op::EmbeddingGrad(op) => op.launch_grad(),
            Op::Attention(op) => op.launch(),
            Op::Place(op, t) => op.launch_place(*t),
            Op::LstmCell(op) => op.launch(),
            Op::MeanOfLabelled(op) => op.launch(),
            Op::MeanOfLabelledGrad(op) => op.launch_grad(),
            Op::CountLabels(op) => op.launch_count(),
            Op::BatchMoments(op) => op.launch_moments(),
            Op::BatchNorm(op) => op.launch(),
            Op::BatchNormSums(op) => op.launch_sums(),
            Op::BatchNormGrad(op) => op.launch_grad(),
            Op::SumGroups(op, which) => op.launch_sum_groups(*which),
            Op::RunningMoments(op) => op.launch(),
            Op::AddBias(op) => op.launch_add(),
            Op::Relu { len } => relu::launch(*len),
            Op::ReluGrad { len } => relu::launch_grad(*len),
            Op::Dropout(op) => op.launch(),
            Op::Add { len } => add::launch(*len),
            Op::SoftmaxCrossEntropy(op) => op.launch(),
            Op::SoftmaxCrossEntropyGrad(op) => op.launch_grad(),
            Op::SigmoidCrossEntropy(op) => op.launch(),
            Op::SigmoidCrossEntropyGrad(op) => op.launch_grad(),
            Op::ScoreHistogram(op) => op.launch(),
            Op::ErrorCount(op) => op.launch(),
            Op::Sum(op) => op.launch(),
            Op::SquaredNormGrad(op) => op.launch_grad(),
            Op::Accumulate { len } => accumulate::launch(*len),
            Op::Broadcast(op) => op.launch(),
            Op::Update(op) => op.launch(),
            Op::Advance(op) => op.launch(),
        };
        vec![launch]
    }

    /// Floating-point operations per lane, a multiply-add counted as two; only products and
    /// convolutions count, as is usual.
    pub(crate) fn flops(&self) -> u64 {
        match self {
            Op::Matmul(op) => op.flops(),
            Op::MatmulUpdate(op) => op.matmul.flops(),
            Op::Conv2d(op) | Op::Conv2dGradInput(op) | Op::Conv2dGradFilter(op) => op.flops(),
            Op::Attention(op) => op.flops(false),
            Op::AttentionGrad(op) => op.flops(true),
            _ => 0,
        }
    }
}

impl Graph {
    /// Gradients of a node's inputs from its own: `needed[i]` says which are asked for.
    pub(crate) fn backward(
        &mut self,
        node: Node,
        grad: Node,
        needed: &[bool],
    ) -> Result<Vec<Option<Node>>, Error> {
        let info = self.info(node).clone();
        match &info.op {
            Op::Matmul(op) => op.backward(self, &info.inputs, grad, needed),
            Op::Conv2d(op) => op.backward(self, &info.inputs, grad, needed),
            Op::MaxPool(op) => op.backward(self, info.inputs[0], grad),
            Op::AvgPool(op) => op.backward(self, info.inputs[0], grad),
            Op::BatchNorm(op) => op.backward(self, &info.inputs, grad, needed),
            Op::LayerNorm(op) => op.backward(self, &info.inputs, grad, needed),
            Op::Embedding(op) => op.backward(self, &info.inputs, grad),
            Op::Attention(op) => op.backward(self, info.inputs[0], grad),
            Op::Lstm(op) => lstm::backward(self, *op, &info.inputs, grad),
            Op::MeanOfLabelled(op) => op.backward(self, &info.inputs, grad),
            Op::Activation(op) => op.backward(self, info.inputs[0], grad),
            Op::Multiply { .. } => multiply::backward(self, &info.inputs, grad, needed),
            Op::IdentityShortcut(op) => op.backward(self, info.inputs[0], grad),
            Op::AddBias(op) => op.backward(self, grad, needed),
            Op::Relu { len } => relu::backward(self, *len, node, grad),
            Op::Dropout(op) => op.backward(self, grad),
            Op::Add { .. } => Ok(vec![Some(grad), Some(grad)]),
            Op::Reshape => reshape::backward(self, info.inputs[0], grad),
            Op::SoftmaxCrossEntropy(op) => op.backward(self, &info.inputs, grad),
            Op::SigmoidCrossEntropy(op) => op.backward(self, &info.inputs, grad),
            Op::Sum(op) => op.backward(self, info.inputs[0], grad),
            Op::SquaredNorm(op) => op.backward(self, info.inputs[0], grad),
            Op::Accumulate { .. } => Ok(vec![Some(grad)]),
            op => Err(Error::NoGradient { op: op.name() }),
        }
    }
}
