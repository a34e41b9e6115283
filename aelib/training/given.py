"""What ``fit`` is given to train on, as what it trains on: in memory where it fits, streamed where it does not."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import psutil
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler, SequentialSampler, TensorDataset
from torch.utils.data import default_collate as stacking
from tqdm.auto import tqdm

from aelib.interfaces import Batch, Data
from aelib.training.examples import numbers
from aelib.training.streaming import Check, Streamed, check, floats

Given: TypeAlias = Data | Tensor | tuple[Tensor, Tensor] | Dataset[Any] | DataLoader[Any]

BATCH_SIZE = 128
PART = 0.5  # of the memory that is free: what a data set may take
READ_TWICE = 32  # examples that are read twice, to see whether they are the same each time
AT_ONCE = 256  # examples that are read together into memory
SOON = 2.0  # seconds within which reading needs no help


@dataclass(frozen=True, eq=False)
class InMemory:
    """Examples and their labels, if there are any, all in memory on one device; bytes are byte / 255 in a batch."""

    x: Tensor  # (N, ...) uint8 or float32
    y: Tensor | None = None  # (N,)

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> "InMemory":
        """The same set on another device."""
        return InMemory(self.x.to(device), None if self.y is None else self.y.to(device))

    def batch(self, index: Tensor) -> Batch:
        """The examples at *index*, with their labels."""
        return Batch(floats(self.x[index]), None if self.y is None else self.y[index])


def taken(data: Given, batch_size: int | None = None, workers: int | None = None) -> tuple[Data | Streamed, int]:
    """What is trained on, and the size of a batch.

    Raises:
        TypeError, ValueError: it is no data set, or one that cannot be trained on; the message says what to give.
    """
    if isinstance(data, DataLoader):
        return _of_loader(data, batch_size, workers)
    return _source(data, workers), BATCH_SIZE if batch_size is None else batch_size


def _source(data: Any, workers: int | None) -> Data | Streamed:
    if isinstance(data, Streamed | InMemory):
        return data
    if isinstance(data, TensorDataset):
        data = data.tensors if len(data.tensors) > 1 else data.tensors[0]
    if isinstance(data, Tensor | np.ndarray):
        return _in_memory(data, None)
    if isinstance(data, tuple) and len(data) == 2 and all(isinstance(one, Tensor | np.ndarray) for one in data):
        return _in_memory(*data)
    # Hugging Face's data sets have a method batch() too, which does something else.
    if callable(getattr(data, "batch", None)) and callable(getattr(data, "to", None)):
        return data
    if isinstance(data, IterableDataset) or (hasattr(data, "__iter__") and not hasattr(data, "__getitem__")):
        raise TypeError(
            f"fit asks a data set for examples by their number, in an order that it can repeat; a "
            f"{type(data).__name__} gives them in its own. Give a data set with __getitem__ and __len__."
        )
    if isinstance(data, Mapping):
        raise TypeError(f"fit takes one data set; this {type(data).__name__} has {sorted(map(str, data))}: give one.")
    if isinstance(data, str | os.PathLike) or not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        raise TypeError(
            f"fit takes a data set such as mnist().train, a tensor, a torch.utils.data.Dataset or a DataLoader; it got "
            f"a {type(data).__name__}. For files there is aelib.data.folder, for tables aelib.data.table."
        )
    return Streamed(data, workers=workers)


def _of_loader(loader: DataLoader[Any], batch_size: int | None, workers: int | None) -> tuple[Streamed, int]:
    own = loader.batch_size
    if own is None or type(loader.sampler) not in (RandomSampler, SequentialSampler):
        raise TypeError(
            "fit chooses the order of a DataLoader's examples and would pass over its sampler, a "
            f"{type(loader.sampler if own else loader.batch_sampler).__name__}. Give a loader with a batch_size and "
            "without a sampler of its own; for some of the examples a torch.utils.data.Subset."
        )
    if batch_size not in (None, own):
        raise ValueError(f"The DataLoader has batches of {own}, batch_size is {batch_size}: leave batch_size away.")
    if isinstance(loader.dataset, IterableDataset):
        _source(loader.dataset, workers)
    options: dict[str, Any] = {"multiprocessing_context": loader.multiprocessing_context}
    options |= {"prefetch_factor": loader.prefetch_factor, "worker_init_fn": loader.worker_init_fn}
    collate = None if loader.collate_fn is stacking else loader.collate_fn
    count = loader.num_workers if workers is None else workers
    return Streamed(loader.dataset, collate, count, **{k: v for k, v in options.items() if v is not None}), own


def _in_memory(x: Any, y: Any) -> InMemory:
    try:
        x = numbers(x)
    except TypeError as error:
        raise TypeError(
            f"The tensor to train on: {error}. For words and other whole numbers: aelib.data.TextSet."
        ) from error
    if x.ndim < 2 or not len(x):
        raise ValueError(f"A tensor to train on has the axes (N, ...), N examples; this one is {tuple(x.shape)}.")
    y = None if y is None else torch.as_tensor(y)
    if y is not None and len(y) != len(x):
        raise ValueError(f"Examples and labels are equally many; there are {len(x)} and {len(y)}.")
    bad = (~x.isfinite()).flatten(1).sum(1) if x.is_floating_point() else torch.zeros(1)
    if bad.any():
        first = int(bad.nonzero()[0])
        raise ValueError(
            f"Example {first} of the data set: {int(bad[first])} of its numbers are not finite: mend or remove it."
        )
    return InMemory(x, y)


def placed(
    data: Data | Streamed, checks: Sequence[Check], device: torch.device, stream: bool | None, show: bool
) -> Data | Streamed:
    """What is trained on, where it fits, its examples checked: now if they are in memory, else as they are read.

    A data set whose examples differ from reading to reading, because it augments them, is streamed: in memory the
    first reading would be repeated in every epoch.

    Args:
        checks: raise a ValueError for numbers that a model cannot be of.
        stream: whether to stream; None decides.
        show: whether to show a bar while reading.
    """
    if isinstance(data, Streamed):
        if stream or (stream is None and not (_fits(data, device) and _is_fixed(data))):
            data.checks = checks
            return data
        data = _read(data, show)
    elif isinstance(data, InMemory) and stream:
        tensors = TensorDataset(data.x) if data.y is None else TensorDataset(data.x, data.y)
        return placed(Streamed(tensors), checks, device, True, show)
    if isinstance(data, InMemory):
        check(data.x, checks, range(len(data)))
    return data


def _fits(data: Streamed, device: torch.device) -> bool:
    free = psutil.virtual_memory().available / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if device.type == "cuda":
        free = min(free, torch.cuda.mem_get_info(device)[0])
    return data.bytes <= PART * free


def _is_fixed(data: Streamed) -> bool:
    some = np.linspace(0, len(data) - 1, min(READ_TWICE, len(data))).astype(int).tolist()
    return torch.equal(data.read(some, (0,)).x, data.read(some, (1,)).x)


def _read(data: Streamed, show: bool) -> InMemory:
    began = time.perf_counter()
    first = data.read(range(min(READ_TWICE, len(data))))
    if (time.perf_counter() - began) * len(data) / len(first.x) < SOON:
        data.workers = 0
    x = torch.empty(len(data), *first.x.shape[1:], dtype=first.x.dtype)
    y = torch.empty(len(data), dtype=first.y.dtype) if first.y is not None else None
    at = 0
    with tqdm(
        total=len(data), desc="reading", unit="example", delay=1, leave=False, disable=None if show else True
    ) as bar:
        for read in data.reads(torch.arange(len(data)).split(AT_ONCE), (0,)):
            x[at : at + len(read.x)] = read.x
            y = None if read.y is None or y is None else y.index_copy_(0, torch.arange(at, at + len(read.x)), read.y)
            at += len(read.x)
            bar.update(len(read.x))
    data.close()
    return InMemory(x, y)
