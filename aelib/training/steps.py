"""A phase while it is trained: what :func:`aelib.training.fit` makes of a :class:`~aelib.training.phases.Phase`."""

from collections.abc import Mapping

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from aelib.interfaces import Batch
from aelib.training.compiling import compiled, saying_what_cannot_be_compiled
from aelib.training.phases import Modules, Objective, Phase


class UnknownModule(KeyError):
    """An objective calls a module by a name that ``fit`` was not given."""

    __str__ = Exception.__str__  # a KeyError's own puts the sentence in quotes


class Named(dict[str, nn.Module]):
    """The modules of a training by name, as a phase's objective gets them."""

    def __init__(self, modules: Modules, phase: str) -> None:
        super().__init__(modules)
        self.phase = phase

    def __missing__(self, name: str) -> nn.Module:
        raise UnknownModule(
            f"Phase {self.phase!r} calls a module {name!r}, and the modules of this training are {sorted(self)}: "
            f"give fit the module under that name, {{{name!r}: module}}."
        )


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
        self.name, self.updates, self.nets = phase.name, names, Named(nets, phase.name)
        self.columns: tuple[str, ...] = ()  # the terms of this pass, by the first batch's order
        # Where other modules have parameters too, their gradients are not computed: nobody would use them.
        self.parameters = parameters if set(names) < set(modules) else []
        # An objective that holds data has them on the device, as `fit` has its own.
        move = getattr(phase.objective, "to", None)
        self.objective: Objective = move(device) if move else phase.objective
        self.compiled = compiled(self.objective, self.nets, device, compile) if compile else None
        self.optimizer: Optimizer = phase.optimizer(parameters)
        self.scheduler: LRScheduler = phase.schedule(self.optimizer, steps, steps_per_epoch)

    def terms(self, batch: Batch, compiled: bool, train: bool = True) -> dict[str, Tensor]:
        """What the objective says of a batch, as a compiled function if that is asked for and there is one.

        The terms come in the order of the pass's first batch; the pass begins with :attr:`columns` empty.

        Raises:
            TypeError, ValueError: these are no terms; the message says what is wrong with which.
        """
        try:
            if compiled and self.compiled:
                with saying_what_cannot_be_compiled(self.name):
                    found = self.compiled(batch)
            else:
                found = self.objective(self.nets, batch)
        except AttributeError as error:
            if isinstance(error.obj, DistributedDataParallel) and hasattr(error.obj.module, error.name or ""):
                raise AttributeError(self._hidden(error.obj, error.name or "")) from error
            raise
        if not isinstance(found, Mapping):
            raise TypeError(
                f"The objective of phase {self.name!r} returned a {type(found).__name__}; "
                'it returns its terms by name, {"loss": loss}.'
            )
        if "loss" not in found:
            raise ValueError(f"The objective of phase {self.name!r} returned no 'loss', only {sorted(found)}.")
        self.columns = self.columns or tuple(found)
        if found.keys() != set(self.columns):
            raise ValueError(
                f"The objective of phase {self.name!r} returned the terms {sorted(found)} for one batch and "
                f"{sorted(self.columns)} for another; return the same ones for all batches of an epoch."
            )
        terms = {name: self._scalar(name, found[name], batch.x.device) for name in self.columns}
        if train and not terms["loss"].requires_grad:
            raise ValueError(
                f"The loss of phase {self.name!r} depends on no parameter of {list(self.updates)}: compute it from "
                "what these modules return, without detach() or no_grad()."
            )
        return terms

    def step(self, loss: Tensor, accelerator: Accelerator) -> None:
        """Change the phase's parameters by the gradient of *loss*."""
        with saying_what_cannot_be_compiled(self.name):
            # DistributedDataParallel waits for the gradients of all parameters of a module that was called.
            if self.parameters and accelerator.num_processes == 1:
                accelerator.backward(loss, inputs=[p for p in self.parameters if p.requires_grad])
            else:
                accelerator.backward(loss)
        self.optimizer.step()
        self.scheduler.step()

    def _scalar(self, name: str, value: Tensor | float, device: torch.device) -> Tensor:
        if not isinstance(value, Tensor) and isinstance(value, int | float):
            return torch.full((), value, dtype=torch.float32, device=device)
        if not isinstance(value, Tensor) or value.ndim:
            came = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f"The term {name!r} of phase {self.name!r} is one number, the mean over the batch; it got {came}."
            )
        return value

    def _hidden(self, net: DistributedDataParallel, attribute: str) -> str:
        (name,) = (name for name, one in self.nets.items() if one is net)
        return (
            f"The objective of phase {self.name!r} uses nets[{name!r}].{attribute}, which goes past the averaging of "
            f"gradients over processes: call nets[{name!r}](...) alone, and let its forward return what is needed."
        )
