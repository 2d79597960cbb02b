#!/usr/bin/env python3
"""Tests of `compare` with programs that print given rates: no framework, no critbatch, seconds.

usage: python3 -m unittest discover -s benches/peers
"""

import importlib.machinery
import importlib.util
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout

PEERS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(PEERS))

from comparison import report  # noqa: E402
from comparison.figures import Figures  # noqa: E402
from models import MODELS  # noqa: E402

# Examples a second by what is run; a fake of both the interpreter and critbatch.
FAKE = """#!{python}
import json, sys
arguments = " ".join(sys.argv[1:])
if arguments == "--version":
    print("critbatch 9.9")
elif "import importlib" in arguments:
    print("python=3.0 torch=1.2")
elif "ceilings.py" in arguments:
    sizes = arguments.rsplit(" ", 1)[1].split(",")
    streams = {{size: {{"pytorch": 10.0, "jax": 50.0}} for size in sizes}}
    product = {{"pytorch": 100.0, "jax": 300.0}}
    print(json.dumps({{"product_gflop_per_second": product, "stream_gigabyte_per_second": streams,
                      "errors": {{}}}}))
elif "{broken}" in arguments:
    sys.exit("no module named {broken}")
else:
    lanes = 4 if "--lanes auto" in arguments else 1
    rates = {{"--lanes auto": 4000.0, "--lanes 1": 900.0, "--mode compile": 500.0,
             "--processes": 1100.0, "jax_steps": 1000.0}}
    rate = next((r for key, r in rates.items() if key in arguments), 400.0)
    flops = {flops}
    print("a line that is not JSON")
    print(json.dumps({{"examples_per_second": rate, "lanes": lanes,
                      "gflop_per_second": rate * flops / 1e9, "product_gflop_per_second": 200.0}}))
"""


