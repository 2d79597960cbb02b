"""The networks as docs/models.md describes them, in PyTorch.

Written from that description alone and not from the Rust code. Each function takes the parameters by
critbatch's names and images [N, H, W, C] and returns logits [N, K]; `forward` finds it by name.
"""

import torch
from torch.nn import functional


def pad(x, window, stride, value=0.0):
    """Same padding, the odd pixel at bottom and right; images NCHW."""
    pads = []
    for size in reversed(x.shape[2:]):
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads, value=value)


def convolution(parameters, name, x, stride=1):
    """Kernels are [h, w, C, O]; a bias where there is one."""
    kernel = parameters[f"{name}/kernel"].permute(3, 2, 0, 1)
    bias = parameters.get(f"{name}/bias")
    return functional.conv2d(pad(x, kernel.shape[2], stride), kernel, bias, stride=stride)


def dense(parameters, name, x):
    return x @ parameters[f"{name}/kernel"] + parameters[f"{name}/bias"]


def flatten(x):
    """Row-major over height, width, channels."""
    return x.permute(0, 2, 3, 1).flatten(1)


def fully_connected(widths):
    def forward(parameters, images):
        x = images.flatten(1)
        for index in range(len(widths)):
            x = torch.relu(dense(parameters, f"dense{index + 1}", x))
        return dense(parameters, f"dense{len(widths) + 1}", x)

    return forward


def simple_cnn(parameters, images):
    x = images.permute(0, 3, 1, 2)
    for index in (1, 2):
        x = functional.max_pool2d(torch.relu(convolution(parameters, f"conv{index}", x)), 2)
    x = torch.relu(dense(parameters, "dense1", flatten(x)))
    return dense(parameters, "dense2", x)


def resnet_8(parameters, images):
    x = convolution(parameters, "conv1", images.permute(0, 3, 1, 2))
    for block, (channels, stride) in enumerate([(16, 1), (32, 2), (64, 2)]):
        activation = torch.relu(x)
        shortcut = activation[:, :, ::stride, ::stride]
        missing = channels - shortcut.shape[1]
        shortcut = functional.pad(shortcut, (0, 0, 0, 0, 0, missing))
        x = convolution(parameters, f"conv{2 * block + 2}", activation, stride)
        x = convolution(parameters, f"conv{2 * block + 3}", torch.relu(x)) + shortcut
    return dense(parameters, "dense1", torch.relu(x).mean((2, 3)))


def ghost_norm(parameters, name, x):
    """By the moments of every 32 examples."""
    groups = x.reshape(-1, 32, *x.shape[1:])
    mean = groups.mean((1, 3, 4), keepdim=True)
    variance = ((groups - mean) ** 2).mean((1, 3, 4), keepdim=True)
    x = ((groups - mean) / torch.sqrt(variance + 1e-5)).reshape(x.shape)
    channels = (1, -1, 1, 1)
    scale, offset = (parameters[f"{name}/{part}"].reshape(channels) for part in ("scale", "offset"))
    return scale * x + offset


def resnet_50(parameters, images):
    n_convolutions = n_norms = 0

    def conv(x, stride=1):
        nonlocal n_convolutions
        n_convolutions += 1
        return convolution(parameters, f"conv{n_convolutions}", x, stride)

    def activation(x):
        nonlocal n_norms
        n_norms += 1
        return torch.relu(ghost_norm(parameters, f"norm{n_norms}", x))

    x = conv(images.permute(0, 3, 1, 2), 2)
    x = functional.max_pool2d(pad(x, 3, 2, -torch.inf), 3, 2)
    for stage, n_blocks in enumerate((3, 4, 6, 3)):
        for block in range(n_blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            a = activation(x)
            shortcut = conv(a, stride) if block == 0 else x
            x = conv(activation(conv(activation(conv(a)), stride))) + shortcut
    return dense(parameters, "dense1", activation(x).mean((2, 3)))


def vgg_11(parameters, images):
    x = images.permute(0, 3, 1, 2)
    index = 0
    for n_convolutions in (1, 1, 2, 2, 2):
        for _ in range(n_convolutions):
            index += 1
            x = torch.relu(convolution(parameters, f"conv{index}", x))
        x = functional.max_pool2d(x, 2)
    x = flatten(x)
    for index in (1, 2):
        x = torch.relu(dense(parameters, f"dense{index}", x))
    return dense(parameters, "dense3", x)


def forward(name):
    """The network of this name."""
    if name.startswith("fc_"):
        return fully_connected(name.removeprefix("fc_").split("_"))
    if name.startswith("simple_cnn_"):
        return simple_cnn
    return {"resnet_8": resnet_8, "resnet_50": resnet_50, "vgg_11": vgg_11}[name]
