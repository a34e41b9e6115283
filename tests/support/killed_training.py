"""Trainings to be killed, and the server that forks processes which have imported torch and aelib already."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from aelib.data import ImageSet
from aelib.models.vae import ELBO, DenseVAE
from aelib.training import EarlyStopping, Phase, fit
from aelib.training.optimizers import adam, one_cycle

PROCESSES = multiprocessing.get_context("forkserver")
# What takes long to import (the first optimizer imports torch._dynamo). Python 3.11's server finds no test module.
PROCESSES.set_forkserver_preload(["pytest", "torch._dynamo", "aelib.models.vae", "aelib.training"])

EPOCHS = 40
adam_again, elbo_again = adam, ELBO  # for tests that put another in their place
WRITTEN = ("made", "half written", "written", "renamed")  # the moments of a save at which `die_while_saving` kills


def images() -> ImageSet:
    random = torch.Generator().manual_seed(0)
    return ImageSet(torch.randint(0, 256, (120, 1, 6, 6), generator=random, dtype=torch.uint8), torch.arange(120) % 10)


def train(
    state_file: Path, out: Path | None = None, begun: Event | None = None, epochs: int = EPOCHS, **options: Any
) -> None:
    """Train a VAE, with noise in its loss, Adam's moments, a schedule, a validation split and a callback's memory.

    *begun* is set when the process is up and the training begins; *out* gets the weights and the history.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    vae = DenseVAE((36, 24, 4), nn.Tanh, (1, 6, 6))
    phase = Phase(ELBO(), adam(3e-3), one_cycle())
    run: dict[str, Any] = dict(epochs=epochs, batch_size=16, seed=1, validation=24, callbacks=[EarlyStopping(1000)])
    if begun is not None:
        begun.set()
    history = fit({"vae": vae}, phase, images(), state_file=state_file, **(run | options))
    if out is not None:
        metadata = {"history": json.dumps(history.to_dict("list"))}
        save_file(vae.state_dict(), out, metadata)


def die_while_saving(state_file: Path, moment: str, in_epoch: int) -> None:
    """As `train`, but the process kills itself at one *moment* of the save of an epoch."""
    saves = 0
    fdopen, fsync, replace = os.fdopen, os.fsync, os.replace

    def now(this: str) -> bool:
        return saves == in_epoch and this == moment

    def open_(*arguments: Any) -> Any:
        nonlocal saves
        saves += 1
        if now("made"):
            die()
        file = fdopen(*arguments)
        if now("half written"):
            file.write = halfway(file.write, file.flush)
        return file

    def sync(handle: int) -> None:
        fsync(handle)
        if now("written"):
            die()

    def rename(a: Any, b: Any) -> None:
        replace(a, b)
        if now("renamed"):
            die()

    os.fdopen, os.fsync, os.replace = open_, sync, rename  # type: ignore[assignment]
    train(state_file)


def halfway(write: Callable[[bytes], int], flush: Callable[[], None]) -> Callable[[bytes], int]:
    def half(content: bytes) -> int:
        write(content[: len(content) // 2])
        flush()
        die()
        return 0

    return half


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
