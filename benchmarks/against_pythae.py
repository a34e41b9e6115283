"""How much faster an epoch is by `fit` than by the trainer of pythae, a library of variational autoencoders.

`python benchmarks/against_pythae.py` on a quiet machine trains a dense VAE and a convolutional VQ-VAE on MNIST by both
in turn, several times over. pythae runs in another process, in an environment of its own: of the interpreter that
--python names, or one that is made at the first call (minutes, and 6 GB in the cache folder).

Both sides have the same networks, likelihood, batches, learning rate, precision, number of threads and version of
torch; images are in memory. pythae is used as its documentation says, BaseTrainer with Adam, and is spared whatever is
no training: importing, making the data set, evaluation, checkpoints, the progress bar. Its clock runs from the
beginning of the epoch to its end, ours over the whole call of fit.

Most of an epoch is the network's own arithmetic, which both do alike. What pythae 0.1.2 does besides: BaseDataset hands
out images one by one, each in a dictionary of its own, which the DataLoader stacks to batches; Adam steps parameter by
parameter, where ours is fused; the quantizer writes which code is whose as a table of zeros and ones, 4,900 × 512 for a
batch, first of 64-bit integers, and multiplies by it, where ours looks the codes up; .item() reads the loss at every
step, which costs little on a CPU. The records tell the first of these apart, and the second, by other rounds of pythae
with a fused Adam. They also have pythae over a bare loop, the most that any loop could gain on it.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import venv
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from keeping import keep, measure
from loops import Recipe, bare_epoch, seconds
from torch import nn

from aelib.data import ImageSet, mnist
from aelib.data.fetch.sources import cache_folder
from aelib.models.quantizers import EMAQuantizer
from aelib.models.vae import ELBO, DenseVAE
from aelib.models.vqvae import VQLoss, small_vqvae
from aelib.nets import count_parameters
from aelib.training import fit
from aelib.training.optimizers import adam
from aelib.training.phases import Phase

BATCH, RATE = 100, 1e-3
HERE = Path(__file__).parent
REQUIREMENTS = HERE / "pythae-requirements.txt"

RECIPES = {  # of the worker's networks; a code that nothing chooses is not moved, as there
    "VAE": Recipe(lambda: DenseVAE((784, 512, 20), nn.ReLU), "vae", ELBO()),
    "VQ-VAE": Recipe(lambda: small_vqvae(EMAQuantizer(512, 16, restart=0)), "ae", VQLoss(codebook=0)),
}


def ours(recipe: Recipe, images: ImageSet, seed: int = 0) -> None:
    phase = Phase(recipe.objective, adam(RATE))
    fit({recipe.name: recipe.network(seed)}, phase, images, epochs=1, batch_size=BATCH, seed=seed)


class Worker:
    """A process of another interpreter that trains models of pythae when it is asked to.

    Args:
        command: the interpreter and the program, e.g. ``[python, "-I", "pythae_worker.py"]``.
        images: what it trains on.
        folder: where it may write.

    Raises RuntimeError, with the last line that the process wrote, when it has ended.
    """

    def __init__(self, command: list[str | Path], images: ImageSet, folder: Path) -> None:
        np.save(folder / "images.npy", images.x.numpy())
        self.log: TextIO = (folder / "log.txt").open("w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [*command, folder / "images.npy", folder, str(torch.get_num_threads())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | {"TQDM_DISABLE": "1"},
        )
        self.about = self._answer()  # {"pythae": "0.1.2", "torch": ..., "threads": ...}

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # closes its input, at which it ends
        self.log.close()

    def train(self, model: str, *, images: int, seed: int = 0, fused: bool = False) -> dict[str, Any]:
        """One epoch of a new model on the first *images*: ``seconds``, ``loading``, ``loss`` and ``parameters``."""
        order = {"model": model, "images": images, "batch": BATCH, "rate": RATE, "seed": seed, "fused": fused}
        with suppress(BrokenPipeError):  # _answer tells what the process said last
            print(json.dumps(order), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            said = [line for line in self.log.read().splitlines() if line.strip()] or ["nothing"]
            raise RuntimeError(f"The worker ended with status {self.process.wait()}; the last that it said: {said[-1]}")
        return json.loads(line)


def environment() -> Path:
    """The interpreter of an environment with pythae, made in the cache folder where there is none of these pins."""
    folder = cache_folder() / "pythae"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    installed = folder / REQUIREMENTS.name
    if not installed.exists() or installed.read_bytes() != REQUIREMENTS.read_bytes():
        print("Making an environment for pythae, once: some minutes, 6 GB.", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", REQUIREMENTS], check=True)
        shutil.copyfile(REQUIREMENTS, installed)  # last, so that what was interrupted is made anew
    return python


def compare(worker: Worker, label: str, images: ImageSet, rounds: int) -> dict[str, dict[str, Any]]:
    """The measures of one model; the two sides take turns."""
    recipe, size = RECIPES[label], len(images)
    ours(recipe, images[:1000])  # warm up
    warm = worker.train(label, images=min(1000, size))
    if (theirs := warm["parameters"]) != (here := count_parameters(recipe.network())):
        raise ValueError(f"The two {label}s must have equally many parameters; ours has {here:,}, pythae's {theirs:,}.")
    own, bare, default, fused = [], [], [], []
    for seed in range(rounds):
        own.append(seconds(ours, recipe, images, seed))
        bare.append(seconds(bare_epoch, recipe, images, BATCH, RATE))
        default.append(worker.train(label, images=size, seed=seed))
        fused.append(worker.train(label, images=size, seed=seed, fused=True))
    return measures(label, size, own, bare, default, fused)


Answers = list[dict[str, float]]  # of the worker, one a round


def measures(
    label: str, size: int, own: list[float], bare: list[float], default: Answers, fused: Answers
) -> dict[str, dict[str, Any]]:
    """From seconds to ratios, round by round."""

    def ratios(theirs: Answers, times: list[float]) -> list[float]:
        return [answer["seconds"] / time for answer, time in zip(theirs, times, strict=True)]

    return {
        f"{label}: pythae's trainer over fit": measure(ratios(default, own), "×", "≥ 1.7"),
        f"{label}: pythae's trainer over a bare loop": measure(ratios(default, bare), "×"),
        f"{label}: pythae's trainer with a fused Adam over fit": measure(ratios(fused, own), "×"),
        f"{label}: an epoch of {size:,} by fit": measure(own, "s"),
        f"{label}: an epoch of {size:,} by pythae": measure([answer["seconds"] for answer in default], "s"),
        f"{label}: of which fetching batches": measure([a["loading"] / a["seconds"] * 100 for a in default], "%"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, help="an interpreter that has pythae (default: of an environment made)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side trains, in turn (default 5)")
    parser.add_argument("--images", type=int, default=60_000, help="training images of an epoch (default all)")
    options = parser.parse_args()
    images = mnist().train[: options.images]
    python = options.python or environment()
    with (
        tempfile.TemporaryDirectory() as folder,
        # -I: without this folder and PYTHONPATH, so that it sees its own packages alone
        Worker([python, "-I", HERE / "pythae_worker.py"], images, Path(folder)) as worker,
    ):
        found = {}
        for label in RECIPES:
            found |= compare(worker, label, images, options.rounds)
        about = worker.about
    versions = "torch {torch} and {threads} threads".format(**about)
    if about["torch"] != torch.__version__:
        versions += f" there, torch {torch.__version__} here"
    what = (
        f"One epoch on MNIST in batches of {BATCH}, by this package's fit and by the trainer of pythae "
        f"{about['pythae']} from PyPI, in an environment of its own: {versions}. Networks, likelihood, Adam's rate and "
        "precision are equal; pythae is timed from the beginning of an epoch to its end, without evaluation, "
        "checkpoints and progress bar, ours over the whole call of fit. Its DataLoader fetches images one by one, its "
        "Adam is not fused, and its quantizer multiplies by tables of zeros and ones; the rest is the network's own "
        "arithmetic, which both do alike. A bare loop over tensors in memory is the most that could be gained."
    )
    keep("against_pythae", "Beside pythae", what, options.rounds, found)


if __name__ == "__main__":
    main()
