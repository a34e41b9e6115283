"""Weights as whole numbers of few bits: small enough for a page, close enough that no pixel shows it.

Each row of a weight matrix becomes whole numbers q and one scale s, ``w ≈ s q``, with ``s = max|w| / (2^(n-1) - 1)``.
Every matrix of a model gets the same n: the fewest bits whose measured error keeps the bound.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aelib.explorer.network.layers import Step
from aelib.explorer.network.packing import pack

FEWEST, MOST = 4, 16  # bits of a weight


@dataclass(frozen=True)
class Rounded:
    """A step with the weights that the page will see, and how they are written down."""

    step: Step  # its weight is scale[:, None] * levels
    bits: int = 0
    levels: Tensor | None = None  # (rows, columns), whole numbers
    scale: Tensor | None = None  # (rows,)

    def payload(self) -> dict[str, Any]:
        """The step as ``js/network/`` reads it."""
        data: dict[str, Any] = {"kind": self.step.kind, **self.step.geometry}
        if self.levels is not None and self.scale is not None:
            numbers = self.levels.numpy().astype("<i2" if self.bits > 8 else "i1").ravel()
            planes = numbers.view(np.uint8).reshape(-1, numbers.itemsize).T  # all low bytes first: deflates better
            data |= {"bits": self.bits, "weight": pack(planes), "scale": pack(self.scale)}
        elif len(self.step.weight):
            data |= {"weight": pack(self.step.weight)}
        if len(self.step.bias):
            data |= {"bias": pack(self.step.bias)}
        return data


def rounded(step: Step, bits: int) -> Rounded:
    """The step with its matrix rounded; steps without one, and scales of single channels, stay as they are."""
    if step.weight.dim() != 2:
        return Rounded(step)
    scale = step.weight.abs().amax(1) / (2 ** (bits - 1) - 1)
    scale = torch.where(scale > 0, scale, 1.0)
    levels = (step.weight / scale[:, None]).round()
    return Rounded(replace(step, weight=scale[:, None] * levels), bits, levels, scale)


def quantize(steps: Sequence[Step], error: Callable[[Sequence[Step]], float], bound: float) -> list[Rounded]:
    """The steps in the fewest bits from 4 to 16 for which ``error(steps) <= bound``.

    Raises:
        ValueError: 16 bits do not suffice.
    """

    def attempt(bits: int) -> list[Rounded]:
        return [rounded(step, bits) for step in steps]

    def fits(bits: int) -> bool:
        return error([r.step for r in attempt(bits)]) <= bound

    bits = FEWEST + bisect_left(range(FEWEST, MOST + 1), True, key=fits)
    if bits > MOST:
        raise ValueError(f"With {MOST} bits a weight the output is still more than {bound:.2g} from PyTorch's.")
    return attempt(bits)
