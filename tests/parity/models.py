"""The networks as docs/models.md describes them, in PyTorch.

Written from that description alone and not from the Rust code. Each function takes the parameters by
critbatch's names and images [N, H, W, C] or tokens [N, T], and returns logits [N, K] or [N T, K];
`forward` finds it by name.
"""

import math

import torch
from torch.nn import functional

# Added to variances; a number of single precision, as all of critbatch's.
EPSILON = torch.tensor(1e-5).item()


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
    x = ((groups - mean) / torch.sqrt(variance + EPSILON)).reshape(x.shape)
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


def embedding(parameters, tokens):
    """Rows of the table; zeros for padding, which is -1."""
    rows = parameters["embedding/table"][tokens.long().clamp(min=0)]
    return rows * (tokens >= 0)[..., None]


def positions(places, columns):
    t, i = torch.arange(places)[:, None], torch.arange(columns // 2)
    angle = t / 10000 ** (2 * i.double() / columns)
    return torch.stack([torch.sin(angle), torch.cos(angle)], -1).flatten(1)


def layer_norm(parameters, name, x):
    scale, offset = parameters[f"{name}/scale"], parameters[f"{name}/offset"]
    return functional.layer_norm(x, x.shape[-1:], scale, offset, EPSILON)


def transformer(n_blocks, heads):
    def forward(parameters, tokens):
        columns = parameters["embedding/table"].shape[1]
        x = math.sqrt(columns) * embedding(parameters, tokens)
        n, places, _ = x.shape
        # The places are single-precision numbers.
        x = x + positions(places, columns).float().double()
        mask = torch.full((places, places), -torch.inf, dtype=x.dtype).triu(1)
        for block in range(1, n_blocks + 1):
            a = layer_norm(parameters, f"norm{2 * block - 1}", x)
            qkv = a @ parameters[f"attention{block}/qkv/kernel"]
            q, k, v = (part.reshape(n, places, heads, -1).transpose(1, 2)
                       for part in qkv.split(columns, -1))
            scores = q @ k.transpose(2, 3) / math.sqrt(columns // heads) + mask
            y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, places, columns)
            x = x + y @ parameters[f"attention{block}/output/kernel"]
            a = layer_norm(parameters, f"norm{2 * block}", x)
            hidden = torch.relu(dense(parameters, f"feed_forward{block}/hidden", a))
            x = x + dense(parameters, f"feed_forward{block}/output", hidden)
        x = layer_norm(parameters, f"norm{2 * n_blocks + 1}", x)
        return (x @ parameters["embedding/table"].T).flatten(0, 1)

    return forward


def lstm(parameters, tokens):
    gates = dense(parameters, "lstm1/input", embedding(parameters, tokens))
    recurrent = parameters["lstm1/recurrent/kernel"]
    projection = parameters["lstm1/projection/kernel"]
    y = torch.zeros(len(tokens), projection.shape[1], dtype=gates.dtype)
    c = torch.zeros(len(tokens), projection.shape[0], dtype=gates.dtype)
    outputs = []
    for t in range(tokens.shape[1]):
        i, f, g, o = (gates[:, t] + y @ recurrent).chunk(4, -1)
        c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
        y = (torch.sigmoid(o) * torch.tanh(c)) @ projection
        outputs.append(y)
    return torch.stack(outputs, 1).flatten(0, 1) @ parameters["logits/kernel"]


TRANSFORMERS = {"base": (6, 8), "shallow": (2, 8), "narrow_and_shallow": (2, 4), "tiny": (2, 2),
                "wide": (6, 16)}


def forward(name):
    """The network of this name."""
    if name.startswith("fc_"):
        return fully_connected(name.removeprefix("fc_").split("_"))
    if name.startswith("simple_cnn_"):
        return simple_cnn
    if name.startswith("transformer_"):
        return transformer(*TRANSFORMERS[name.removeprefix("transformer_")])
    return {"lstm": lstm, "resnet_8": resnet_8, "resnet_50": resnet_50, "vgg_11": vgg_11}[name]
