"""Compiled phases: an objective's forward and backward pass as one graph, by ``torch.compile``."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType

import torch
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException

from aelib.interfaces import Batch
from aelib.training.phases import Modules, Objective

CXX = ("g++", "clang++", "c++", "cl")


def check_compile(backend: bool | str, device: torch.device, processes: int) -> None:
    """Raise a ValueError unless *backend*, as :func:`aelib.training.fit` takes it, can be used here."""
    if not backend:
        return
    if processes > 1:
        raise ValueError(
            f"compile works in one process; this training runs on {processes}. Leave compile away, or use one."
        )
    if backend is not True and backend not in (known := torch._dynamo.list_backends(None)):
        raise ValueError(f"compile is True, False, or one of torch.compile's backends, {known}; it is {backend!r}.")
    if backend not in (True, "inductor"):
        return
    wanted = (os.environ["CXX"],) if os.environ.get("CXX") else CXX
    if not any(map(shutil.which, wanted)):
        raise ValueError(
            f"compile=True needs a C++ compiler; {' or '.join(wanted)} is not found. "
            "Install one (apt install g++, or Xcode's command line tools), or leave compile away."
        )
    if device.type == "cuda" and not importlib.util.find_spec("triton"):
        raise ValueError("compile=True on a GPU needs triton. pip install triton, or leave compile away.")


def compiled(
    objective: Objective, nets: Modules, device: torch.device, backend: bool | str
) -> Callable[[Batch], dict[str, Tensor]]:
    """The objective of these modules as a compiled function of a batch.

    On a GPU its kernels, those of the backward pass too, are replayed as CUDA graphs: what it returns lies in memory
    that the next step overwrites, and a step begins with ``torch.compiler.cudagraph_mark_step_begin()``.
    """

    def terms(batch: Batch) -> dict[str, Tensor]:
        return objective(nets, batch)

    # torch.compile keeps its graphs, eight at most, by the function's code. With code of its own each phase of each
    # call of fit has its own eight, and they are freed with it.
    own = FunctionType(terms.__code__.replace(), terms.__globals__, terms.__name__, None, terms.__closure__)
    if isinstance(backend, str):
        return torch.compile(own, backend=backend)
    return torch.compile(own, mode="reduce-overhead" if device.type == "cuda" else None)


@contextmanager
def saying_what_cannot_be_compiled(phase: str) -> Iterator[None]:
    """Turn what the compiler says of a *phase*'s objective, or of its gradient, into one sentence, a RuntimeError."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, TorchDynamoException) and "torch.compile" not in str(error):
            raise
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise RuntimeError(
            f"Phase {phase!r} cannot be compiled ({said[0].rstrip('.:')}): leave compile away for this training."
        ) from error
