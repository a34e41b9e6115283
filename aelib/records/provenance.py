"""Where a record comes from: the folder it is in, the commit, the date, and the hardware in words."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch


def hardware() -> str:
    """What a number was measured on, e.g. ``"2 CPU cores, AMD EPYC, 25 GB"``; never a host's name or a path."""
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        return f"{torch.cuda.device_count()} × {gpu.name}, {gpu.total_memory / 1e9:.0f} GB"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name, memory = platform.machine(), ""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB"
    except (OSError, StopIteration, ValueError, AttributeError):
        pass  # not Linux: the machine's architecture must do
    return f"{cores} CPU core{'s' * (cores != 1)}, {name}{memory}"


def _results() -> Path:
    """``results/`` of the checkout that holds this package; of the current folder where there is no checkout."""
    checkout = Path(__file__).resolve().parents[2]
    return (checkout if (checkout / "pyproject.toml").exists() else Path.cwd()) / "results"


RESULTS = _results()


def today() -> str:
    """The date of a record, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


# What a run writes is not what it ran: a changed record or a notebook's outputs do not make a commit another one.
WRITTEN_BY_RUNS = ("results", "notebooks/*.ipynb")


def commit() -> str:
    """The last commit that changed anything but what runs write, with a plus if other tracked files were changed since.

    So a record that is committed does not give the next one another commit. Empty outside a checkout.
    """
    git = ["git", "-C", str(RESULTS.parent)]
    others = ["--", ".", *(f":(exclude){pattern}" for pattern in WRITTEN_BY_RUNS)]
    try:
        last = subprocess.run(
            [*git, "log", "-1", "--format=%h", "--abbrev=10", *others], capture_output=True, text=True, timeout=10
        )
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno", *others], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return last.stdout.strip() + ("+" if last.returncode == 0 and changed.stdout.strip() else "")
