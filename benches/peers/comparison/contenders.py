"""Who is compared, and the command of each: critbatch, PyTorch and JAX in several variants."""

import pathlib
from dataclasses import dataclass

from models import MODELS

PEERS = pathlib.Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Contender:
    """One column of the comparison. The variants are tried first; the fastest takes part."""

    name: str
    title: str
    program: str
    variants: tuple


@dataclass(frozen=True)
class Cell:
    """One row of the comparison."""

    model: str
    batch_size: int


@dataclass(frozen=True)
class Programs:
    """What is run, and with how many threads."""

    critbatch: str
    python: str
    threads: int
    gpu: bool

    def command(self, contender, variant, cell, seconds):
        """The command line of one run."""
        common = ["--model", cell.model, "--batch-size", str(cell.batch_size)]
        common += ["--seconds", f"{seconds:g}", "--threads", str(self.threads)]
        if contender.program == "critbatch":
            device = "wgpu" if self.gpu else "cpu"
            verb = [self.critbatch, "throughput", "--optimizer", "nesterov_momentum", "--json"]
            return [*verb, "--device", device, *common, *variant]
        device = "cuda" if self.gpu else "cpu"
        return [self.python, str(PEERS / contender.program), "--device", device, *common, *variant]

    def ceilings_command(self, n_elements):
        """The command that measures products and streams."""
        device = "cuda" if self.gpu else "cpu"
        sizes = ",".join(str(n) for n in n_elements)
        common = ["--device", device, "--threads", str(self.threads), "--stream-elements", sizes]
        return [self.python, str(PEERS / "ceilings.py"), *common]


CRITBATCH = (
    Contender("critbatch_one_lane", "critbatch, one lane", "critbatch", (("--lanes", "1"),)),
    Contender("critbatch", "critbatch, all lanes", "critbatch", (("--lanes", "auto"),)),
)


def layouts(model):
    """Layouts that differ for the model: without convolutions there is one."""
    return ["channels_last", "channels_first"] if MODELS[model].channels else ["channels_first"]


def pools(model):
    return ["window", "reshape"] if MODELS[model].channels else ["window"]


def torch_variants(model, mode, optimizers=("fused", "foreach")):
    return tuple(
        ("--mode", mode, "--layout", layout, "--optimizer", optimizer)
        for layout in layouts(model)
        for optimizer in optimizers
    )


def lanes_of(variants, counts):
    return tuple((*variant, "--lanes", str(count)) for variant in variants for count in counts)


def jax_variants(model, steps_per_call):
    return tuple(
        ("--pool", pool, "--steps-per-call", str(steps))
        for pool in pools(model)
        for steps in steps_per_call
    )


def on_cpu(cell, threads):
    """Peers on a CPU: one network on all threads, then as many as people would run at once."""
    model = cell.model
    eager = torch_variants(model, "eager", ("fused",))
    # Small networks may be faster without a second thread; the last --threads counts.
    alone = tuple((*variant, "--threads", "1") for variant in eager)
    one = torch_variants(model, "eager") + torch_variants(model, "compile", ("fused",)) + alone
    jax_alone = tuple((*variant, "--threads", "1") for variant in jax_variants(model, (1,)))
    processes = [(*variant, "--processes", str(threads)) for variant in eager]
    vmap = lanes_of(torch_variants(model, "vmap", ("foreach",))[:1], (threads, 8))
    jax_processes = [(*v, "--processes", str(threads)) for v in jax_variants(model, (1,))]
    jax_vmap = lanes_of(jax_variants(model, (1,)), (threads, 8))
    return (
        Contender("pytorch", "PyTorch", "torch_steps.py", one),
        Contender("jax", "JAX", "jax_steps.py", jax_variants(model, (1, 8)) + jax_alone),
        Contender("pytorch_lanes", "PyTorch, several", "torch_steps.py", (*processes, *vmap)),
        Contender("jax_lanes", "JAX, several", "jax_steps.py", (*jax_processes, *jax_vmap)),
    )


def on_gpu(cell):
    """Peers on an NVIDIA card."""
    model, counts = cell.model, (8, 32, 128)
    compiled = torch_variants(model, "compile")
    graph = torch_variants(model, "cuda_graph")
    vmap = lanes_of(torch_variants(model, "vmap", ("foreach",))[:1], counts)
    jax_vmap = lanes_of(jax_variants(model, (1, 16)), counts)
    script = "torch_steps.py"
    return (
        Contender("pytorch", "PyTorch eager", script, torch_variants(model, "eager")),
        Contender("pytorch_compile", "torch.compile", script, compiled),
        Contender("pytorch_cuda_graph", "CUDA graph", script, graph),
        Contender("pytorch_lanes", "PyTorch vmap", script, vmap),
        Contender("jax", "JAX", "jax_steps.py", jax_variants(model, (1, 16))),
        Contender("jax_lanes", "JAX vmap", "jax_steps.py", jax_vmap),
    )


def contenders(cell, programs, chosen):
    """All contenders of a cell, or those of the given names."""
    peers = on_gpu(cell) if programs.gpu else on_cpu(cell, programs.threads)
    return [c for c in (*peers, *CRITBATCH) if not chosen or c.name in chosen]


def names(gpu):
    """The names that may be chosen."""
    cell = Cell("fc_64_64_64", 1)
    return [c.name for c in contenders(cell, Programs("", "", 2, gpu), ())]
