"""Numbers that are no longer finite: noticed once an epoch, and called by their names."""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from aelib.training.phases import Modules

ADVICE = "Lower the learning rate, or look for"


class Finite:
    """Watches the parameters and buffers that are finite when a training begins (a mask may hold infinities)."""

    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        self.names = list(self._numbers())
        self.before = self._finite()

    def lost(self) -> Tensor:  # (parameters and buffers,), float32
        """1 for each that was finite at the beginning and is no longer, on the device: nobody waits for it."""
        return (self.before & ~self._finite()).float()

    def check(self, lost: Tensor, epoch: int) -> None:
        """Raise a FloatingPointError that names the first of those that are *lost*."""
        if lost.any():
            name = self.names[int(lost.nonzero()[0])]
            value = self._numbers()[name]
            bad = value[~value.isfinite()].flatten()
            came = f"{bad[0].item():.3g}" if len(bad) else "nan or infinite in another process"
            raise FloatingPointError(
                f"{name} became {came} in epoch {epoch}, while every term was finite: a gradient was not, or overflowed"
                f". {ADVICE} a square root, a logarithm or a division at 0 in the objective."
            )

    def _numbers(self) -> dict[str, Tensor]:
        found = {}
        for name, module in self.modules.items():
            for key, value in chain(module.named_parameters(), module.named_buffers()):
                if value.is_floating_point():
                    found[f"{name}.{key}"] = value.detach()
        return found

    def _finite(self) -> Tensor:
        numbers = self._numbers()
        return torch.stack([numbers[name].isfinite().all() for name in self.names])


def check_terms(
    table: Tensor, columns: Sequence[tuple[str, str]], sizes: Sequence[int], epoch: int, train: bool
) -> None:
    """Raise a FloatingPointError that names the first term, if one is not finite.

    Args:
        table: sums over the examples of a batch, shape (batches, terms).
        columns: phase and term of each column.
        sizes: examples of each batch.
        epoch: from 1.
        train: whether these are the training examples.
    """
    if table.isfinite().all():
        return
    at, column = (int(i) for i in (~table.isfinite()).nonzero()[0])
    phase, term = columns[column]
    raise FloatingPointError(
        f"Phase {phase!r}: the term {term!r} became {table[at, column] / sizes[at]:.3g} in epoch {epoch}, "
        f"batch {at + 1} of {len(sizes)}{'' if train else ' of the validation split'}. "
        f"{ADVICE} extreme values in the data."
    )
