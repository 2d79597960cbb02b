//! The simple convolutional networks of Shallue et al. 2018: two convolutions with max-pooling,
//! one hidden layer with dropout.

use critbatch_kernels::Padding;

use crate::model::{Layer, Model};

/// Widths of one network.
struct SimpleCnn {
    name: &'static str,
    first_channels: usize,
    second_channels: usize,
    hidden_units: usize,
}

#[rustfmt::skip]
const SIMPLE_CNN: [SimpleCnn; 3] = [
    SimpleCnn { name: "simple_cnn_narrow", first_channels: 16, second_channels:  32, hidden_units:  512 },
    SimpleCnn { name: "simple_cnn_base",   first_channels: 32, second_channels:  64, hidden_units: 1024 },
    SimpleCnn { name: "simple_cnn_wide",   first_channels: 64, second_channels: 128, hidden_units: 2048 },
];

pub(crate) fn models() -> Vec<Model> {
    SIMPLE_CNN.iter().map(SimpleCnn::model).collect()
}

impl SimpleCnn {
    #[rustfmt::skip]
    fn model(&self) -> Model {
        Model::new(self.name, vec![
            Layer::Convolution { size: 5, channels: self.first_channels },
            Layer::Relu,
            Layer::MaxPool { size: 2, stride: 2, padding: Padding::Valid },
            Layer::Convolution { size: 5, channels: self.second_channels },
            Layer::Relu,
            Layer::MaxPool { size: 2, stride: 2, padding: Padding::Valid },
            Layer::Hidden { units: self.hidden_units },
            Layer::Dropout { rate: 0.4 },
            Layer::Logits,
        ])
    }
}
