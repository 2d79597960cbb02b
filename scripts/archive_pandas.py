#!/usr/bin/env python3
"""Steps to result of every workload of an archive, by pandas: the oracle and the yardstick.

usage: archive_pandas.py ARCHIVE [--all-trials] [--repeat N]

Prints the JSON that `cargo run --release -p critbatch-tuner --example archive_outcomes` prints, and on
stderr the rows, the files and the seconds of each repetition. Goals and numbers of trials are those
of crates/tuner/src/archive/goals.csv.

Reads as the authors' data_loader.py does (one read_csv a trial, then concat) and asks as their
measurement_utils.py does (sort by step and trial, keep what is strictly beyond the goal, take the
first), but every trial of whatever status, as critbatch does. Needs: pip install pandas.
"""

import csv
import json
import os
import sys
import time

import pandas as pd

GOALS = os.path.join(os.path.dirname(__file__), "../crates/tuner/src/archive/goals.csv")


def numbered(folder):
    return sorted((name for name in os.listdir(folder) if name.isdigit()), key=int)


def read_study(folder):
    """Metadata of the trials by id, and all measurements indexed by (trial_id, step)."""
    trials, tables = {}, {}
    for name in numbered(folder):
        with open(os.path.join(folder, name, "metadata.json")) as file:
            metadata = json.load(file)
        trials[metadata["trial_id"]] = metadata
        path = os.path.join(folder, name, "measurements.csv")
        tables[metadata["trial_id"]] = pd.read_csv(path, index_col="step")
    table = pd.concat(tables, names=["trial_id"]) if tables else None
    return trials, table


def steps_to_result(trials, table, goal, takes_all):
    if table is None:
        return None
    complete = [trial for trial in sorted(trials) if trials[trial]["status"] == "COMPLETE"]
    counted = complete if takes_all else complete[: int(goal["n_trials"])]
    metric = table.loc[table.index.isin(counted, level="trial_id"), goal["metric"]]
    metric = metric.reset_index().sort_values(["step", "trial_id"], kind="stable")
    value, threshold = metric[goal["metric"]], float(goal["threshold"])
    beyond = metric[value < threshold if goal["direction"] == "below" else value > threshold]
    return None if beyond.empty else [int(beyond.iloc[0]["step"]), int(beyond.iloc[0]["trial_id"])]


def read_archive(archive, takes_all):
    results, n_rows, n_files = {}, 0, 0
    with open(GOALS) as file:
        goals = list(csv.DictReader(file))
    for goal in goals:
        name = os.path.join(goal["dataset"], goal["model"], goal["optimizer"])
        folder = os.path.join(archive, name)
        if not os.path.isdir(folder):
            continue
        results[name] = {}
        for batch_size in numbered(folder):
            trials, table = read_study(os.path.join(folder, batch_size))
            n_rows += 0 if table is None else len(table)
            n_files += len(trials)
            results[name][batch_size] = steps_to_result(trials, table, goal, takes_all)
    return results, n_rows, n_files


def main(arguments):
    takes_all = "--all-trials" in arguments
    n_repeats = int(arguments[arguments.index("--repeat") + 1]) if "--repeat" in arguments else 1
    for _ in range(n_repeats):
        start = time.perf_counter()
        results, n_rows, n_files = read_archive(arguments[0], takes_all)
        seconds = time.perf_counter() - start
        print(f"{n_rows} rows in {n_files} files in {seconds:.3f} s", file=sys.stderr)
    print(json.dumps(results, sort_keys=True))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1:])
