#!/usr/bin/env python3
"""Whole training steps of critbatch's networks in PyTorch, as its users would write them.

usage: torch_steps.py --model M --batch-size B [--mode ...] [--layout ...] [--optimizer ...]

One line of JSON on stdout. A step takes its batch out of the shuffled data, normalises it, and goes
forward, backward and through torch.optim.SGD with Nesterov momentum, all in f32. Modes:

eager       as the tutorials do it
compile     the loss under torch.compile (on cuda with CUDA graphs: mode="reduce-overhead")
cuda_graph  the whole step captured once, replayed
vmap        --lanes networks at once by torch.func
"""

import sys

import numpy

import harness
from models import MODELS


def options():
    parser = harness.parser(__doc__)
    modes = ["eager", "compile", "cuda_graph", "vmap"]
    parser.add_argument("--mode", choices=modes, default="eager")
    layouts = ["channels_last", "channels_first"]
    parser.add_argument("--layout", choices=layouts, default="channels_last")
    parser.add_argument("--optimizer", choices=["fused", "foreach"], default="fused")
    return parser.parse_args()


def network(model, layout):
    """The module; its children's order is that of the kernels."""
    import torch
    from torch import nn

    class Flatten(nn.Module):
        """[N, C, H, W] to [N, features] in the order in memory: a view in both layouts."""

        def forward(self, x):
            return (x.permute(0, 2, 3, 1) if layout == "channels_last" else x).flatten(1)

    layers, shapes = [], model.kernel_shapes()
    for shape in shapes:
        if len(shape) == 4:
            size, _, n_in, n_out = shape
            layers += [nn.Conv2d(n_in, n_out, size, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
            continue
        if not any(isinstance(layer, nn.Linear) for layer in layers):
            layers.append(Flatten())
        if shape is shapes[-1] and model.dropout > 0:
            layers.append(nn.Dropout(model.dropout))
        layers.append(nn.Linear(*shape))
        if shape is not shapes[-1]:
            layers.append(nn.ReLU())
    module = nn.Sequential(*layers)
    return module.to(memory_format=getattr(torch, layout_name(layout)))


def layout_name(layout):
    return "channels_last" if layout == "channels_last" else "contiguous_format"


def to_torch(model, layout, weights):
    """Kernels and biases of harness.initial_weights in PyTorch's shapes and order of axes."""
    import torch

    converted, channels = [], None
    for weight in weights:
        if weight.ndim == 4:
            channels, weight = weight.shape[3], weight.transpose(3, 2, 0, 1)
        elif weight.ndim == 2:
            if channels and layout == "channels_first":
                # Rows in the order [C, H, W] instead of [H, W, C].
                rows = numpy.arange(len(weight)).reshape(-1, channels).T.ravel()
                weight = weight[rows]
            channels, weight = None, weight.T
        converted.append(torch.from_numpy(numpy.ascontiguousarray(weight)))
    return converted


def load(module, model, layout, weights):
    """Puts weights into the module, which keeps its memory format."""
    import torch

    converted = to_torch(model, layout, weights)
    with torch.no_grad():
        for parameter, weight in zip(module.parameters(), converted, strict=True):
            parameter.copy_(weight)


def prepare(device, n_threads):
    import torch

    torch.set_num_threads(n_threads)
    torch.manual_seed(0)
    # As the comparison says: f32 products in f32, not in TF32.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    images, labels = harness.images_and_labels()
    # [N, 1, H, W]: with one channel both layouts are the same bytes.
    images = torch.from_numpy(images).reshape(-1, 1, *images.shape[1:3])
    return images.to(device), torch.from_numpy(labels).to(device)


def batch_of(images, labels, indices, layout):
    import torch

    memory_format = getattr(torch, layout_name(layout))
    x = images[indices].to(torch.float32, memory_format=memory_format).mul_(1 / 255)
    return x, labels[indices]


def wait(device):
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def epochs(device):
    import torch

    return harness.Epochs(lambda: torch.randperm(harness.N_EXAMPLES, device=device), torch.cat)


def build(given):
    """For harness.measure."""
    import torch

    images, labels = prepare(given.device, given.threads_of_process)
    model = MODELS[given.model]
    if given.mode == "vmap":
        from torch_lanes import lanes_step

        step = lanes_step(given, model, images, labels)
    elif given.lanes > 1:
        raise SystemExit(f"--lanes {given.lanes} needs --mode vmap")
    else:
        step = single_step(given, model, images, labels)
    last = {}

    def run(n_calls):
        for _ in range(n_calls):
            last["loss"] = step()
        wait(given.device)

    facts = {name: getattr(given, name) for name in ("mode", "layout", "optimizer")}
    facts = {"framework": "pytorch", "version": torch.__version__, **facts}
    return run, 1, lambda: float(last["loss"].mean()), facts


def single_step(given, model, images, labels):
    """One network: a function that trains one step and returns its loss, still on the device."""
    import torch
    from torch.nn import functional

    module = network(model, given.layout).to(given.device)
    load(module, model, given.layout, harness.initial_weights(model, 0))
    optimizer = torch.optim.SGD(
        module.parameters(),
        lr=harness.LEARNING_RATE,
        momentum=harness.MOMENTUM,
        nesterov=True,
        fused=given.optimizer == "fused",
        foreach=given.optimizer == "foreach",
    )
    order = epochs(given.device)

    def loss_of(indices):
        x, y = batch_of(images, labels, indices, given.layout)
        return functional.cross_entropy(module(x), y)

    if given.mode == "compile":
        mode = "reduce-overhead" if given.device == "cuda" else "default"
        loss_of = torch.compile(loss_of, mode=mode)

    def train(indices):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(indices)
        loss.backward()
        optimizer.step()
        return loss.detach()

    if given.mode == "cuda_graph":
        return captured(train, order, given.batch_size)
    return lambda: train(order.take(given.batch_size))


def captured(train, order, batch_size):
    """The whole step as one CUDA graph: the indices are copied in, the graph is replayed."""
    import torch

    indices = order.take(batch_size).clone()
    # Memory of gradients and momentum must exist before the capture: PyTorch's own advice.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            train(indices)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = train(indices)

    def step():
        indices.copy_(order.take(batch_size))
        graph.replay()
        return loss

    return step


if __name__ == "__main__":
    sys.exit(harness.main(build, options()))
