"""A data set that is read while one trains on it: by torch's loader, in processes of its own, a few batches ahead.

The order is *fit*'s. What a data set draws, such as augmentations, it draws from a seed of each batch. So the same
batches come from the same seed, whatever the number of workers, in a resumed training too.
"""

import os
import random
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from aelib.interfaces import Batch
from aelib.records.description import described
from aelib.training.examples import label, labels, numbers, parts

MOST_WORKERS = 8
LOOKED_AT = 8  # examples that a recipe describes

Check = Callable[[Tensor], None]


class Task(NamedTuple):
    """A batch to read: which examples, and the seed of what is drawn meanwhile."""

    examples: list[int]
    seed: tuple[int, ...]


class Read(NamedTuple):
    """A batch that was read."""

    x: Tensor  # (B, ...) uint8 or float32
    y: Tensor | None  # (B,)


@dataclass(frozen=True)
class Failure:
    """A batch that could not be read: it travels to the training process as a value, and is raised there."""

    kind: type[Exception]
    message: str
    told: str = ""  # where it was raised

    def error(self) -> Exception:
        """The error to raise."""
        found = self.kind(self.message)
        if self.told:
            found.add_note(f"In the data set's own words:\n{self.told}")
        return found


class Wrong(Exception):
    """An example that cannot be trained on."""

    def __init__(self, kind: type[Exception], index: int, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(kind, f"Example {index} of the data set: {message}.")


class Reader(Dataset[Read | Failure]):
    """Reads batches from a data set; it is copied to each worker.

    Args:
        dataset: with a length, and items as :func:`aelib.training.examples.parts` takes them.
        collate: makes a batch of a list of items; by default they are stacked.
        shape, dtype: of an example; None before the first is read.
    """

    def __init__(
        self,
        dataset: Any,
        collate: Callable[[list[Any]], Any] | None = None,
        shape: tuple[int, ...] | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.dataset, self.collate, self.shape, self.dtype = dataset, collate, shape, dtype

    def __getitem__(self, task: Task) -> Read | Failure:
        with drawing(task.seed):
            try:
                items = self._items(task.examples)
                return self._collated(items, task.examples) if self.collate else self._stacked(items, task.examples)
            except Wrong as error:
                return error.failure

    def _items(self, index: list[int]) -> list[Any]:
        together = getattr(self.dataset, "__getitems__", None)  # faster for Hugging Face's data sets
        if together is not None:
            try:
                return list(together(index))
            except Exception:  # which example it was is found below
                pass
        items = []
        for i in index:
            try:
                items.append(self.dataset[i])
            except Exception as error:
                said = " ".join(str(error).split())
                name = type(error).__name__
                wrong = Wrong(RuntimeError, i, f"it cannot be read: {name}: {said}" if said else f"it raises {name}")
                told = traceback.format_exc().strip()
                wrong.failure = replace(wrong.failure, told=told)
                raise wrong from error
        return items

    def _stacked(self, items: list[Any], index: list[int]) -> Read:
        xs, ys = [], []
        for i, item in zip(index, items, strict=True):
            x, y = self._example(i, item)
            xs.append(x)
            ys.append(y)
        found = [y for y in ys if y is not None]
        # In a worker default_collate writes into memory that the training process sees.
        batch = Read(default_collate(xs), torch.stack(found) if len(found) == len(ys) else None)
        _check_finite(batch.x, index)
        return batch

    def _example(self, i: int, item: Any) -> tuple[Tensor, Tensor | None]:
        try:
            first, second = parts(item)
            x, y = numbers(first), label(second)
        except TypeError as error:
            raise Wrong(TypeError, i, str(error)) from error
        if self.shape is not None and (x.shape != self.shape or x.dtype != self.dtype):
            kinds = [
                f"{str(d).removeprefix('torch.')} {tuple(s)}" for d, s in ((x.dtype, x.shape), (self.dtype, self.shape))
            ]
            raise Wrong(
                ValueError, i, f"it is {kinds[0]}, and example 0 is {kinds[1]}: make all alike, pictures by a resize"
            )
        return x, y

    def _collated(self, items: list[Any], index: list[int]) -> Read:
        assert self.collate is not None
        try:
            first, second = parts(self.collate(items))
            x = numbers(first)
        except Exception as error:
            said = f"the loader's collate_fn does not make a batch of it: {type(error).__name__}: {error}"
            raise Wrong(type(error) if isinstance(error, TypeError) else RuntimeError, index[0], said) from error
        if len(x) != len(index) or (self.shape is not None and (x.shape[1:] != self.shape or x.dtype != self.dtype)):
            raise Wrong(
                ValueError,
                index[0],
                f"the loader's collate_fn makes {tuple(x.shape)} of {len(index)} examples, the first such; "
                "make (B, ...) of B, and all alike",
            )
        _check_finite(x, index)
        return Read(x, labels(second, len(x)))


def _check_finite(x: Tensor, index: Sequence[int]) -> None:
    if x.is_floating_point() and not x.isfinite().all():
        bad = (~x.isfinite()).flatten(1).sum(1)
        first = int(bad.nonzero()[0])
        raise Wrong(ValueError, index[first], f"{int(bad[first])} of its numbers are not finite: mend or remove it")


@contextmanager
def drawing(seed: Sequence[int]) -> Iterator[None]:
    """What is drawn in this context, by Python, NumPy or PyTorch on the CPU, depends on *seed* alone.

    Afterwards each generator is in the state that it was in.
    """
    value = int(np.random.SeedSequence(seed).generate_state(1)[0])
    states = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    random.seed(value)
    np.random.seed(value)
    torch.default_generator.manual_seed(value)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.default_generator.set_state(states[2])


class Tasks:
    """What a loader's workers are to read in the pass that begins: made one by one."""

    def __init__(self) -> None:
        self.index: Sequence[Tensor] = ()
        self.seed: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Task]:
        for number, part in enumerate(self.index):
            yield Task(part.tolist(), (*self.seed, number))


def _as_it_is(read: Any) -> Any:
    return read


class Streamed:
    """A data set that stays where it is.

    Args:
        dataset, collate: as for :class:`Reader`.
        workers: processes that read; by default one for each core, eight at most; 0 reads in this one.
        options: more of ``DataLoader``'s own.

    Raises:
        TypeError, ValueError, RuntimeError: the first example cannot be trained on; the message says why.
    """

    def __init__(
        self,
        dataset: Any,
        collate: Callable[[list[Any]], Any] | None = None,
        workers: int | None = None,
        **options: Any,
    ) -> None:
        if len(dataset) == 0:
            raise ValueError("The data set is empty: fit needs an example at least.")
        if workers is not None and workers < 0:
            raise ValueError(f"workers is the number of processes that read, 0 or more; it is {workers}.")
        self.dataset, self.workers, self.options = dataset, cores() if workers is None else workers, options
        self.reader = Reader(dataset, collate)
        first = self.read([0])
        self.reader = Reader(dataset, collate, tuple(first.x.shape[1:]), first.x.dtype)
        self.labeled = first.y is not None
        self.device = torch.device("cpu")
        self.checks: Sequence[Check] = ()
        self._tasks = Tasks()
        self._loader: DataLoader[Any] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def bytes(self) -> int:
        """What all examples would take in memory."""
        assert self.reader.shape is not None and self.reader.dtype is not None
        return len(self) * int(np.prod(self.reader.shape)) * self.reader.dtype.itemsize

    def read(self, index: Sequence[int], seed: Sequence[int] = (0,)) -> Read:
        """Examples, read here and now."""
        found = self.reader[Task([int(i) for i in index], tuple(seed))]
        if isinstance(found, Failure):
            raise found.error()
        return found

    def to(self, device: torch.device | str) -> "Streamed":
        """The set itself; its batches come on that device from now on."""
        self.device = torch.device(device)
        self._loader = None
        return self

    def description(self) -> dict[str, Any]:
        """For a recipe: how many examples there are, and some of them."""
        places = np.linspace(0, len(self) - 1, min(LOOKED_AT, len(self))).astype(int).tolist()
        some = [described(self.read([i]).x) for i in places]
        return {"class": "Streamed", "length": len(self), "some": some}

    def reads(self, index: Sequence[Tensor], seed: Sequence[int]) -> Iterator[Read]:
        """The batches of these examples, one after the other, as they are read; *seed* is that of what is drawn.

        Raises:
            TypeError, ValueError, RuntimeError: an example cannot be trained on, or the data set raised an error; the
                message has its index.
        """
        self._tasks.index, self._tasks.seed = index, tuple(seed)
        for read in self._workers():
            if isinstance(read, Failure):
                raise read.error()
            yield read

    def batches(self, index: Sequence[Tensor], seed: Sequence[int]) -> Iterator[Batch]:
        """As :meth:`reads`, checked, as floats on the device."""
        for part, read in zip(index, self.reads(index, seed), strict=True):
            check(read.x, self.checks, part)
            y = None if read.y is None else read.y.to(self.device, non_blocking=True)
            yield Batch(floats(read.x.to(self.device, non_blocking=True)), y)

    def _workers(self) -> DataLoader[Any]:
        if self._loader is None:
            more = {"persistent_workers": True, **self.options} if self.workers else {}
            self._loader = DataLoader(
                self.reader,
                batch_size=None,  # the reader gives whole batches
                sampler=self._tasks,
                num_workers=self.workers,
                collate_fn=_as_it_is,
                pin_memory=self.device.type == "cuda",
                generator=torch.Generator(),  # else each pass would draw from the training's
                **more,
            )
        return self._loader

    def close(self) -> None:
        """End the workers."""
        self._loader = None


def floats(x: Tensor) -> Tensor:
    """A batch as models take it: bytes become byte / 255."""
    return x.to(torch.float32).div_(255) if x.dtype == torch.uint8 else x


def check(x: Tensor, checks: Sequence[Check], index: Tensor | range) -> None:
    """Raise a ValueError that names the first example of *x* (B, ...), by *index*, which does not pass.

    Bytes pass: they become numbers in [0, 1].
    """
    if not x.is_floating_point():
        return
    for one in checks:
        try:
            one(x)
        except ValueError as error:
            first = next((i for i in range(len(x)) if not _passes(one, x[i : i + 1])), 0)
            raise ValueError(f"Example {int(index[first])} of the data set: {error}") from error


def _passes(one: Check, x: Tensor) -> bool:
    try:
        one(x)
    except ValueError:
        return False
    return True


def cores() -> int:
    """Processes that may read on this machine for each process that trains on it."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, usable // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
