"""Several processes in one training: they begin at the same epoch, end with the same model, and miss a lost one."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import nn

from aelib.training.tracking import LogWith

# What gloo and NCCL say when the other end of a connection is gone.
GONE = ("closed by peer", "reset by peer", "Broken pipe", "remote process exited", "NCCL error", "Socket Timeout")


def engine(log_with: LogWith | None) -> Accelerator:
    """What runs a training on one process or several, in full precision.

    Raises:
        ValueError: an Accelerator made before in this process cannot be shared.
    """
    try:
        # A bare Accelerator() under torchrun on CPUs would silently run independent copies.
        # Its own mixed precision would outlast the training, in the modules' forward.
        return Accelerator(
            cpu=not torch.cuda.is_available(), mixed_precision="no", log_with=log_with, project_dir="runs"
        )
    except ValueError as error:
        if "already been initialized" not in str(error):
            raise
        raise ValueError(
            "An Accelerator of another device or mixed precision was made in this process before, and fit has to share "
            'it: make that one by Accelerator(mixed_precision="no"), and ask fit for precision="bf16".'
        ) from error


def agree_on_epoch(accelerator: Accelerator, epoch: int, state_file: str | os.PathLike[str] | None) -> None:
    """Raise a ValueError, in every process, unless all of them resume after the same epoch.

    Otherwise some would have epochs to do that others have not, and would wait for them without end.
    """
    if accelerator.num_processes == 1 or state_file is None:
        return
    epochs = accelerator.gather(torch.tensor([epoch], device=accelerator.device)).tolist()
    if len(set(epochs)) > 1:
        raise ValueError(
            f"The processes found different states in {os.fspath(state_file)}: after epoch "
            f"{', '.join(map(str, epochs))}, in the order of their ranks. Put it on a disk that all machines share."
        )


def in_any_process(accelerator: Accelerator, flag: bool) -> bool:
    """Whether *flag* is true in one process or more: the same answer in all of them."""
    if accelerator.num_processes == 1:
        return flag
    return bool(accelerator.reduce(torch.tensor([float(flag)], device=accelerator.device)).item())


def share_buffers(accelerator: Accelerator, modules: Iterable[nn.Module]) -> None:
    """Give every process the buffers of the first: batch normalization has counted each process's own examples."""
    if accelerator.num_processes > 1:
        for module in modules:
            for buffer in module.buffers():
                dist.broadcast(buffer, 0)


@contextmanager
def noticing_a_lost_process(accelerator: Accelerator) -> Iterator[None]:
    """Say in words what a broken connection means.

    Raises:
        RuntimeError: another process has ended in the middle of the training.
    """
    try:
        yield
    except RuntimeError as error:
        if accelerator.num_processes == 1 or not any(said in str(error) for said in GONE):
            raise
        raise RuntimeError(
            f"Process {accelerator.process_index} of {accelerator.num_processes} stops: another process has ended in "
            "the middle of the training. Its own output says why. Start all of them again; with a state_file they go "
            "on from the last whole epoch."
        ) from error
