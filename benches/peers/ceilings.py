#!/usr/bin/env python3
"""What the machine can do at best, measured: matrix products and the momentum update.

usage: ceilings.py --threads N --stream-elements N1,N2 [--seconds S] [--device cpu|cuda]

One line of JSON on stdout, with what each framework that is installed reaches:

product_gflop_per_second            a 1024^3 product in f32 (2048^3 and without TF32 on cuda)
stream_gigabyte_per_second          by number of weights: Nesterov momentum over weights,
                                    velocities and gradients of that many elements, 20 bytes an
                                    element (three arrays read, two written)
"""

import argparse
import json
import os
import sys

import harness

BYTES_PER_ELEMENT = 20


def torch_ceilings(options):
    import torch

    torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    device, wait = options.device, lambda: None
    if device == "cuda":
        wait = torch.cuda.synchronize
    lhs, rhs = (torch.rand(options.size, options.size, device=device) for _ in range(2))
    out = torch.empty_like(lhs)

    def repeated(call):
        def run(n_calls):
            for _ in range(n_calls):
                call()
            wait()

        return run

    def stream(n_elements):
        weights = torch.nn.Parameter(torch.zeros(n_elements, device=device))
        weights.grad = torch.full_like(weights, 1e-3)
        sgd = torch.optim.SGD(
            [weights], lr=1e-3, momentum=harness.MOMENTUM, nesterov=True, fused=True
        )
        return repeated(sgd.step)

    return repeated(lambda: torch.mm(lhs, rhs, out=out)), stream


def jax_ceilings(options):
    import jax
    from jax import numpy as jnp

    if options.device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_default_matmul_precision", "highest")
    lhs, rhs = (jax.random.uniform(jax.random.key(i), [options.size] * 2) for i in range(2))
    product = jax.jit(jnp.matmul)

    def run_products(n_calls):
        for _ in range(n_calls):
            last = product(lhs, rhs)
        last.block_until_ready()

    def update(weights, velocities, gradients):
        velocities = harness.MOMENTUM * velocities + gradients
        return weights - 1e-3 * (gradients + harness.MOMENTUM * velocities), velocities

    def stream(n_elements):
        jitted = jax.jit(update, donate_argnums=(0, 1))
        state = [jnp.zeros(n_elements), jnp.zeros(n_elements)]
        gradients = jnp.full(n_elements, 1e-3)

        def run(n_calls):
            for _ in range(n_calls):
                state[:] = jitted(*state, gradients)
            jax.block_until_ready(state)

        return run

    return run_products, stream


def measured(frameworks, work_per_call, choose, seconds):
    """10^9 units of work a second by framework."""
    rates = {}
    for name, ceilings in frameworks.items():
        n_calls, elapsed = harness.time_calls(choose(ceilings), seconds)
        rates[name] = n_calls * work_per_call / elapsed / 1e9
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--stream-elements", default="", help="separated by commas")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    options.processes = 1
    # Both frameworks share the card here.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    harness.use_processors(options)
    options.size = 2048 if options.device == "cuda" else 1024
    frameworks, errors = {}, {}
    for name, prepare in {"pytorch": torch_ceilings, "jax": jax_ceilings}.items():
        try:
            frameworks[name] = prepare(options)
        except (ImportError, RuntimeError, AssertionError) as error:
            errors[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    flops = 2 * options.size**3
    product = measured(frameworks, flops, lambda ceilings: ceilings[0], options.seconds)
    streams = {}
    for n_elements in [int(n) for n in options.stream_elements.split(",") if n]:
        stream = lambda ceilings: ceilings[1](n_elements)
        n_bytes = BYTES_PER_ELEMENT * n_elements
        streams[n_elements] = measured(frameworks, n_bytes, stream, options.seconds)
    found = {"product_gflop_per_second": product, "stream_gigabyte_per_second": streams}
    print(json.dumps({**found, "errors": errors}))


if __name__ == "__main__":
    sys.exit(main())
