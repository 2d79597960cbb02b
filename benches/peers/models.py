"""The networks of crates/models/src/{fully_connected,simple_cnn}.rs, for peers and for arithmetic.

Standard library only: `compare` counts FLOPs and parameters without any framework. That these are
critbatch's networks is checked by check_agreement.py (parameter counts, read from the tests of
crates/models/src/model.rs) and by `compare` (FLOPs, against those that critbatch reports).
"""

from dataclasses import dataclass

IMAGE_SIZE = 28
N_CLASSES = 10
FILTER_SIZE = 5


@dataclass(frozen=True)
class Model:
    """Convolutions of 5x5, same padding, each with bias, ReLU and 2x2 max-pool; then hidden layers
    with bias and ReLU; dropout after the last hidden layer; logits with bias."""

    channels: tuple = ()
    hidden: tuple = ()
    dropout: float = 0.0

    def kernel_shapes(self):
        """Shapes of all kernels in order: [5, 5, in, out] of convolutions, [in, out] of the rest.
        Between the last convolution and the first hidden layer, images are flattened as [H, W, C].
        """
        shapes, in_channels, size = [], 1, IMAGE_SIZE
        for out_channels in self.channels:
            shapes.append((FILTER_SIZE, FILTER_SIZE, in_channels, out_channels))
            in_channels, size = out_channels, size // 2
        n_inputs = size * size * in_channels
        for units in (*self.hidden, N_CLASSES):
            shapes.append((n_inputs, units))
            n_inputs = units
        return shapes

    def n_parameters(self):
        """Kernels and biases."""
        return sum(product(shape) + shape[-1] for shape in self.kernel_shapes())

    def flops_per_example(self):
        """FLOPs of one training step for each example: products and convolutions, a multiply-add
        counted as two; forward, gradient of the kernel, and gradient of the input except of the
        first layer, whose input is data."""
        total, size = 0, IMAGE_SIZE
        for index, shape in enumerate(self.kernel_shapes()):
            n_positions = 1
            if len(shape) == 4:
                n_positions, size = size * size, size // 2
            total += 2 * n_positions * product(shape) * (2 if index == 0 else 3)
        return total


def product(numbers):
    """Product of whole numbers."""
    result = 1
    for number in numbers:
        result *= number
    return result


MODELS = {
    "fc_1024": Model(hidden=(1024,)),
    "fc_1024_1024": Model(hidden=(1024, 1024)),
    "fc_1024_1024_1024": Model(hidden=(1024, 1024, 1024)),
    "fc_64_64_64": Model(hidden=(64, 64, 64)),
    "fc_128_128_128": Model(hidden=(128, 128, 128)),
    "fc_256_256_256": Model(hidden=(256, 256, 256)),
    "fc_512_512_512": Model(hidden=(512, 512, 512)),
    "fc_2048_2048_2048": Model(hidden=(2048, 2048, 2048)),
    "simple_cnn_narrow": Model(channels=(16, 32), hidden=(512,), dropout=0.4),
    "simple_cnn_base": Model(channels=(32, 64), hidden=(1024,), dropout=0.4),
    "simple_cnn_wide": Model(channels=(64, 128), hidden=(2048,), dropout=0.4),
}
