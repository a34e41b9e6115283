"""How a phase of training takes its steps: optimizers and learning-rate schedules, as functions still to be called.

``adam(1e-3)`` waits for the parameters; ``one_cycle()`` waits for the optimizer and the number of steps. Both
come from :mod:`torch.optim`; fused kernels are asked for because small networks spend their time launching.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]
MakeSchedule = Callable[[Optimizer, int, int], LRScheduler]


def adam(lr: float) -> MakeOptimizer:
    """Adam (Kingma & Ba 2015) with learning rate *lr*."""
    return partial(torch.optim.Adam, lr=lr, fused=True)


def adamw(lr: float, weight_decay: float = 0.01) -> MakeOptimizer:
    """AdamW (Loshchilov & Hutter 2019): Adam with decoupled weight decay."""
    return partial(torch.optim.AdamW, lr=lr, weight_decay=weight_decay, fused=True)


def adagrad(lr: float) -> MakeOptimizer:
    """Adagrad (Duchi, Hazan & Singer 2011): each weight's rate falls with the root of its summed squared gradients."""
    return partial(torch.optim.Adagrad, lr=lr, fused=True)


def sgd(lr: float, momentum: float = 0.0) -> MakeOptimizer:
    """Stochastic gradient descent with momentum."""
    return partial(torch.optim.SGD, lr=lr, momentum=momentum, fused=True)


def clipped(optimizer: MakeOptimizer, norm: float) -> MakeOptimizer:
    """The optimizer, with the gradient of all its parameters together scaled down to *norm* where it is longer.

    Pascanu, Mikolov & Bengio (2013). A recurrent network's gradient explodes now and then.
    """

    def make(parameters: Iterable[Parameter]) -> Optimizer:
        made = optimizer(parameters)
        made.register_step_pre_hook(GradientClip(norm, [p for group in made.param_groups for p in group["params"]]))
        return made

    return make


@dataclass(frozen=True)
class GradientClip:
    """Scales the gradient of all *parameters* together down to *norm* where it is longer, before an optimizer's step.

    Args:
        norm: the longest Euclidean norm that is left as it is.
        parameters: whose gradients are looked at.
    """

    norm: float
    parameters: list[Tensor] = field(compare=False, repr=False)

    def __call__(self, *_: object) -> None:
        clip_grad_norm_(self.parameters, self.norm)


def constant() -> MakeSchedule:
    """The optimizer's own learning rate, throughout."""
    return lambda optimizer, steps, steps_per_epoch: ConstantLR(optimizer, factor=1.0, total_iters=0)


def one_cycle(warm_up: float = 0.3) -> MakeSchedule:
    """One cycle (Smith & Topin 2018): up to the optimizer's learning rate over the fraction *warm_up*, then down to 0.

    Both ways along a cosine; the momentum (or Adam's first beta) runs from 0.95 to 0.85 and back.
    """

    def make(optimizer: Optimizer, steps: int, steps_per_epoch: int) -> LRScheduler:
        peak = [group["lr"] for group in optimizer.param_groups]
        total = max(steps, 2)  # OneCycleLR needs two steps at least to have an up and a down
        up = warm_up * total
        if abs(up - 1) < 1e-6:  # it counts up - 1 steps from the start to the peak, and divides by them
            up += 1e-6
        return OneCycleLR(optimizer, max_lr=peak, total_steps=total, pct_start=up / total)

    return make


class _MomentumStep(LRScheduler):
    """Keeps the learning rate and raises the momentum after a number of steps."""

    def __init__(self, optimizer: Optimizer, after: int, momentum: float) -> None:
        self.after, self.momentum = after, momentum
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        if self.last_epoch >= self.after:
            for group in self.optimizer.param_groups:
                group["momentum"] = self.momentum
        return [group["lr"] for group in self.optimizer.param_groups]


def momentum_step(momentum: float = 0.9, after_epochs: int = 5) -> MakeSchedule:
    """Raise the momentum once, after some epochs: the schedule of Hinton & Salakhutdinov's RBMs (2006)."""
    return lambda optimizer, steps, steps_per_epoch: _MomentumStep(optimizer, after_epochs * steps_per_epoch, momentum)
