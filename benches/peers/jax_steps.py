#!/usr/bin/env python3
"""Whole training steps of critbatch's networks in JAX, as its users would write them.

usage: jax_steps.py --model M --batch-size B [--lanes L] [--steps-per-call K] [--pool ...]

One line of JSON on stdout. The whole step is one jitted function with donated weights and
velocities: it takes its batch out of the data, normalises it, and goes forward, backward and
through Nesterov momentum, all in f32. --steps-per-call runs K steps in a call by lax.scan; --lanes
trains L networks at once by vmap, each with its own batches. --pool says how the maximum over 2x2
windows is written: `window` is lax.reduce_window (as flax does), `reshape` a reshape and a maximum,
whose gradient XLA handles better on some machines.
"""

import sys

import harness
from models import MODELS


def options():
    parser = harness.parser(__doc__)
    parser.add_argument("--steps-per-call", type=int, default=1)
    parser.add_argument("--pool", choices=["window", "reshape"], default="window")
    return parser.parse_args()


def max_pool(x, pool):
    import jax
    from jax import numpy as jnp

    if pool == "window":
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    n, height, width, channels = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))


def logits_of(weights, x, dropout, pool):
    """`weights` as of harness.initial_weights, `x` [N, H, W, C]; `dropout` is a function."""
    import jax

    layers = list(zip(weights[::2], weights[1::2], strict=True))
    for index, (kernel, bias) in enumerate(layers):
        if kernel.ndim == 4:
            axes = ("NHWC", "HWIO", "NHWC")
            x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=axes)
            x = max_pool(jax.nn.relu(x + bias), pool)
            continue
        x = x.reshape(len(x), -1)
        if index == len(layers) - 1:
            return dropout(x) @ kernel + bias
        x = jax.nn.relu(x @ kernel + bias)
    raise AssertionError("every network ends with logits")


def loss_of(weights, x, labels, dropout, pool):
    """Mean softmax cross entropy."""
    import jax
    from jax import numpy as jnp

    logarithms = jax.nn.log_softmax(logits_of(weights, x, dropout, pool))
    return -jnp.take_along_axis(logarithms, labels[:, None], axis=1).mean()


def random_dropout(rate, key):
    """Keeps each element with probability 1 - rate, and the mean."""
    import jax
    from jax import numpy as jnp

    if rate == 0.0:
        return lambda x: x

    def dropout(x):
        kept = jax.random.bernoulli(key, 1.0 - rate, x.shape)
        return jnp.where(kept, x / (1.0 - rate), 0.0)

    return dropout


def update(weights, velocities, gradients):
    """Nesterov momentum: v <- gamma v + g, w <- w - eta (g + gamma v)."""
    import jax

    eta, gamma = harness.LEARNING_RATE, harness.MOMENTUM
    velocities = jax.tree.map(lambda v, g: gamma * v + g, velocities, gradients)
    step = lambda w, v, g: w - eta * (g + gamma * v)
    return jax.tree.map(step, weights, velocities, gradients), velocities


def train_step(model, pool, data, state, indices):
    """One step of one lane; `state` is weights, velocities and a random key."""
    import jax
    from jax import numpy as jnp

    images, labels = data
    weights, velocities, key = state
    key, dropout_key = jax.random.split(key)
    x = images[indices].astype(jnp.float32) * (1 / 255)
    dropout = random_dropout(model.dropout, dropout_key)
    loss = lambda weights: loss_of(weights, x, labels[indices], dropout, pool)
    value, gradients = jax.value_and_grad(loss)(weights)
    weights, velocities = update(weights, velocities, gradients)
    return (weights, velocities, key), value


def program(given, model):
    """The jitted call: steps [K] of lanes [L], each of which may be absent."""
    import jax

    def step(data, state, indices):
        return train_step(model, given.pool, data, state, indices)

    if given.lanes > 1:
        step = jax.vmap(step, in_axes=(None, 0, 0))

    def call(data, state, indices):
        if given.steps_per_call == 1:
            return step(data, state, indices[0])
        state, losses = jax.lax.scan(lambda s, i: step(data, s, i), state, indices)
        return state, losses[-1]

    return jax.jit(call, donate_argnums=1)


def initial_state(given, model):
    import jax
    from jax import numpy as jnp

    def state(lane):
        weights = [jnp.asarray(weight) for weight in harness.initial_weights(model, lane)]
        return weights, [jnp.zeros_like(weight) for weight in weights], jax.random.key(lane)

    if given.lanes == 1:
        return state(0)
    return jax.tree.map(lambda *each: jnp.stack(each), *map(state, range(given.lanes)))


def build(given):
    """For harness.measure."""
    import jax
    import numpy
    from jax import numpy as jnp

    if given.device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    # The cheapest generator for dropout that JAX has; and on a GPU f32 products in f32, not TF32.
    jax.config.update("jax_default_prng_impl", "unsafe_rbg")
    jax.config.update("jax_default_matmul_precision", "highest")
    model = MODELS[given.model]
    images, labels = harness.images_and_labels()
    data = (jnp.asarray(images), jnp.asarray(labels.astype(numpy.int32)))
    call, state = program(given, model), initial_state(given, model)
    random = numpy.random.default_rng(0)
    fresh = lambda: random.permutation(harness.N_EXAMPLES).astype(numpy.int32)
    orders = [harness.Epochs(fresh, numpy.concatenate) for _ in range(given.lanes)]
    steps, batch_size = given.steps_per_call, given.batch_size
    current = {"state": state, "loss": None}

    def run(n_calls):
        for _ in range(n_calls):
            lanes = [order.take(steps * batch_size).reshape(steps, -1) for order in orders]
            indices = lanes[0] if given.lanes == 1 else numpy.stack(lanes, axis=1)
            current["state"], current["loss"] = call(data, current["state"], indices)
        jax.block_until_ready(current)

    facts = {"framework": "jax", "version": jax.__version__, "steps_per_call": steps}
    facts = {**facts, "pool": given.pool, "mode": "vmap" if given.lanes > 1 else "jit"}
    return run, steps, lambda: float(numpy.mean(current["loss"])), facts


if __name__ == "__main__":
    sys.exit(harness.main(build, options()))
