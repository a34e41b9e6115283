"""The recipe of a training, as plain JSON: all that decides what comes out, described without training anything.

A saved state is resumed, and a record is loaded, only if its recipe is the one that is asked for;
:func:`~aelib.records.description.differences` says in words what is not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from aelib.interfaces import Data
from aelib.records.description import architecture, described, differences, weights
from aelib.training.batches import number_of_batches
from aelib.training.phases import Modules, Phase
from aelib.training.precision import chosen_precision
from aelib.training.streaming import Streamed

__all__ = ["differences", "recipe_of"]

# How an optimizer computes its step, not which step it takes.
IMPLEMENTATION = {"fused", "foreach", "capturable", "differentiable"}
# What a schedule remembers of its own calls, under names that differ between versions of torch.
BOOKKEEPING = {"optimizer", "last_epoch", "verbose", "_step_count", "_is_initial", "_last_lr"}
BOOKKEEPING |= {"_get_lr_called_within_step", "_initial_step"}


def recipe_of(
    modules: Modules,
    phases: Phase | Sequence[Phase],
    data: Data | Streamed,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    validation: int,
    precision: str | None,
    compile: bool | str,
    start: bool = True,
) -> dict[str, Any]:
    """Describe a call of :func:`aelib.training.fit`, whose arguments these are.

    The modules with their architecture and start, the phases with all settings of their objectives, optimizers and
    schedules, the data with their number and checksum, and the numbers of the run.

    Args:
        start: whether the values that the modules' weights start from belong to it.

    Each phase's optimizer and schedule are made, looked at, and thrown away.
    """
    phases = (phases,) if isinstance(phases, Phase) else tuple(phases)
    per_epoch = number_of_batches(len(data) - validation, batch_size)
    found: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "validation": validation,
        "examples": len(data),
        "precision": chosen_precision(precision),
        "compile": compile,
        "phases": [phase.name for phase in phases],
        "data": described(data),
    }
    found |= {f"phase {phase.name!r}": _phase(phase, modules, epochs * per_epoch, per_epoch) for phase in phases}
    found |= {f"module {name!r}": architecture(module) for name, module in modules.items()}
    if start:
        found |= {f"start of {name!r}": weights(module) for name, module in modules.items()}
    return found


def _phase(phase: Phase, modules: Modules, steps: int, steps_per_epoch: int) -> dict[str, Any]:
    updates = tuple(modules) if phase.updates is None else phase.updates
    optimizer = phase.optimizer([p for name in updates for p in _trained(modules, name)])
    settings = _optimizer(optimizer)
    return {
        "updates": list(updates),
        "objective": described(phase.objective),
        "optimizer": settings,
        "schedule": _schedule(phase.schedule(optimizer, steps, steps_per_epoch), settings),
    }


def _trained(modules: Mapping[str, nn.Module], name: str) -> list[nn.Parameter]:
    return [p for p in modules[name].parameters() if p.requires_grad] if name in modules else []


def _optimizer(optimizer: Optimizer) -> dict[str, Any]:
    """Class, settings (of each group of parameters where there are several), and what is done before each step."""
    groups = [
        {key: described(value) for key, value in group.items() if key not in IMPLEMENTATION | {"params"}}
        for group in optimizer.param_groups
    ]
    hooks = [described(hook) for hook in optimizer._optimizer_step_pre_hooks.values()]
    settings = groups[0] if len(groups) == 1 else {f"group {i}": group for i, group in enumerate(groups, 1)}
    return {"class": type(optimizer).__qualname__, **settings, "before each step": hooks}


def _schedule(scheduler: LRScheduler, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Class and settings, with what the schedule keeps in the optimizer's groups, as OneCycleLR its peak."""
    own = {k: described(v) for k, v in vars(scheduler).items() if k not in BOOKKEEPING}
    kept = [{k: described(v) for k, v in g.items() if k not in settings} for g in scheduler.optimizer.param_groups]
    kept = [{k: v for k, v in group.items() if k not in IMPLEMENTATION | {"params"}} for group in kept]
    return {"class": type(scheduler).__qualname__, **own, "groups": kept}