def load_compare():
    """The command as a module."""
    loader = importlib.machinery.SourceFileLoader("compare", str(PEERS / "compare"))
    spec = importlib.util.spec_from_loader("compare", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


class CompareTest(unittest.TestCase):
    """Each test runs the command on fake programs in a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.compare = load_compare()

    def record(self, model="simple_cnn_base", batch_size=8, broken="nothing", flops=None, more=()):
        fake = self.folder / "fake"
        flops = flops or MODELS[model].flops_per_example()
        fake.write_text(FAKE.format(python=sys.executable, broken=broken, flops=flops))
        fake.chmod(0o755)
        arguments = ["--critbatch", str(fake), "--python", str(fake), "--models", model]
        arguments += ["--batch-sizes", str(batch_size), "--out", str(self.folder)]
        arguments += ["--rounds", "1", *more]
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            self.assertEqual(self.compare.main(arguments), 0)
        self.text = (self.folder / "comparison.md").read_text()
        return json.loads((self.folder / "comparison.json").read_text())

    def test_the_fastest_variant_takes_part_and_rounds_alternate(self):
        cell = self.record(more=["--rounds", "3"])["cells"][0]
        pytorch = cell["contenders"]["pytorch"]
        self.assertIn("--mode compile", pytorch["variant"])
        self.assertEqual(len(pytorch["tried"]), 8)
        self.assertEqual(pytorch["examples_per_second"], 500.0)
        self.assertEqual(len(pytorch["runs"]), 3)
        self.assertIn("| 8.00x | 4.00x |", self.text)

    def test_ceilings_are_those_of_the_issues_formula(self):
        figures = Figures(self.record()["cells"][0], gpu=False)
        self.assertEqual(figures.product_ceiling(), 300.0)
        self.assertEqual(figures.stream_ceiling("critbatch"), 50.0)
        # 8 examples of 82 MFLOP at 300 GFLOP/s, then 16 bytes of 3.27 M parameters at 50 GB/s.
        model = MODELS["simple_cnn_base"]
        seconds = 8 * model.flops_per_example() / 300e9 + 16 * 3_274_634 / 50e9
        self.assertAlmostEqual(figures.arithmetic_ceiling("critbatch"), 8 / seconds, places=6)
        share = 4000 * model.flops_per_example() / 300e9
        self.assertAlmostEqual(figures.share_of_product("critbatch"), share, places=9)

    def test_goals_of_issue_4_are_met_or_said_not_to_be(self):
        met = Figures(self.record()["cells"][0], gpu=False)
        self.assertEqual(report.goal_text(met), "met")
        behind = Figures(self.record(batch_size=2)["cells"][0], gpu=False)
        # Needs 8 times PyTorch's 500, which is exactly reached, and twice JAX's 1000.
        self.assertEqual(report.goal_text(behind), "met")
        missing = Figures(self.record(batch_size=2, broken="jax_steps")["cells"][0], gpu=False)
        self.assertEqual(report.goal_text(missing), "not met: JAX x not measured")
        narrow = self.record(model="fc_256_256_256", batch_size=128, broken="--mode compile")
        narrow["cells"][0]["contenders"]["critbatch"]["examples_per_second"] = 990.0
        text = report.goal_text(Figures(narrow["cells"][0], gpu=False))
        self.assertIn("not met: JAX x 0.99 of 1; share of ceiling", text)

    def test_where_critbatch_is_behind_is_listed(self):
        record = self.record()
        cells = [Figures(cell, gpu=False) for cell in record["cells"]]
        one_lane = ["- one lane, simple_cnn_base at 8: 0.90x JAX"]
        self.assertEqual(report.behind(record, cells), one_lane)
        record["cells"][0]["contenders"]["jax_lanes"]["examples_per_second"] = 5000.0
        lines = report.behind(record, cells)
        self.assertEqual(lines[0], "- all lanes, simple_cnn_base at 8: 0.80x JAX, several")
        self.assertEqual(lines[1:], one_lane)
        for contender in record["cells"][0]["contenders"].values():
            contender.pop("examples_per_second")
        self.assertEqual(report.behind(record, cells), ["Nowhere, in 0 ratios that could be taken."])

    def test_a_peer_that_fails_is_reported_and_the_others_go_on(self):
        cell = self.record(broken="torch_steps")["cells"][0]
        self.assertIn("no module named torch_steps", cell["contenders"]["pytorch"]["error"])
        self.assertEqual(cell["contenders"]["jax"]["examples_per_second"], 1000.0)
        self.assertIn("- PyTorch, simple_cnn_base at 8: no module named torch_steps", self.text)

    def test_a_missing_program_is_reported(self):
        more = ["--contenders", "critbatch,jax", "--python", str(self.folder / "absent")]
        cell = self.record(more=more)["cells"][0]
        self.assertIn("No such file", cell["contenders"]["jax"]["error"])
        self.assertIn("ceilings by all", self.text)
        self.assertEqual(cell["contenders"]["critbatch"]["examples_per_second"], 4000.0)

    def test_another_count_of_flops_is_noticed(self):
        self.record()
        self.assertNotIn("one of them is wrong", self.text)
        self.record(flops=10**9)
        self.assertIn("critbatch counts 1,000,000,000 FLOP an example", self.text)

    def test_tables_replace_what_stood_between_the_markers(self):
        begin, end = report.markers(gpu=False)
        document = f"before\n{begin}\nold\n{end}\nafter\n"
        text = report.with_tables(document, "new\n", gpu=False)
        self.assertEqual(text, f"before\n{begin}\n\nnew\n\n{end}\nafter\n")
        self.assertEqual(report.with_tables(text, "new\n", gpu=False), text)
        with self.assertRaises(ValueError):
            report.with_tables(document, "new\n", gpu=True)

    def test_gpu_goals_compare_with_eager_and_with_the_best_of_the_others(self):
        cell = {"model": "simple_cnn_base", "batch_size": 8, "ceilings": {}}
        rates = {"critbatch": 2000.0, "pytorch": 90.0, "pytorch_compile": 100.0, "jax_lanes": 500.0}
        cell["contenders"] = {name: {"examples_per_second": r} for name, r in rates.items()}
        text = report.goal_text(Figures(cell, gpu=True))
        self.assertEqual(text, "not met: best of the others x 4.00 of 5")

    def test_dry_run_prints_every_command_and_runs_none(self):
        arguments = ["--dry-run", "--gpu", "--models", "fc_64_64_64", "--batch-sizes", "2"]
        done = subprocess.run(
            [PEERS / "compare", *arguments], capture_output=True, text=True, check=True
        )
        for expected in ["--mode cuda_graph", "--device wgpu", "--lanes 128", "ceilings.py"]:
            self.assertIn(expected, done.stdout)


class ModelsTest(unittest.TestCase):
    """Arithmetic of the networks."""

    def test_flops_are_those_of_the_layers(self):
        # 784 x 64, 64 x 64 twice, 64 x 10: three products each, the first layer two.
        expected = 2 * (2 * 784 * 64 + 3 * (64 * 64 + 64 * 64 + 64 * 10))
        self.assertEqual(MODELS["fc_64_64_64"].flops_per_example(), expected)
        convolutions = 2 * 784 * 25 * 32 * 2 + 2 * 196 * 800 * 64 * 3
        dense = 2 * 3 * (3136 * 1024 + 1024 * 10)
        self.assertEqual(MODELS["simple_cnn_base"].flops_per_example(), convolutions + dense)


if __name__ == "__main__":
    unittest.main()
