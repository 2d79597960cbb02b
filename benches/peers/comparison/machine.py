"""Where and with what was measured; the peers' interpreter."""

import datetime
import os
import pathlib
import platform
import subprocess
import sys

PEERS = pathlib.Path(__file__).resolve().parents[1]
REPOSITORY = PEERS.parents[1]
VERSIONS = """
import importlib.metadata, platform
names = ["torch", "jax", "jaxlib", "numpy"]
found = {d.metadata["Name"].lower(): d.version for d in importlib.metadata.distributions()}
print(f"python={platform.python_version()}", *[f"{n}={found[n]}" for n in names if n in found])
"""


def output(*command):
    """What a command prints, or an empty string if it cannot run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def cpu_model():
    """The processor's name and widest vectors."""
    path = pathlib.Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    lines = [line.split(":", 1) for line in path.read_text().splitlines() if ":" in line]
    facts = {key.strip(): value.strip() for key, value in lines}
    flags = facts.get("flags", "").split()
    vectors = next((v for v in ("avx512f", "avx2") if v in flags), platform.machine())
    return f"{facts.get('model name', platform.machine())} ({vectors})"


def facts(programs):
    """Machine, versions, date and commit."""
    versions = output(programs.python, "-c", VERSIONS).split()
    git = ("git", "-C", str(REPOSITORY))
    dirty = "-dirty" if output(*git, "status", "--porcelain", "--untracked-files=no") else ""
    now = datetime.datetime.now(datetime.timezone.utc)
    found = {
        "cpu": cpu_model(),
        "processors": os.cpu_count(),
        "threads": programs.threads,
        "system": f"{platform.system()} {platform.release()}",
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "commit": output(*git, "rev-parse", "--short", "HEAD") + dirty,
        "critbatch": output(programs.critbatch, "--version"),
        "versions": dict(version.split("=", 1) for version in versions),
    }
    if programs.gpu:
        query = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
        found["gpu"] = output(*query)
    return found


def interpreter(gpu):
    """The interpreter of target/peers-venv, which is made if it is not there or out of date."""
    requirements = PEERS / ("requirements-gpu.txt" if gpu else "requirements.txt")
    folder = REPOSITORY / "target" / ("peers-venv-gpu" if gpu else "peers-venv")
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "-r", str(requirements)]
        subprocess.run(install, check=True)
        stamp.write_text(requirements.read_text())
    return str(python)
