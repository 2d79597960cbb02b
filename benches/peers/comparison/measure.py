"""Runs contenders: variants first, then rounds in which all alternate. Failures are results."""

import json
import os
import pathlib
import resource
import statistics
import subprocess
import time

from models import MODELS

RATE = "examples_per_second"
# Elements above which a larger working set changes no bandwidth: far beyond every cache.
MAX_STREAM_ELEMENTS = 1 << 26


def busy_seconds():
    """Processor seconds that the whole machine has worked; None where the system does not tell."""
    stat = pathlib.Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, stat.read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    """Processor seconds of this process's finished children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command, timeout):
    """The JSON that a command prints last, with `elsewhere`: the processors' share that others
    took meanwhile. If it fails, `error` says how."""
    started, busy, own = time.monotonic(), busy_seconds(), own_seconds()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"error": str(error)}
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return {"error": lines[-1] if lines else f"ended with {done.returncode}"}
    try:
        result = json.loads(done.stdout.strip().splitlines()[-1])
    except (json.JSONDecodeError, IndexError):
        return {"error": f"printed no JSON: {done.stdout[-200:]!r}"}
    if busy is not None:
        others = (busy_seconds() - busy) - (own_seconds() - own)
        available = (time.monotonic() - started) * os.cpu_count()
        result["elsewhere"] = max(0.0, others / available)
    return result


def fastest(contender, cell, programs, options, say):
    """The variant to take part with, and what each reached in one short run."""
    if len(contender.variants) == 1:
        return contender.variants[0], []
    tried = []
    for variant in contender.variants:
        command = programs.command(contender, variant, cell, options.tune_seconds)
        result = run(command, options.timeout)
        tried.append({"variant": " ".join(variant), **result})
        say(f"  {contender.name} {' '.join(variant)}: {told(result)}")
    best = max(range(len(tried)), key=lambda index: tried[index].get(RATE, -1.0))
    return contender.variants[best], tried


def told(result):
    return f"{result[RATE]:,.0f} examples/s" if RATE in result else result.get("error", "no rate")


def measure_cell(cell, contenders, programs, options, say):
    """Medians of all contenders in one cell, and its ceilings, ready for JSON."""
    say(f"{cell.model}, batch size {cell.batch_size}")
    chosen, runs = {}, {contender.name: [] for contender in contenders}
    for contender in contenders:
        chosen[contender.name] = fastest(contender, cell, programs, options, say)
    for number in range(options.rounds):
        # Each round begins with another one, so that nobody always follows the same neighbour.
        first = number % len(contenders)
        for contender in contenders[first:] + contenders[:first]:
            variant = chosen[contender.name][0]
            command = programs.command(contender, variant, cell, options.seconds)
            runs[contender.name].append(run(command, options.timeout))
            say(f"  round {number + 1}, {contender.name}: {told(runs[contender.name][-1])}")
    measured = {
        contender.name: summary(contender, *chosen[contender.name], runs[contender.name])
        for contender in contenders
    }
    ceilings = run(programs.ceilings_command(working_sets(cell, measured)), options.timeout)
    return {
        "model": cell.model,
        "batch_size": cell.batch_size,
        "contenders": measured,
        "ceilings": ceilings,
    }


def summary(contender, variant, tried, runs):
    """One contender's result: the median of its rounds, or the error of one that failed."""
    rates = [result[RATE] for result in runs if RATE in result]
    result = {"title": contender.title, "variant": " ".join(variant), "tried": tried, "runs": runs}
    if len(rates) == len(runs) and rates:
        return {**result, RATE: statistics.median(rates), "spread": [min(rates), max(rates)]}
    return {**result, "error": next(r.get("error", "no rate") for r in runs if RATE not in r)}


def working_sets(cell, measured):
    """Weights of one lane, and of as many lanes as critbatch chose."""
    lanes = {1}
    for contender in measured.values():
        lanes |= {run.get("lanes", 1) for run in contender["runs"]}
    n_parameters = MODELS[cell.model].n_parameters()
    return sorted({min(n * n_parameters, MAX_STREAM_ELEMENTS) for n in lanes})
