"""What an epoch costs as the work grows: with the number of images, with the width, with the number of processes.

`python benchmarks/scaling.py` on a quiet machine trains a dense autoencoder 784-w-w-64 on random images by `fit`, each
measurement in a process of its own, so that its largest memory is its own:

- images × 1, 2, 4, 8: the time should grow by the same factor, and the memory by the bytes of the images,
- width × 1, 2, 4: beside the factor by which the multiplications of a step grow,
- 1 and 2 processes of one thread each, the batch being shared out between them.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import torch
from keeping import keep, measure
from torch import nn

from aelib.data import ImageSet
from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.training import fit
from aelib.training.optimizers import adam
from aelib.training.phases import Phase

WHAT = (
    "An epoch of a dense autoencoder 784-w-w-64 by fit, in batches of 128: its cost relative to that of {images:,} "
    "images with w = {width}, as images, width or processes grow. Each measurement is a process of its own."
)
PIXELS = 784


class Work(NamedTuple):
    """What one process measures."""

    images: int
    width: int
    processes: int = 1
    threads: int = 0  # of each; 0: as many as PyTorch takes

    def multiplications(self) -> int:
        """Of an image, in one direction."""
        return 2 * (PIXELS * self.width + self.width**2 + self.width * 64)


class Cost(NamedTuple):
    seconds: float  # of the second epoch: the first one warms up
    growth: float  # bytes by which memory grew, at most, from before the images were made


def measured(work: Work) -> Cost:
    """What an epoch costs, in this process."""
    if work.threads:
        torch.set_num_threads(work.threads)
    torch.manual_seed(0)
    before = peak_memory()
    images = ImageSet(torch.randint(256, (work.images, 1, 28, 28), dtype=torch.uint8), torch.zeros(work.images).long())
    model = Autoencoder((PIXELS, work.width, work.width, 64), nn.ReLU)
    history = fit({"ae": model}, Phase(SquaredError(), adam(1e-3)), images, epochs=2, batch_size=128)
    return Cost(history.attrs["seconds"][1], peak_memory() - before)


def peak_memory() -> float:
    """The most bytes that this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage counts what the parent held at the fork, too
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * float(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def apart(work: Work) -> Cost:
    """The same in a process of its own, or in several."""
    launch = [sys.executable]
    if work.processes > 1:
        launch += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={work.processes}"]
    command = [*launch, str(Path(__file__)), "--one", json.dumps(work)]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TQDM_DISABLE": "1"})
    if ended.returncode:
        raise RuntimeError(f"{work} failed:\n{ended.stderr[-2000:]}")
    return Cost(*json.loads(ended.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured, in turn (default 5)")
    parser.add_argument("--images", type=int, default=20_000, help="of the smallest data set (default 20,000)")
    parser.add_argument("--width", type=int, default=256, help="of the narrowest network (default 256)")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        cost = measured(Work(*options.one))
        if os.environ.get("RANK", "0") == "0":
            print(json.dumps(cost))
        return
    base = Work(options.images, options.width)
    more = {f"images × {k}": base._replace(images=k * base.images) for k in (2, 4, 8)}
    wide = {f"width × {k}": base._replace(width=k * base.width) for k in (2, 4)}
    # A network wide enough to be worth sharing: each step sends all its gradients, whatever the batch.
    alone = wide["width × 4"]._replace(threads=1)
    works = {"base": base, **more, **wide, "alone": alone, "2 processes": alone._replace(processes=2)}
    rounds = [{name: apart(work) for name, work in works.items()} for _ in range(options.rounds)]
    measures = {}
    for k, name in zip((2, 4, 8), more, strict=True):
        ratios = [r[name].seconds / r["base"].seconds for r in rounds]
        measures[f"{name}: time"] = measure(ratios, "×", f"linear: {k} ×")
    further = more["images × 8"].images - more["images × 4"].images
    bytes_each = [(r["images × 8"].growth - r["images × 4"].growth) / further for r in rounds]
    measures["memory for each further image"] = measure(bytes_each, "bytes", f"its pixels: {PIXELS} bytes")
    for name, work in wide.items():
        grown = work.multiplications() / base.multiplications()
        ratios = [r[name].seconds / r["base"].seconds for r in rounds]
        measures[f"{name}: time"] = measure(ratios, "×", f"multiplications: {grown:.1f} ×")
    ratios = [r["2 processes"].seconds / r["alone"].seconds for r in rounds]
    measures["width × 4, 2 processes over 1, one thread each: time"] = measure(ratios, "×", "at best .5 ×")
    measures["an epoch of the smallest"] = measure([r["base"].seconds for r in rounds], "s")
    keep("scaling", "Cost against size", WHAT.format(images=base.images, width=base.width), options.rounds, measures)


if __name__ == "__main__":
    main()
