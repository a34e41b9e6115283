"""Run by test_processes on two processes: the second kills itself in the third epoch, if it is told to."""

import itertools
import os
import signal
import sys
import time
from pathlib import Path

import pandas as pd
import torch
from blobs import blobs
from torch import nn

from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.training import Phase, fit
from aelib.training.optimizers import adam


class Mortal:
    """The squared error, by which the second process dies in the third batch of the third epoch, if it is to."""

    def __init__(self, folder: Path, dies: bool) -> None:
        self.folder, self.dies, self.steps = folder, dies, itertools.count(1)

    def description(self) -> str:
        """What it computes: to die makes no other run."""
        return "squared error"

    def __call__(self, nets, batch):
        if next(self.steps) == 2 * 6 + 3 and self.dies and os.environ["RANK"] == "1":
            (self.folder / "died").write_text(str(time.time()), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)  # while the other waits for its gradients
        return SquaredError()(nets, batch)


def train(folder: Path, dies: bool = False) -> pd.DataFrame:
    """Four epochs of six batches, on as many processes as there are; the state goes to the folder."""
    torch.manual_seed(0)
    ae = Autoencoder((64, 20, 3), nn.Sigmoid, (1, 8, 8))
    options = {"epochs": 4, "batch_size": 24, "state_file": folder / "state.safetensors"}
    return fit({"ae": ae}, Phase(Mortal(folder, dies), adam(1e-3), name="error"), blobs(121, 8), **options)


if __name__ == "__main__":
    torch.set_num_threads(1)
    history = train(Path(sys.argv[1]), sys.argv[2] == "dies")
    if os.environ["RANK"] == "0":
        history.to_json(Path(sys.argv[1]) / "history.json")
