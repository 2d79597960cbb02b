"""Arithmetic on measured cells: ratios, ceilings, and the goals of issue 4."""

import statistics

from models import MODELS

from comparison.measure import MAX_STREAM_ELEMENTS, RATE

# A step reads and writes weights and velocities once, whatever else it does: 4 x 4 bytes each.
UPDATE_BYTES_PER_PARAMETER = 16

# Ratios of all lanes to PyTorch and to JAX that issue 4 asks for, by model and batch size.
BASE = {2: 8, 8: 4, 32: 2, 128: 2, 512: 2}
CPU_GOALS = {
    "simple_cnn_base": {batch: {"pytorch": ratio, "jax": 2} for batch, ratio in BASE.items()},
    "simple_cnn_narrow": {
        batch: {"pytorch": 3 if batch < 32 else 1.5} for batch in (2, 8, 32, 128, 512)
    },
    "fc_256_256_256": {8: {"pytorch": 4, "jax": 2}, 128: {"jax": 1}, 512: {"jax": 1}},
}
NAMES = {"pytorch": "PyTorch", "jax": "JAX"}
# Share of the ceiling by arithmetic that issue 4 asks for from this batch size on.
CEILING_GOAL = (32, 0.70)
# On a GPU, at batch sizes up to 32: against PyTorch eager, and against the best of the others.
GPU_LANES_GOAL = (32, 20, 5)
# On a GPU, one lane at batch size 512 against PyTorch with TF32 off.
GPU_ONE_LANE_GOAL = (512, 0.5)


class Figures:
    """What one cell says."""

    def __init__(self, cell, gpu):
        self.cell, self.gpu = cell, gpu
        self.model, self.batch_size = cell["model"], cell["batch_size"]

    def rate(self, name):
        """Median examples per second of a contender, or None."""
        return self.cell["contenders"].get(name, {}).get(RATE)

    def ratio(self, name, to):
        """How many times the other's rate, or None."""
        rate, other = self.rate(name), self.rate(to)
        return rate / other if rate and other else None

    def reported(self, name, key):
        """Median of a number that critbatch reports, or None."""
        runs = self.cell["contenders"].get(name, {}).get("runs", [])
        values = [run[key] for run in runs if run.get(key) is not None]
        return statistics.median(values) if values else None

    def lanes(self, name):
        """Lanes that critbatch ran."""
        return int(self.reported(name, "lanes") or 1)

    def gflop_per_second(self, name):
        """Arithmetic that a contender did, in 10^9 FLOP/s."""
        rate = self.rate(name)
        return rate * MODELS[self.model].flops_per_example() / 1e9 if rate else None

    def product_ceiling(self):
        """The fastest product that anybody reached in this cell, in 10^9 FLOP/s, or None."""
        rates = list(self.cell["ceilings"].get("product_gflop_per_second", {}).values())
        for name in ("critbatch", "critbatch_one_lane"):
            rates.append(self.reported(name, "product_gflop_per_second"))
        return max([rate for rate in rates if rate], default=None)

    def stream_ceiling(self, name):
        """The best bandwidth at the contender's working set, in 10^9 bytes/s, or None."""
        n_elements = self.lanes(name) * MODELS[self.model].n_parameters()
        streams = self.cell["ceilings"].get("stream_gigabyte_per_second", {})
        at_size = streams.get(str(min(n_elements, MAX_STREAM_ELEMENTS)), {})
        return max(at_size.values(), default=None)

    def arithmetic_ceiling(self, name):
        """Examples per second if a step took its FLOPs at the product's rate, and then its update
        at the stream's: B / (FLOPs / product + bytes / bandwidth); or None."""
        product, stream = self.product_ceiling(), self.stream_ceiling(name)
        if not product or not stream:
            return None
        model = MODELS[self.model]
        products = self.batch_size * model.flops_per_example() / (product * 1e9)
        update = UPDATE_BYTES_PER_PARAMETER * model.n_parameters() / (stream * 1e9)
        return self.batch_size / (products + update)

    def share_of_product(self, name):
        """GFLOP/s as a share of the product's, or None."""
        product, reached = self.product_ceiling(), self.gflop_per_second(name)
        return reached / product if product and reached else None

    def share_of_ceiling(self, name):
        """Rate as a share of the ceiling by arithmetic, or None."""
        ceiling, rate = self.arithmetic_ceiling(name), self.rate(name)
        return rate / ceiling if ceiling and rate else None

    def elsewhere(self):
        """The largest share of the processors that others took during a round."""
        contenders = self.cell["contenders"].values()
        shares = [run["elsewhere"] for c in contenders for run in c["runs"] if "elsewhere" in run]
        return max(shares, default=None)

    def flops_differ(self):
        """What critbatch counts for one example, if it is not what models.py counts; else None."""
        gflops, rate = self.reported("critbatch", "gflop_per_second"), self.rate("critbatch")
        if not gflops or not rate:
            return None
        rates = [run[RATE] for run in self.cell["contenders"]["critbatch"]["runs"]]
        counted = gflops * 1e9 / statistics.median(rates)
        expected = MODELS[self.model].flops_per_example()
        # Medians of two numbers of the same runs: a different count is off by far more.
        return counted if abs(counted / expected - 1) > 0.02 else None

    def goals(self):
        """(what, reached or None, needed) of every goal of issue 4 for this cell."""
        return self.gpu_goals() if self.gpu else self.cpu_goals()

    def cpu_goals(self):
        found = [
            (f"{NAMES[to]} x", self.ratio("critbatch", to), needed)
            for to, needed in CPU_GOALS.get(self.model, {}).get(self.batch_size, {}).items()
        ]
        found.append(("one lane, PyTorch x", self.ratio("critbatch_one_lane", "pytorch"), 1))
        smallest, share = CEILING_GOAL
        if self.batch_size >= smallest and self.model in CPU_GOALS:
            found.append(("share of ceiling", self.share_of_ceiling("critbatch"), share))
        return found

    def gpu_goals(self):
        largest, eager, others = GPU_LANES_GOAL
        found = []
        if self.batch_size <= largest:
            found.append(("PyTorch eager x", self.ratio("critbatch", "pytorch"), eager))
            names = ["pytorch_compile", "pytorch_cuda_graph", "pytorch_lanes", "jax", "jax_lanes"]
            ratios = [self.ratio("critbatch", name) for name in names]
            worst = min((ratio for ratio in ratios if ratio), default=None)
            found.append(("best of the others x", worst, others))
        batch_size, share = GPU_ONE_LANE_GOAL
        if self.batch_size == batch_size:
            one_lane = self.ratio("critbatch_one_lane", "pytorch")
            found.append(("one lane, PyTorch x", one_lane, share))
        return found
