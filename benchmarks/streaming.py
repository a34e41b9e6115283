"""`fit` on a data set that is not in memory, beside a bare loop over torch's own DataLoader: throughput and memory.

`python benchmarks/streaming.py` on a quiet machine trains a small dense autoencoder on pictures of 64 x 64 that are
made when they are asked for, as many in all as `--pictures` says, by

- fit: this package's loop, `stream=True`,
- bare: a DataLoader with the same workers, and the six lines that training needs,

in turn, several times over, each in a process of its own, and keeps the ratio of their throughputs and the difference
of their largest memory, that of the workers included.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import torch
from keeping import keep, measure
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from aelib.data import Batch
from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.training import Phase, fit
from aelib.training.optimizers import adam

WHAT = (
    "One epoch of a dense autoencoder (4,096-64-16) on pictures of 64 x 64, made when they are asked for, in batches "
    "of 128, read by two workers: fit with stream=True, and a bare loop over a DataLoader. Memory is the largest "
    "resident size of the training process plus that of the largest worker for each of them."
)
BATCH, WORKERS, SIDE = 128, 2, 64


class Made(Dataset[Tensor]):
    """Pictures as bytes, each from its number alone: a bright spot at one of the pixels, on a slope."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows = torch.arange(SIDE)[:, None].float()
        self.columns = torch.arange(SIDE)[None].float()

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, i: int) -> Tensor:
        spot = (self.rows - i % SIDE).square() + (self.columns - i // SIDE % SIDE).square()
        return (200 * torch.exp(-spot / 50) + self.rows / 2).to(torch.uint8)[None]


def network() -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder((SIDE * SIDE, 64, 16), torch.nn.ReLU, (1, SIDE, SIDE))


def ours(pictures: int) -> None:
    phase = Phase(SquaredError(), adam(1e-3))
    fit({"ae": network()}, phase, Made(pictures), epochs=1, batch_size=BATCH, stream=True, workers=WORKERS)


def bare(pictures: int) -> None:
    model, objective = network().train(), SquaredError()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    for x in DataLoader(Made(pictures), BATCH, shuffle=True, num_workers=WORKERS):
        loss = objective({"ae": model}, Batch(x.to(torch.float32).div_(255), None))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


LOOPS = {"ours": ours, "bare": bare}


def alone(loop: str, pictures: int) -> dict[str, float]:
    """Pictures a second and megabytes of a loop, in a process of its own."""
    command = [sys.executable, __file__, "--alone", loop, "--pictures", str(pictures)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(said.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each loop runs, in turn (default 3)")
    parser.add_argument("--pictures", type=int, default=1_000_000, help="pictures of an epoch (default a million)")
    parser.add_argument("--alone", choices=LOOPS, help="run this loop and print what it took")
    options = parser.parse_args()
    if options.alone:
        LOOPS[options.alone](2 * BATCH)  # warm up
        began = time.perf_counter()
        LOOPS[options.alone](options.pictures)
        took = time.perf_counter() - began
        largest = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        unit = 1e6 if sys.platform == "darwin" else 1e3  # macOS counts bytes, Linux kilobytes
        memory = (largest[0] + WORKERS * largest[1]) / unit
        print(json.dumps({"rate": options.pictures / took, "memory": memory}))
        return
    rounds = [{loop: alone(loop, options.pictures) for loop in LOOPS} for _ in range(options.rounds)]
    measures = {
        "fit's throughput over the bare loop's": measure(
            [r["ours"]["rate"] / r["bare"]["rate"] for r in rounds], "×", "≥ 0.9"
        ),
        "fit's memory beyond the bare loop's": measure(
            [r["ours"]["memory"] - r["bare"]["memory"] for r in rounds], "MB", "≤ 700"
        ),
        "the bare loop's throughput": measure([r["bare"]["rate"] for r in rounds], "pictures/s"),
        "the bare loop's memory": measure([r["bare"]["memory"] for r in rounds], "MB"),
    }
    keep("streaming", "Streamed data", WHAT, options.rounds, measures)


if __name__ == "__main__":
    main()
