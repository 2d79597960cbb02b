#!/usr/bin/env python3
"""Holds an exported experiment to pandas and to the measurements in its store.

usage: check_export.py CRITBATCH DIR

CRITBATCH is the program, DIR the output directory of a run. Exports DIR into a temporary archive and
checks that

- every measurements.csv loads with pandas.read_csv(..., index_col="step"), with whole ascending
  steps and columns of numbers, under pandas' default parser and its exact one;
- every value is, bit for bit, the one in the store, and every value of the store is there;
- studies and trials have the authors' keys, and names of folders that agree with them;
- steps to result, computed as the authors' measurement_utils.py does, are those of
  `critbatch table DIR --json`.

Needs: pip install pandas.
"""

import json
import math
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile
import warnings

import pandas as pd

STUDY_KEYS = {"batch_size", "dataset", "early_stopping", "model", "optimizer", "train_steps"}
STUDY_KEYS |= {"parameter_configs"}
TRIAL_KEYS = {"parameters", "status", "steps", "trial_id"}


# From pandas 3 on the default parser is to become the exact one, and naming it warns.
warnings.filterwarnings("ignore", message=".*float_precision.*")


def bits(value):
    return "nan" if math.isnan(value) else struct.pack("<d", value).hex()


def numbered(folder):
    names = [name for name in os.listdir(folder) if os.path.isdir(os.path.join(folder, name))]
    return sorted(names, key=int)


def stored(directory):
    """(batch size, trial id) to {(step, metric): bits}."""
    path = os.path.join(directory, "critbatch.sqlite")
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    trials = {row: {} for row in database.execute(
        "SELECT batch_size, trial_id FROM trials WHERE repeat = 0")}
    rows = database.execute(
        "SELECT batch_size, trial_id, step, name, value FROM measurements "
        "JOIN metrics USING (metric_id) WHERE repeat = 0")
    for batch_size, trial_id, step, metric, value in rows:
        value = math.nan if value is None else value
        trials[batch_size, trial_id][step, metric] = bits(value)
    return trials


def read_trial(folder):
    path = os.path.join(folder, "measurements.csv")
    default = pd.read_csv(path, index_col="step")
    exact = pd.read_csv(path, index_col="step", float_precision="round_trip")
    for table in (default, exact):
        assert table.index.name == "step" and table.index.dtype == "int64", path
        assert table.index.is_monotonic_increasing and table.index.is_unique, path
        assert all(dtype == "float64" for dtype in table.dtypes), (path, table.dtypes)
    return default, exact


def check_study(folder, batch_size, in_store):
    """The default parser's table of the complete trials, and the file's facts."""
    with open(os.path.join(folder, "study.json")) as file:
        study = json.load(file)
    assert STUDY_KEYS <= set(study), study.keys()
    assert study["batch_size"] == batch_size
    tables, n_values = {}, 0
    for name in numbered(folder):
        with open(os.path.join(folder, name, "metadata.json")) as file:
            trial = json.load(file)
        assert set(trial) == TRIAL_KEYS and trial["trial_id"] == int(name), trial
        assert trial["status"] in ("COMPLETE", "INCOMPLETE", "INFEASIBLE"), trial
        default, exact = read_trial(os.path.join(folder, name))
        if trial["status"] == "COMPLETE":
            tables[int(name)] = default
        values = {
            (step, metric): bits(value)
            for metric, column in exact.items()
            for step, value in column.items()
        }
        expected = in_store.pop((batch_size, int(name)))
        missing = {key: "nan" for key in values if key not in expected}
        assert values == {**missing, **expected}, (batch_size, name)
        n_values += len(expected)
    return tables, study, n_values


def steps_to_result(tables, goal, n_trials):
    first = {trial: tables[trial] for trial in sorted(tables)[:n_trials]}
    if not first:
        return None
    table = pd.concat(first, names=["trial_id"])[goal["metric"]].reset_index()
    table = table.sort_values(["step", "trial_id"], kind="stable")
    value = table[goal["metric"]]
    beyond = table[value < goal["below"] if "below" in goal else value > goal["above"]]
    return None if beyond.empty else int(beyond.iloc[0]["step"])


def main(critbatch, directory):
    table = json.loads(subprocess.check_output([critbatch, "table", directory, "--json"]))
    expected = {study["batch_size"]: study["steps_to_result"] for study in table["studies"]}
    workload = table["workload"]
    in_store = stored(directory)
    n_trials, n_values, results = len(in_store), 0, {}
    with tempfile.TemporaryDirectory() as archive:
        subprocess.check_call([critbatch, "export", directory, "--to", archive])
        folder = os.path.join(
            archive, workload["dataset"], workload["model"], workload["optimizer"])
        for name in numbered(folder):
            tables, study, n_read = check_study(os.path.join(folder, name), int(name), in_store)
            n_counted = study.get("critbatch", {}).get("n_trials")
            results[int(name)] = steps_to_result(tables, table["goal"], n_counted)
            n_values += n_read
    assert not in_store, f"trials that were not exported: {sorted(in_store)}"
    assert results == expected, (results, expected)
    print(f"{len(results)} studies, {n_trials} trials, {n_values} values: equal bit for bit; "
          f"the same steps to result: {results}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
