"""Trainings that are declared before they are run: a :class:`Fit`, a :class:`Call`, and what is measured on the way.

A declared training can be described, compared with a record, and run another day, in another process, in parts.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from aelib.interfaces import Batch, Data
from aelib.records.description import described
from aelib.training.loop import fit
from aelib.training.phases import Callback, EpochEnd, Modules, Phase
from aelib.training.recipe import recipe_of

COLUMNS = ["epoch", "split", "phase", "term", "value"]


@dataclass(frozen=True, eq=False)
class Fit:
    """A call of :func:`aelib.training.fit` that waits to be made; its arguments are those of *fit*.

    The modules train in place. Several steps may share modules, as layers that are trained one by one and then
    together.
    """

    modules: Modules
    phases: Phase | Sequence[Phase]
    data: Data
    epochs: int
    batch_size: int = 128
    seed: int = 0
    validation: int = 0
    callbacks: Sequence[Callback] = ()
    precision: str | None = None
    compile: bool | str = False

    def description(self) -> dict[str, Any]:
        """The recipe; the modules' weights must be what they are before the step."""
        told = {name: getattr(self, name) for name in ("epochs", "batch_size", "seed", "validation")}
        found = recipe_of(self.modules, self.phases, self.data, precision=self.precision, compile=self.compile, **told)
        return {"class": "Fit", **found, "callbacks": described(list(self.callbacks))}

    def run(self, state_file: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """Train, and return the history, with a row for each number of a callback :class:`Measured`.

        Args:
            state_file: where to save the state after each epoch, and to resume from if it exists.
        """
        history = fit(
            self.modules,
            self.phases,
            self.data,
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=self.seed,
            validation=self.validation,
            callbacks=self.callbacks,
            state_file=state_file,
            precision=self.precision,
            compile=self.compile,
        )
        rows = [row for callback in self.callbacks if isinstance(callback, Measured) for row in callback.rows]
        if not rows:
            return history
        whole = pd.concat([history, pd.DataFrame(rows, columns=COLUMNS)], ignore_index=True)
        whole = whole.sort_values("epoch", kind="stable", ignore_index=True)
        whole.attrs = history.attrs
        return whole


class Measured:
    """A callback that measures after each epoch; :meth:`Fit.run` puts the numbers into the history.

    Their rows have the split ``"measured"``, no phase, and the measure's name as the term.

    Args:
        function: from the modules by name to numbers by name, e.g. ``{"test error": 1.2}``.
        every: measure after each so many epochs.
    """

    def __init__(self, function: Callable[[Modules], Mapping[str, float]], every: int = 1) -> None:
        self.function, self.every = function, every
        self.rows: list[dict[str, Any]] = []

    def __call__(self, end: EpochEnd) -> None:
        self.rows = [row for row in self.rows if row["epoch"] < end.epoch]  # none of an earlier training
        if end.epoch % self.every:
            return
        for term, value in self.function(end.modules).items():
            row = {"epoch": end.epoch, "split": "measured", "phase": "", "term": term, "value": float(value)}
            self.rows.append(row)

    def description(self) -> dict[str, Any]:
        """What is measured, not what was."""
        return {"class": "Measured", "function": described(self.function), "every": self.every}

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training must know."""
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        self.rows = state["rows"]


class Call:
    """A step that is no training, e.g. one that copies the weights of trained layers into the network to be tuned.

    Args:
        function: called with the arguments; it changes modules in place. A resumed run calls it again, so it must
            depend on nothing but the modules as the steps before have left them.
        arguments: for the function, which has a name: what it does is compared by name and arguments alone.
        seed: of torch's global generator during the call.
    """

    def __init__(self, function: Callable[..., object], *arguments: Any, seed: int = 0) -> None:
        self.function, self.arguments, self.seed = function, arguments, seed

    def description(self) -> dict[str, Any]:
        """The function's name and closure, its arguments and the seed."""
        arguments = [described(argument) for argument in self.arguments]
        return {"class": "Call", "function": described(self.function), "arguments": arguments, "seed": self.seed}

    def run(self, state_file: object = None) -> pd.DataFrame:
        """Call the function; the history that it returns has no rows."""
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.function(*self.arguments)
        history = pd.DataFrame([], columns=COLUMNS)
        history.attrs["seconds"] = []
        return history


class Derived:
    """A data set that is made from a trained model when a training asks for it, e.g. the codes of an autoencoder.

    It is compared by its *source*, not by its numbers, which do not exist yet or differ from machine to machine.

    Args:
        make: returns the data set.
        source: what it is made from: the :class:`aelib.records.runs.Run` of the model, or words.
        examples: how many there will be.

    Raises:
        ValueError: the data set that was made has another size; raised when it is first used.
    """

    def __init__(self, make: Callable[[], Data], source: object, examples: int) -> None:
        self.make, self.source, self.examples = make, source, examples

    def __len__(self) -> int:
        return self.examples

    def to(self, device: torch.device) -> Data:
        """The data set itself, made now, on a device."""
        data = self.make()
        if len(data) != self.examples:
            raise ValueError(f"The data derived from {self.source} were to be {self.examples}; they are {len(data)}.")
        return data.to(device)

    def batch(self, index: torch.Tensor) -> Batch:
        """A batch of the data set, made anew; :meth:`to` is the way to have many."""
        return self.to(index.device).batch(index)

    def description(self) -> dict[str, Any]:
        """Where it comes from and how large it is."""
        return {"class": "Derived", "source": described(self.source), "examples": self.examples}
