"""What the peers' scripts share: arguments, data, initial weights, the clock, processes.

Needs numpy. A script sets its threads here, before it imports its framework: XLA sizes its thread
pools by the processors that the process may use.
"""

import argparse
import json
import math
import multiprocessing
import os
import time

import numpy

from models import IMAGE_SIZE, MODELS, N_CLASSES, product

LEARNING_RATE = 0.001
MOMENTUM = 0.9
# Training examples of mnist_5k, which critbatch is measured on.
N_EXAMPLES = 4000
# Standard deviation of a normal that is cut at two standard deviations.
TRUNCATED_DEVIATION = 0.8796256610342398
# Longest wait of one process for the others: compilers take their time.
BARRIER_SECONDS = 900


def parser(description):
    """The options of every peer; a script adds those of its framework."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--model", choices=sorted(MODELS), required=True)
    options.add_argument("--batch-size", type=int, required=True)
    options.add_argument("--seconds", type=float, default=3.0, help="timed, after a warm-up")
    options.add_argument("--threads", type=int, default=os.cpu_count(), help="of all processes")
    options.add_argument("--lanes", type=int, default=1, help="networks in one program, by vmap")
    options.add_argument("--processes", type=int, default=1, help="such programs side by side")
    options.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    return options


def images_and_labels():
    """Random bytes [N, 28, 28, 1] and classes [N], always the same."""
    random = numpy.random.default_rng(0)
    images = random.integers(0, 256, (N_EXAMPLES, IMAGE_SIZE, IMAGE_SIZE, 1), dtype=numpy.uint8)
    return images, random.integers(0, N_CLASSES, N_EXAMPLES, dtype=numpy.int64)


def initial_weights(model, seed):
    """Kernels (LeCun normal, truncated) and biases (zero), alternating."""
    random = numpy.random.default_rng(seed)
    weights = []
    for shape in model.kernel_shapes():
        fan_in = product(shape[:-1])
        normal = random.standard_normal(2 * product(shape))
        normal = normal[numpy.abs(normal) <= 2.0][: product(shape)].reshape(shape)
        kernel = normal / (TRUNCATED_DEVIATION * math.sqrt(fan_in))
        weights += [kernel.astype(numpy.float32), numpy.zeros(shape[-1], numpy.float32)]
    return weights


class Epochs:
    """Indices of shuffled epochs, one after the other; a batch may straddle two."""

    def __init__(self, permutation, concatenate):
        """`permutation()` gives a fresh order of all examples; `concatenate` joins a list."""
        self.permutation, self.concatenate = permutation, concatenate
        self.order, self.offset = permutation(), 0

    def take(self, count):
        """The next `count` indices."""
        parts = []
        while count > 0:
            if self.offset == len(self.order):
                self.order, self.offset = self.permutation(), 0
            part = self.order[self.offset : self.offset + count]
            self.offset += len(part)
            count -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else self.concatenate(parts)


def time_calls(run, seconds, ready=lambda: None):
    """Calls and seconds of `run(n_calls)`, which returns when all of them are done.

    Warms up first (compilation, caches, clock rates) for at least two calls and a tenth of the
    time; then asks the clock about twenty times.
    """
    run(2)
    n_calls, start = 1, time.perf_counter()
    while True:
        run(n_calls)
        elapsed = time.perf_counter() - start
        if elapsed > seconds / 10:
            break
        n_calls *= 2
    per_call = elapsed / (2 * n_calls - 1)
    n_calls = max(1, round(seconds / 20 / per_call))
    ready()
    total, start = 0, time.perf_counter()
    while True:
        run(n_calls)
        total += n_calls
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return total, elapsed


def measure(build, options, ready=lambda: None):
    """One process: `build(options)` returns (run, steps of a call, loss, facts)."""
    run, steps_per_call, loss, facts = build(options)
    n_calls, seconds = time_calls(run, options.seconds, ready)
    final_loss = loss()
    # What diverges is not timed: infinities and NaN may be faster or slower than numbers.
    if not math.isfinite(final_loss):
        raise SystemExit(f"the loss is {final_loss} after training; expected a finite number")
    n_steps = n_calls * steps_per_call
    return {
        **facts,
        "seconds": seconds,
        "steps_per_second_per_lane": n_steps / seconds,
        "examples_per_second": n_steps * options.lanes * options.batch_size / seconds,
        "loss": final_loss,
    }


def use_processors(options, index=0):
    """Restricts this process to its share of the processors; returns its number of threads."""
    n_threads = max(1, options.threads // options.processes)
    if options.device == "cpu" and hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        first = index * n_threads % len(processors)
        os.sched_setaffinity(0, processors[first : first + n_threads] or processors)
    return n_threads


def worker(build, options, index, barrier, results):
    """One of several processes; all start their clocks together."""
    try:
        options.threads_of_process = use_processors(options, index)
        results.put(measure(build, options, lambda: barrier.wait(BARRIER_SECONDS)))
    except BaseException as error:
        barrier.abort()
        results.put(f"{type(error).__name__}: {error}")
        raise


def measure_processes(build, options):
    """Sum over processes that run side by side, as people run several trials on one machine."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(options.processes), context.Queue()
    arguments = (build, options)
    processes = [
        context.Process(target=worker, args=(*arguments, index, barrier, results))
        for index in range(options.processes)
    ]
    for process in processes:
        process.start()
    measured = [results.get(timeout=BARRIER_SECONDS) for _ in processes]
    for process in processes:
        process.join()
    failures = [result for result in measured if isinstance(result, str)]
    if failures:
        raise SystemExit(failures[0])
    rates = sum(result["examples_per_second"] for result in measured)
    return {**measured[0], "examples_per_second": rates}


def main(build, options):
    """Measures and prints one line of JSON."""
    if options.processes > 1:
        result = measure_processes(build, options)
    else:
        options.threads_of_process = use_processors(options)
        result = measure(build, options)
    named = ["model", "batch_size", "device", "threads", "lanes", "processes"]
    print(json.dumps({**{name: getattr(options, name) for name in named}, **result}))
