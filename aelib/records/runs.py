"""Runs: trainings that are declared by a chapter, and recorded where a page has no time for them.

A :class:`Run` is declared without being trained. A page asks it for its networks by :meth:`Run.load`: under the profile
``full`` they come from the record, which is refused unless the recipe that it was trained by is the one declared;
otherwise they are trained in the page. ``python scripts/record.py`` trains what lacks a record.

A record, ``results/runs/NAME.safetensors``, holds weights, recipe, history, and where, when and how long was trained.
What a page prints of a network that it loads it measures anew; only the training is spared.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd
import torch
from filelock import FileLock
from torch import nn

from aelib.records.description import architecture, described, differences
from aelib.records.profiles import current_profile
from aelib.records.provenance import RESULTS, commit, hardware, today
from aelib.records.record_file import contents, plain, prepared, read_head, read_weights, write

FORMAT = "aelib run 1"
FOLDER = RESULTS / "runs"  # where records are, unless a call says otherwise
COLUMNS = ["step", "epoch", "split", "phase", "term", "value"]
MAX_BYTES = 4_000_000
Modules = Mapping[str, nn.Module]


class NotRecorded(RuntimeError):
    """There is no record of a run, or it was trained by another recipe; the message names the field that differs."""


class Step(Protocol):
    """One step of a training, such as :class:`aelib.training.Fit`."""

    def description(self) -> dict[str, Any]: ...
    def run(self, state_file: Path | None = None) -> pd.DataFrame: ...


class Trained(NamedTuple):
    """What a run has made."""

    modules: Modules  # in evaluation mode; none if the run records no weights
    history: pd.DataFrame  # one row for each step, epoch, split, phase and term

    @property
    def measures(self) -> dict[str, Any]:
        """What the run measured at its end, by name."""
        return self.history.attrs["measures"]


@dataclass(eq=False)
class Run:
    """A training that is declared, and not run yet.

    Args:
        name: unique in the book, and beginning with the chapter's number, e.g. ``"02-rot-masking0.25-seed0"``.
        modules: what the run trains and keeps, by name, as it is before the training.
        steps: what is done, in order. Steps may use further modules, which are not kept.
        measure: called with the modules at the end; gives numbers by name that are kept with the record.
        weights: whether the weights are kept, or the history and the measures alone, as in a sweep.
        half: whether matrices and kernels are kept in half precision.
        minutes: about how long the training takes on one core.
        worth: how much its record is worth; of what is missing, the most worth a minute is trained first.
    """

    name: str
    modules: Modules
    steps: Sequence[Step]
    measure: Callable[[Modules], Mapping[str, Any]] | None = None
    weights: bool = True
    half: bool = True
    minutes: float = 1.0
    worth: float = 1.0
    _recipe: dict[str, Any] | None = field(default=None, init=False, repr=False)
    _trained: Trained | None = field(default=None, init=False, repr=False)

    @property
    def recipe(self) -> dict[str, Any]:
        """All that decides what the run makes, as plain JSON. It is made when it is first asked for, once."""
        if self._recipe is None:
            found: dict[str, Any] = {f"step {i}": step.description() for i, step in enumerate(self.steps, 1)}
            found["measure"] = described(self.measure)
            found |= {f"kept {name!r}": architecture(module) for name, module in self._kept.items()}
            self._recipe = json.loads(json.dumps(found))
        return self._recipe

    def description(self) -> dict[str, Any]:
        """The run as another's :class:`~aelib.training.Derived` data know it: by its recipe, trained or not."""
        return {"class": "Run", "name": self.name, "recipe": self.recipe}

    def load(self, *, train: bool = False, folder: Path | None = None) -> Trained:
        """The trained modules, which are those of the declaration, and the history.

        The history's ``attrs`` hold ``"measures"``, ``"seconds"`` (a list, one an epoch over all steps), ``"step
        seconds"``, and of a record ``"hardware"``, ``"commit"`` and ``"date"``.

        Under ``full`` they come from the record. If there is none, or it was trained by another recipe, they are
        trained with ``train=True``, or trained and recorded if the variable ``AELIB_RECORD`` is 1. Under ``quick``
        and ``smoke`` they are trained, and no record is read or written. A second call gives the same again.

        Args:
            train: train where there is no record.
            folder: where records are; ``results/runs`` by default.

        Raises:
            NotRecorded: there is no valid record, and it was not said to train.
            FloatingPointError: the training failed, now or when it was recorded.
        """
        if self._trained is None:
            recording = os.environ.get("AELIB_RECORD") == "1"
            why = None if current_profile().name != "full" else self.lacks(folder)
            if current_profile().name != "full" or (why and train and not recording):
                self._trained = self._train(None)
            elif why and recording:
                self.record(folder)
            elif why:
                raise NotRecorded(f"{why} {self._advice()}")
            else:
                self._trained = self._read(self._path(folder))
        assert self._trained is not None
        return self._trained

    def lacks(self, folder: Path | None = None) -> str:
        """Why there is no valid record, in a sentence; empty if there is one (a training that failed is one too)."""
        path = self._path(folder)
        if not path.exists():
            return f"There is no record of the run {self.name!r}."
        try:
            recorded = read_head(path).get("recipe")
        except ValueError as error:
            return str(error)
        if found := differences(recorded, self.recipe):
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            return f"The record {path.name} was trained by another recipe: {found[0]}{more}."
        return ""

    def record(self, folder: Path | None = None, timeout: float = -1) -> None:
        """Train the run and write its record, unless there is a valid one. It can be interrupted at any moment: the
        next call goes on from the last whole epoch. Another process that records the same run is waited for.

        Args:
            folder: where records are; ``results/runs`` by default.
            timeout: how many seconds to wait for another process; without end by default.

        Raises:
            ValueError: the weights are more than a record may hold.
            FloatingPointError: the training failed; that is recorded as well.
            filelock.Timeout: another process is at it.
        """
        path = self._path(folder)
        size = sum(tensor.nbytes for tensor in contents(self._kept, self.half).values())
        if size > MAX_BYTES:
            raise ValueError(
                f"A record holds {MAX_BYTES / 1e6:g} MB at most; the run {self.name!r} would have {size / 1e6:.1f}. "
                "Keep fewer modules, or half precision, or weights=False."
            )
        state = path.parent / ".state" / self.name
        first = os.environ.get("RANK", "0") == "0"
        if first:
            state.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{state}.lock", timeout=timeout) if first else nullcontext():
            if self.lacks(folder):
                alone = os.environ.get("WORLD_SIZE", "1") == "1"
                try:
                    trained = self._train(prepared(state, self.recipe) if alone else None)
                except FloatingPointError as error:
                    if first:
                        write(path, {}, self._head(pd.DataFrame([], columns=COLUMNS)) | {"failed": str(error)})
                    shutil.rmtree(state, ignore_errors=True)
                    raise
                if first:
                    write(path, self._kept, self._head(trained.history), self.half)
                    shutil.rmtree(state, ignore_errors=True)
                if not alone:  # in half precision the first process would go on with other weights than the others
                    self._trained = trained
                    return
            self._trained = self._read(path)

    @property
    def _kept(self) -> Modules:
        return self.modules if self.weights else {}

    def _path(self, folder: Path | None) -> Path:
        return (folder or FOLDER) / f"{self.name}.safetensors"

    def _train(self, state: Path | None) -> Trained:
        _ = self.recipe  # as it is before anything is trained
        parts, seconds = [], []
        for i, step in enumerate(self.steps, 1):
            part = step.run(None if state is None else state / f"step{i}.safetensors")
            seconds.append(list(part.attrs.get("seconds", [])))
            parts.append(part.assign(step=i)[COLUMNS])
        filled = [part for part in parts if len(part)]
        history = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame([], columns=COLUMNS)
        for module in self.modules.values():
            module.eval()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            measures = plain(dict(self.measure(self.modules)) if self.measure else {})
        flat, sums = [s for one in seconds for s in one], [sum(one) for one in seconds]
        history.attrs = {"measures": measures, "seconds": flat, "step seconds": sums}
        return Trained(self._kept, history)

    def _head(self, history: pd.DataFrame) -> dict[str, Any]:
        where = {"hardware": hardware(), "commit": commit(), "date": today()}
        rows = history.to_numpy().tolist()
        return {"format": FORMAT, "recipe": self.recipe, "rows": rows, "attrs": dict(history.attrs) | where}

    def _read(self, path: Path) -> Trained:
        head = read_head(path)
        if "failed" in head:
            raise FloatingPointError(head["failed"])
        read_weights(path, self._kept)
        history = pd.DataFrame(head["rows"], columns=COLUMNS)
        history.attrs = head["attrs"]
        return Trained(self._kept, history)

    def _advice(self) -> str:
        return (
            f"`python scripts/record.py --only {self.name.split('-')[0]}` records it (about {self.minutes:g} minutes), "
            "AELIB_PROFILE=quick trains small networks in the page, and load(train=True) trains this one here."
        )


class Runs:
    """The runs that a chapter declares, for ``scripts/record.py`` to find.

    Args:
        chapter: the notebook's name without its ending.
    """

    def __init__(self, chapter: str) -> None:
        self.chapter = chapter
        self.declarations: list[Callable[[], Iterable[Run]]] = []

    def declare(self, function: Callable[[], Iterable[Run]]) -> Callable[[], Iterable[Run]]:
        """Decorate a function that yields runs. It may load other runs and choose by what they measured: where these
        are not recorded yet, it is asked again when they are.
        """
        self.declarations.append(function)
        return function
