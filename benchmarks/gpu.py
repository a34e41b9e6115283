"""The targets on one GPU: a VQ-VAE for 100 epochs, and with --chapters every chapter at the profile quick.

`python benchmarks/gpu.py --chapters` on a machine with a GPU writes results/benchmarks/gpu.json. The chapters run as
scripts, one after the other, and record their claims as they always do at that profile.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from keeping import keep, measure

from aelib.data import ImageSet, mnist
from aelib.models.quantizers import EMAQuantizer
from aelib.models.vqvae import VQLoss, small_vqvae
from aelib.training import Phase, fit
from aelib.training.optimizers import adam

HERE = Path(__file__).parent
PLAN = json.loads((HERE / "planned.json").read_text(encoding="utf-8"))["gpu"]
CHAPTERS = HERE.parent / "notebooks"
SETTINGS = {  # how the VQ-VAE is trained: the size of a batch, and whether it is compiled
    "VQ-VAE, 100 epochs, batches of 128, compiled": (128, True),
    "VQ-VAE, 100 epochs, batches of 128": (128, False),
    "VQ-VAE, 100 epochs, batches of 1,024": (1024, False),
}


class Timed(NamedTuple):
    """A training: seconds from the call to the return, seconds of each epoch, bytes at most, and its last error."""

    total: float
    epochs: list[float]
    memory: int
    error: float  # squared, per image, on the training set


def train(images: ImageSet, epochs: int, batch_size: int, compile: bool | str) -> Timed:
    torch.manual_seed(0)
    model = small_vqvae(EMAQuantizer(512, 16))
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    phase = Phase(VQLoss(codebook=0.0), adam(1e-3 * (batch_size / 128) ** 0.5))
    history = fit({"ae": model}, phase, images, epochs=epochs, batch_size=batch_size, compile=compile)
    total = time.perf_counter() - began  # fit has read the last epoch's numbers: the GPU is done
    errors = history[history.term == "reconstruction"].value
    memory = torch.cuda.max_memory_allocated() if gpu else 0
    return Timed(total, history.attrs["seconds"], memory, errors.iloc[-1])


def measures(trained: Mapping[str, Timed], chapters: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """The record's rows, from the times: the targets are those of planned.json."""
    rows = {}
    for label, timed in trained.items():
        rows[label] = measure([timed.total], "s", PLAN["targets"][label])
        rows[f"{label}: an epoch"] = measure(timed.epochs, "s")
        rows[f"{label}: compilation and start"] = measure([timed.total - sum(timed.epochs) + _first(timed)], "s")
        rows[f"{label}: memory at most"] = measure([timed.memory / 1e9], "GB")
        rows[f"{label}: squared error in the last epoch"] = measure([timed.error], "per image")
    for chapter, seconds in chapters.items():
        target = PLAN["targets"]["each chapter at the profile quick"]
        rows[f"chapter {chapter[:2]} at the profile quick"] = measure([seconds / 60], "min", target)
    return rows


def _first(timed: Timed) -> float:
    """What the first epoch took longer than the others: there the compiler runs."""
    return max(0.0, timed.epochs[0] - statistics.median(timed.epochs))


def chapter(path: Path, profile: str = "quick") -> float:
    """Seconds that a chapter takes as a script.

    Raises subprocess.CalledProcessError if it fails; what it said has then been printed.
    """
    settings = os.environ | {"AELIB_PROFILE": profile, "MPLBACKEND": "agg"}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(path)], cwd=folder, env=settings, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chapters", nargs="*", metavar="NN", help="also run these chapters; all if none is named")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This benchmark needs a GPU that PyTorch can use; torch.cuda.is_available() says there is none.")
    images = mnist().train[:50_000]
    train(images[:2_000], 1, 128, False)  # loads kernels, as any program does once
    trained = {label: train(images, 100, *setting) for label, setting in SETTINGS.items()}
    paths = [] if options.chapters is None else sorted(CHAPTERS.glob("[0-9][0-9]_*.py"))
    wanted = [path for path in paths if not options.chapters or path.name[:2] in options.chapters]
    found, failed = {}, []
    for path in wanted:
        try:
            found[path.stem] = chapter(path)
        except subprocess.CalledProcessError:
            failed.append(path.stem)
    keep("gpu", PLAN["title"], PLAN["what"], 1, measures(trained, found))
    if failed:
        sys.exit(f"Not among them, for they failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
