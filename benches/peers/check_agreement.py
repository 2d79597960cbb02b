#!/usr/bin/env python3
"""Holds the peers to each other: same weights, same batch, same arithmetic.

usage: check_agreement.py [--models A,B] [--batch-size B]     (needs torch and jax)

For every network, on random weights, images and labels and, where there is dropout, one given mask:

- PyTorch in both layouts, and JAX with both ways to pool, agree on loss and gradients;
- three steps of each one's Nesterov momentum agree with the formula v <- gamma v + g,
  w <- w - eta (g + gamma v), applied to those gradients;
- the first of two lanes by vmap has the losses that it has alone, in PyTorch and in JAX (a network
  without dropout: generators differ);
- parameter counts are those in the tests of crates/models/src/model.rs.

Largest error allowed: 1e-4 of the largest magnitude of the tensor. Ends with 1 at a disagreement.
"""

import argparse
import pathlib
import re
import sys

import numpy

import harness
import jax_steps
import torch_lanes
import torch_steps
from models import MODELS

ALLOWED = 1e-4
LAYOUTS = ["channels_last", "channels_first"]
POOLS = ["window", "reshape"]
MODEL_RS = pathlib.Path(__file__).parents[2] / "crates/models/src/model.rs"


class Problem:
    """One network with weights, a batch and a mask of kept units."""

    def __init__(self, name, batch_size):
        random = numpy.random.default_rng(7)
        self.name, self.model = name, MODELS[name]
        # Biases other than zero, so that a forgotten one is seen.
        self.weights = [
            weight if weight.ndim > 1 else random.normal(0, 0.1, weight.shape).astype("f4")
            for weight in harness.initial_weights(self.model, 3)
        ]
        images, labels = harness.images_and_labels()
        self.images, self.labels = images[:batch_size], labels[:batch_size]
        n_units = self.model.kernel_shapes()[-1][0]
        kept = random.random((batch_size, n_units)) >= self.model.dropout
        self.mask = (kept / (1.0 - self.model.dropout)).astype("f4")


def by_torch(problem, layout, weights):
    """Loss and gradients, in the shapes of harness.initial_weights."""
    import torch

    class Masked(torch.nn.Module):
        def forward(self, x):
            return x * torch.from_numpy(problem.mask)

    module = torch_steps.network(problem.model, layout)
    for index, layer in enumerate(module):
        if isinstance(layer, torch.nn.Dropout):
            module[index] = Masked()
    torch_steps.load(module, problem.model, layout, weights)
    images = torch.from_numpy(problem.images).reshape(-1, 1, 28, 28)
    indices = torch.arange(len(images))
    x, y = torch_steps.batch_of(images, torch.from_numpy(problem.labels), indices, layout)
    loss = torch.nn.functional.cross_entropy(module(x), y)
    loss.backward()
    gradients = [parameter.grad for parameter in module.parameters()]
    return float(loss.detach()), from_torch(problem.model, layout, gradients)


def from_torch(model, layout, tensors):
    """The inverse of torch_steps.to_torch, found by moving element numbers through it."""
    shapes = [s for kernel in model.kernel_shapes() for s in (kernel, (kernel[-1],))]
    numbers = [numpy.arange(numpy.prod(shape)).reshape(shape) for shape in shapes]
    moved = torch_steps.to_torch(model, layout, numbers)
    back = []
    for shape, places, tensor in zip(shapes, moved, tensors, strict=True):
        values = numpy.empty(numpy.prod(shape), "f4")
        values[places.numpy().ravel()] = tensor.detach().contiguous().numpy().ravel()
        back.append(values.reshape(shape))
    return back


def by_jax(problem, pool, weights):
    import jax
    from jax import numpy as jnp

    x = jnp.asarray(problem.images).astype(jnp.float32) * (1 / 255)
    labels = jnp.asarray(problem.labels.astype("i4"))
    dropout = (lambda h: h * problem.mask) if problem.model.dropout else (lambda h: h)
    loss = lambda weights: jax_steps.loss_of(weights, x, labels, dropout, pool)
    value, gradients = jax.value_and_grad(loss)([jnp.asarray(weight) for weight in weights])
    return float(value), [numpy.asarray(gradient) for gradient in gradients]


def formula(weights, gradients, n_steps):
    """Weights after steps of Nesterov momentum with the same gradients, in f64."""
    eta, gamma = harness.LEARNING_RATE, harness.MOMENTUM
    weights = [weight.astype("f8") for weight in weights]
    velocities = [numpy.zeros_like(weight) for weight in weights]
    for _ in range(n_steps):
        velocities = [gamma * v + g for v, g in zip(velocities, gradients, strict=True)]
        together = zip(weights, velocities, gradients, strict=True)
        weights = [w - eta * (g + gamma * v) for w, v, g in together]
    return weights


def jax_updates(weights, gradients, n_steps):
    from jax import numpy as jnp

    weights = [jnp.asarray(weight) for weight in weights]
    velocities = [jnp.zeros_like(weight) for weight in weights]
    for _ in range(n_steps):
        weights, velocities = jax_steps.update(weights, velocities, gradients)
    return weights


