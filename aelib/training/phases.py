"""What a training consists of: phases, the data they see, and callbacks after each epoch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from aelib.interfaces import Batch
from aelib.training.optimizers import MakeOptimizer, MakeSchedule, adam, constant

Modules = Mapping[str, nn.Module]
Objective = Callable[[Modules, Batch], dict[str, Tensor]]


@dataclass(frozen=True)
class Phase:
    """An objective and the modules that it updates. One phase trains a VAE, three an adversarial autoencoder.

    Args:
        objective: called with all modules and a batch; returns the terms, ``"loss"`` among them.
        optimizer: waits for the parameters, e.g. ``adam(1e-3)``.
        schedule: waits for the optimizer and the number of steps, e.g. ``one_cycle()``.
        updates: names of the modules whose parameters the phase changes; all of them when None.
        name: how history and errors call the phase; the objective's class by default.
    """

    objective: Objective
    optimizer: MakeOptimizer = field(default_factory=lambda: adam(1e-3))
    schedule: MakeSchedule = field(default_factory=constant)
    updates: tuple[str, ...] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        self._check()
        if not self.name:
            called = getattr(self.objective, "__name__", type(self.objective).__name__)
            object.__setattr__(self, "name", called)

    def _check(self) -> None:
        """Raise a TypeError for what is often given in place of an objective, a maker, or names."""
        if isinstance(self.objective, type) or not callable(self.objective):
            kind = self.objective if isinstance(self.objective, type) else type(self.objective)
            raise TypeError(f"Phase takes an objective, e.g. Phase(ELBO()), with its brackets; it got {kind.__name__}.")
        if isinstance(self.optimizer, Optimizer) or not callable(self.optimizer):
            raise TypeError(
                "Phase takes a function that makes the optimizer once the parameters are known, e.g. adam(1e-3); "
                f"its optimizer is an object of class {type(self.optimizer).__name__}."
            )
        if isinstance(self.schedule, LRScheduler) or not callable(self.schedule):
            raise TypeError(
                "Phase takes a function that makes the schedule once the steps are known, e.g. one_cycle(); "
                f"its schedule is an object of class {type(self.schedule).__name__}."
            )
        if isinstance(self.updates, str):
            raise TypeError(f"Phase takes names in a tuple, updates=({self.updates!r},); it got {self.updates!r}.")


@dataclass(frozen=True)
class EpochEnd:
    """What a callback is told after an epoch. A callback that returns True ends the training there."""

    epoch: int  # from 1
    terms: dict[tuple[str, str, str], float]  # (split, phase, term) -> mean over the epoch
    modules: Modules


Callback = Callable[[EpochEnd], bool | None]


class EarlyStopping:
    """A callback that ends the training when the first phase's validation loss has not improved for *patience* epochs.

    Each training begins anew, at its first epoch. Raises ValueError for a patience below 1, or without validation.
    """

    def __init__(self, patience: int = 3) -> None:
        if patience < 1:
            raise ValueError(f"EarlyStopping waits for one epoch or more; its patience is {patience}.")
        self.patience, self.best, self.waited = patience, float("inf"), 0

    def __call__(self, end: EpochEnd) -> bool:
        losses = [v for (split, _, term), v in end.terms.items() if split == "validation" and term == "loss"]
        if not losses:
            raise ValueError("EarlyStopping needs a validation split: call fit(..., validation=5000).")
        if end.epoch == 1:
            self.best, self.waited = float("inf"), 0
        self.waited = 0 if losses[0] < self.best else self.waited + 1
        self.best = min(self.best, losses[0])
        return self.waited >= self.patience

    def state_dict(self) -> dict[str, float]:
        """What a resumed training must know."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        self.best, self.waited = state["best"], int(state["waited"])
