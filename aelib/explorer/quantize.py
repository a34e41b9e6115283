"""Few bits for each weight, chosen so that the error of the output, which is measured, keeps a bound.

A row w of a weight matrix becomes whole numbers q and one scale, ``w ≈ s q`` with ``|q| < 2^(bits - 1)``, rounded
with error feedback (GPTQ): each column's rounding error is made up for by the columns that are still to be rounded,
as far as the inputs that the layer sees are correlated. A decoder of 2-D codes gets by with 7 bits so, where
rounding to the nearest needs 12.

Frantar, Ashkboos, Hoefler & Alistarh, "GPTQ: accurate post-training quantization for generative pre-trained
transformers", ICLR 2023, algorithm 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aelib.explorer.layers import Step, columns, run
from aelib.explorer.packing import pack

FEWEST, MOST = 4, 16  # bits of a weight
SMALL = 0.02  # a layer with less than this part of all weights keeps 16 bits: it costs nothing
DAMPING = 1e-5  # added to the inputs' covariance, in units of its mean diagonal
ROWS = 20_000  # input columns that the covariance is estimated from


@dataclass(frozen=True)
class Rounded:
    """A step with the weights that the page will see, and how they are written down."""

    step: Step  # with weight = scale[:, None] * levels
    bits: int = 0
    levels: Tensor | None = None  # (rows, columns), whole numbers
    scale: Tensor | None = None  # (rows,)

    def payload(self) -> dict[str, Any]:
        """The step as ``explorer.js`` reads it."""
        data: dict[str, Any] = {"kind": self.step.kind, **self.step.geometry}
        if self.levels is not None and self.scale is not None:
            numbers = self.levels.numpy().astype("<i2" if self.bits > 8 else "i1").ravel()
            planes = numbers.view(np.uint8).reshape(-1, numbers.itemsize).T  # all low bytes first: deflates better
            data |= {"bits": self.bits, "columns": self.levels.shape[1], "levels": pack(planes)}
            data |= {"scale": pack(self.scale)}
        elif len(self.step.weight):
            data |= {"weight": pack(self.step.weight)}
        if len(self.step.bias):
            data |= {"bias": pack(self.step.bias)}
        return data


def round_weights(step: Step, x: Tensor, bits: int) -> Rounded:
    """The weights of a step in so many bits, such that its answers to the inputs x (n, columns) change little.

    The bias takes up what the rounding changes in the mean of the answers.
    """
    mean = x.mean(0)
    covariance = torch.cov(x.T.double(), correction=0).reshape(len(mean), len(mean))
    damping = (DAMPING * covariance.diagonal().mean()).clamp(min=1e-12)
    covariance += damping * torch.eye(len(mean))
    order = covariance.diagonal().argsort(descending=True)
    inverse = torch.linalg.inv(covariance[order][:, order])
    feedback = torch.linalg.cholesky(inverse, upper=True)

    top = 2 ** (bits - 1) - 1
    scale = step.weight.abs().amax(1) / top
    scale = torch.where(scale > 0, scale, 1.0)
    w = step.weight[:, order].double()
    levels = torch.zeros_like(step.weight)
    for c, column in enumerate(order):
        q = (w[:, c] / scale).round().clamp(-top, top)
        error = (w[:, c] - q * scale) / feedback[c, c]
        w[:, c + 1 :] -= error[:, None] * feedback[c, c + 1 :]
        levels[:, column] = q
    weight = scale[:, None] * levels
    shift = ((step.weight - weight) @ mean).view(len(step.bias), -1)
    bias = step.bias + shift[:, 0] if shift.shape[1] == 1 else step.bias
    return Rounded(replace(step, weight=weight, bias=bias), bits, levels, scale)


def quantize(steps: Sequence[Step], x: Tensor, error: Callable[[Sequence[Step]], float], bound: float) -> list[Rounded]:
    """The steps with as few bits as keep ``error(steps) <= bound``; x is what the network will be given.

    First the fewest bits that do when all large layers get the same number; then each of them, the largest first,
    gives up as many as it can.

    Raises:
        ValueError: even 16 bits for each weight do not suffice.
    """
    inputs = {}
    for i, step in enumerate(steps):
        if step.weight.dim() == 2:
            seen = columns(step, x)
            inputs[i] = seen[torch.linspace(0, len(seen) - 1, min(len(seen), ROWS)).long()]
        x = run([step], x)
    sizes = {i: steps[i].weight.numel() for i in inputs}
    large = [i for i in sorted(sizes, key=lambda i: -sizes[i]) if sizes[i] > SMALL * sum(sizes.values())]

    @cache
    def rounded(i: int, bits: int) -> Rounded:
        return round_weights(steps[i], inputs[i], bits) if i in inputs else Rounded(steps[i])

    def attempt(bits: dict[int, int]) -> list[Rounded]:
        return [rounded(i, bits.get(i, MOST)) for i in range(len(steps))]

    def fits(bits: dict[int, int]) -> bool:
        return error([r.step for r in attempt(bits)]) <= bound

    n = next((n for n in range(FEWEST, MOST + 1) if fits(dict.fromkeys(large, n))), None)
    if n is None:
        raise ValueError(f"With {MOST} bits a weight the output is still more than {bound:.2g} from PyTorch's.")
    bits = dict.fromkeys(large, n)
    for i in large:
        while bits[i] > FEWEST and fits(bits | {i: bits[i] - 1}):
            bits[i] -= 1
    return attempt(bits)
