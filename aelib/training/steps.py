"""A phase while it is trained: what :func:`aelib.training.fit` makes of a :class:`~aelib.training.phases.Phase`."""

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from aelib.interfaces import Batch
from aelib.training.compiling import compiled
from aelib.training.phases import Modules, Objective, Phase


class PhaseAtWork:
    """One phase at work: its optimizer, its schedule, the parameters that it may change, its objective compiled."""

    def __init__(
        self,
        phase: Phase,
        modules: Modules,
        nets: Modules,
        steps: int,
        steps_per_epoch: int,
        device: torch.device,
        compile: bool | str,
    ) -> None:
        names = tuple(modules) if phase.updates is None else phase.updates
        if unknown := set(names) - set(modules):
            raise ValueError(f"Phase {phase.name!r} updates {sorted(unknown)}; the modules are {sorted(modules)}.")
        parameters = [p for name in names for p in modules[name].parameters() if p.requires_grad]
        if not parameters:
            raise ValueError(f"Phase {phase.name!r} has no parameter to train in {list(names)}.")
        self.name, self.nets = phase.name, nets
        # An objective that holds data has them on the device, as `fit` has its own.
        move = getattr(phase.objective, "to", None)
        self.objective: Objective = move(device) if move else phase.objective
        self.compiled = compiled(self.objective, nets, device, compile) if compile else None
        self.optimizer: Optimizer = phase.optimizer(parameters)
        self.scheduler: LRScheduler = phase.schedule(self.optimizer, steps, steps_per_epoch)

    def terms(self, batch: Batch, compiled: bool) -> dict[str, Tensor]:
        """What the objective says of a batch, as a compiled function if that is asked for and there is one."""
        terms = self.compiled(batch) if compiled and self.compiled else self.objective(self.nets, batch)
        if "loss" not in terms:
            raise ValueError(f"The objective of phase {self.name!r} returned no 'loss', only {sorted(terms)}.")
        return terms
