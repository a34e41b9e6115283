"""One protocol for many models: how each is made and trained, at which learning rate, and what it has cost.

It knows no model: an :class:`Entry` says how to make one and how to train it. Chapter 11 has the registry.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import pandas as pd
import torch
from torch import nn

from aelib.data import ImageSet
from aelib.metrics import per_pixel, reconstructions
from aelib.nets import he_init
from aelib.training import fit
from aelib.training.optimizers import adam, one_cycle
from aelib.training.phases import EpochEnd, Objective, Phase

Train = Callable[..., pd.DataFrame]  # (model, learning rate, **what fit takes) -> history


@dataclass(frozen=True)
class Entry:
    """A model in a comparison.

    Args:
        chapter: the chapter that explains it, e.g. ``"04_variational"``.
        make: makes the untrained model.
        train: trains it in place, called with the model, the peak learning rate and what ``fit`` takes; None for a
            model that is finished when it is made.
        prior: whether codes may be drawn from N(0, I).
        he_start: whether the model starts as He et al. (2015) say, by :func:`aelib.nets.he_init`.
        kind: what sort of model it is, for the legends of figures.
        seeds: how many are run.
    """

    chapter: str
    make: Callable[[], Any]
    train: Train | None = None
    prior: bool = False
    he_start: bool = True
    kind: str = "dense"
    seeds: int = 3

    def start(self, seed: int) -> Any:
        """The untrained model that belongs to a seed."""
        torch.manual_seed(seed)
        model: nn.Module = self.make()
        return he_init(model) if self.he_start and self.train else model


def single_phase(objective: Objective, net: str = "ae") -> Train:
    """Training by one phase, Adam with one cycle up to the learning rate; the objective calls the model *net*."""

    def train(model: nn.Module, rate: float, **options: Any) -> pd.DataFrame:
        return fit({net: model}, Phase(objective, adam(rate), one_cycle()), **options)

    return train


@dataclass(frozen=True)
class Comparison:
    """What is the same for all entries.

    Args:
        data: the training set.
        held: digits held out, on which the error is watched after each epoch.
        epochs: passes over *data*.
        rates: peak learning rates to choose from.
        trial: how many examples of *data* a rate is tried on; a fifth of them are held out.
        trial_epochs: passes over the rest.
    """

    data: ImageSet
    held: ImageSet
    epochs: int
    rates: Sequence[float]
    trial: int
    trial_epochs: int = 2

    def losses(self, entry: Entry, seed: int = 100) -> list[float]:
        """The entry's own loss on held-out examples, for each rate; infinite where training diverged.

        Of an entry with several phases it is the loss of the first.

        Raises:
            ValueError: the entry is not trained.
        """
        if entry.train is None:
            raise ValueError("There is no learning rate to choose for an entry that is not trained.")
        fewer, found = self.data[: self.trial], []
        options = dict(data=fewer, validation=len(fewer) // 5, epochs=self.trial_epochs, seed=seed)
        for rate in self.rates:
            try:
                history = entry.train(entry.start(seed), rate, **options)
            except FloatingPointError:
                found.append(math.inf)
                continue
            rows = history[(history.split == "validation") & (history.term == "loss")]
            found.append(float(rows.groupby("phase", sort=False).value.last().iloc[0]))
        return found

    def run(self, entry: Entry, rate: float, seed: int) -> tuple[Any, pd.DataFrame]:
        """Make the entry's model from this seed and train it.

        Returns:
            The model and its history. ``history.attrs["curve"]`` has the error per pixel on the held-out digits after
            each epoch; ``"seconds"``, as always, what each epoch took.
        """
        model, curve = entry.start(seed), []

        def watch(end: EpochEnd | None) -> None:
            curve.append(per_pixel(reconstructions(model, self.held), self.held.images()))

        history = pd.DataFrame()
        if entry.train is None:
            watch(None)
        else:
            options = dict(data=self.data, epochs=self.epochs, seed=seed, callbacks=[watch])
            history = entry.train(model, rate, **options)
        history.attrs["curve"] = curve
        return model, history


def seconds_to(attrs: Mapping[str, Any], error: float) -> float:
    """Seconds of training until the curve of a :meth:`Comparison.run` is at *error* or below; NaN if it never is.

    Args:
        attrs: of the history: ``"curve"``, ``"seconds"`` and, if there was a pretraining, its seconds as ``"before"``.
        error: per pixel.
    """
    seconds, curve = attrs["seconds"], attrs["curve"]
    elapsed = list(accumulate(seconds[-len(curve) :], initial=attrs.get("before", 0.0)))[1:]
    return next((t for t, found in zip(elapsed, curve, strict=True) if found <= error), math.nan)