def torch_updates(weights, gradients, n_steps, optimizer):
    import torch

    parameters = [torch.nn.Parameter(torch.from_numpy(weight.copy())) for weight in weights]
    sgd = torch.optim.SGD(
        parameters,
        lr=harness.LEARNING_RATE,
        momentum=harness.MOMENTUM,
        nesterov=True,
        **{optimizer: True},
    )
    for _ in range(n_steps):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = torch.from_numpy(gradient.copy())
        sgd.step()
    return [parameter.detach().numpy() for parameter in parameters]


class Report:
    """Compares, prints the worst error of each comparison, and remembers failures."""

    def __init__(self):
        self.n_failures = 0

    def line(self, what, passed, detail):
        self.n_failures += not passed
        print(f"{'ok  ' if passed else 'FAIL'} {what}: {detail}")

    def close(self, what, got, reference):
        worst = 0.0
        for value, expected in zip(got, reference, strict=True):
            value, expected = numpy.asarray(value, "f8"), numpy.asarray(expected, "f8")
            error = numpy.abs(value - expected).max() / max(numpy.abs(expected).max(), 1e-30)
            worst = max(worst, error) if numpy.isfinite(error) else numpy.inf
        self.line(what, worst <= ALLOWED, f"off by {worst:.1e} of the largest, allowed {ALLOWED}")


def check_gradients(report, problem):
    loss, gradients = by_torch(problem, LAYOUTS[0], problem.weights)
    others = {f"PyTorch {LAYOUTS[1]}": by_torch(problem, LAYOUTS[1], problem.weights)}
    others |= {f"JAX {pool}": by_jax(problem, pool, problem.weights) for pool in POOLS}
    for name, (other_loss, other_gradients) in others.items():
        what = f"{problem.name}: {name} against PyTorch {LAYOUTS[0]}"
        report.close(f"{what}, loss", [other_loss], [loss])
        report.close(f"{what}, gradients", other_gradients, gradients)
    return gradients


def check_updates(report, problem, gradients):
    # From zero, so that a wrong step cannot hide behind the weights' size.
    start = [numpy.zeros_like(weight) for weight in problem.weights]
    reference = formula(start, gradients, 3)
    for optimizer in ["fused", "foreach"]:
        after = torch_updates(start, gradients, 3, optimizer)
        report.close(f"{problem.name}: PyTorch {optimizer}, three updates", after, reference)
    after = jax_updates(start, gradients, 3)
    report.close(f"{problem.name}: JAX, three updates", after, reference)


def arguments_of(name, **given):
    defaults = {"model": name, "batch_size": 4, "lanes": 2, "device": "cpu", "layout": LAYOUTS[0]}
    defaults |= {"pool": POOLS[0], "steps_per_call": 1}
    return argparse.Namespace(**defaults | given)


def check_lanes(report, name):
    """Losses of two lanes after two steps in one program and alone; a model without dropout."""
    import torch

    model = MODELS[name]
    images, labels = harness.images_and_labels()
    images, labels = torch.from_numpy(images).reshape(-1, 1, 28, 28), torch.from_numpy(labels)

    def torch_losses(lanes):
        torch.manual_seed(5)
        step = torch_lanes.lanes_step(arguments_of(name, lanes=lanes), model, images, labels)
        return [step().numpy() for _ in range(2)][-1]

    # With one lane the first order is the same, so its loss must be the first of two.
    report.close(f"{name}: PyTorch, a lane of two alone", torch_losses(1)[:1], torch_losses(2)[:1])

    import jax
    from jax import numpy as jnp

    data = (jnp.asarray(images.numpy().reshape(-1, 28, 28, 1)), jnp.asarray(labels.numpy(), "i4"))
    indices = numpy.arange(2 * 3 * 4).reshape(3, 2, 4)

    def jax_losses(lanes):
        given = arguments_of(name, lanes=lanes, steps_per_call=len(indices))
        call, state = jax_steps.program(given, model), jax_steps.initial_state(given, model)
        given_indices = indices if lanes > 1 else indices[:, 0]
        return numpy.ravel(jax.device_get(call(data, state, given_indices)[1]))

    report.close(f"{name}: JAX, a lane of two alone", jax_losses(1)[:1], jax_losses(2)[:1])


def check_counts(report):
    counts = re.findall(r'\("(\w+)", ([\d_]+)\)', MODEL_RS.read_text())
    expected = {name: int(count) for name, count in counts if name in MODELS}
    report.line("models", set(expected) == set(MODELS), f"{len(expected)} with a count")
    for name, count in expected.items():
        found = MODELS[name].n_parameters()
        in_weights = sum(weight.size for weight in harness.initial_weights(MODELS[name], 0))
        passed = found == count == in_weights
        report.line(f"{name}: parameters", passed, f"{found}, expected {count}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "fc_256_256_256,simple_cnn_narrow,simple_cnn_base"
    parser.add_argument("--models", default=default, help="separated by commas")
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args()
    report = Report()
    check_counts(report)
    for name in options.models.split(","):
        problem = Problem(name, options.batch_size)
        gradients = check_gradients(report, problem)
        check_updates(report, problem, gradients)
    check_lanes(report, "fc_64_64_64")
    return 1 if report.n_failures else 0


if __name__ == "__main__":
    sys.exit(main())
