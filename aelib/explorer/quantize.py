"""Few bits for each weight, chosen so that the error of the output, which is measured, keeps a bound.

A weight becomes a whole number with a scale for its row and one for its column, ``w ≈ r c q`` with
``|q| < 2^(bits - 1)``, rounded with error feedback (GPTQ): each column's rounding error is made up for by the columns
still to be rounded, as far as the layer's inputs are correlated. What can be made up for may be rounded coarsely:
that decides the columns' scales. The numbers are deflated, so a weight costs about the entropy of its q.

Frantar, Ashkboos, Hoefler & Alistarh, "GPTQ: accurate post-training quantization for generative pre-trained
transformers", ICLR 2023, algorithm 1. On a trained 2-400-784 decoder it halves the page's weight against rounding to
the nearest, at the same error.
"""

from bisect import bisect_left
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
ROWS = 20_000  # the most inputs that the covariance is estimated from
BLOCK = 64  # columns between two updates of all the later ones


@dataclass(frozen=True)
class Rounded:
    """A step with the weights that the page will see, and how they are written down."""

    step: Step  # with weight = row[:, None] * column * levels
    bits: int = 0
    levels: Tensor | None = None  # (rows, columns), whole numbers
    row: Tensor | None = None  # (rows,)
    column: Tensor | None = None  # (columns,)

    def payload(self) -> dict[str, Any]:
        """The step as ``explorer.js`` reads it."""
        data: dict[str, Any] = {"kind": self.step.kind, **self.step.geometry}
        if self.levels is not None and self.row is not None and self.column is not None:
            numbers = self.levels.numpy().astype("<i2" if self.bits > 8 else "i1").ravel()
            planes = numbers.view(np.uint8).reshape(-1, numbers.itemsize).T  # all low bytes first: deflates better
            data |= {"bits": self.bits, "levels": pack(planes), "row": pack(self.row), "column": pack(self.column)}
        elif len(self.step.weight):
            data |= {"weight": pack(self.step.weight)}
        if len(self.step.bias):
            data |= {"bias": pack(self.step.bias)}
        return data


class Rounder:
    """Rounds the weights of one step so that its answers to the inputs x (n, columns) change little."""

    def __init__(self, step: Step, x: Tensor) -> None:
        x = x[torch.linspace(0, len(x) - 1, min(len(x), ROWS)).long()].double()
        covariance = torch.cov(x.T, correction=0).reshape(x.shape[1], x.shape[1])
        spread = covariance.diagonal()
        covariance = covariance + (DAMPING * spread.mean()).clamp(min=1e-12) * torch.eye(len(spread))
        self.step, self.mean, self.order = step, x.mean(0).float(), spread.argsort(descending=True)
        inverse = torch.linalg.inv(covariance[self.order][:, self.order])
        self.feedback = torch.linalg.cholesky(inverse, upper=True).float()
        coarse = self.feedback.diagonal()  # 1 / standard deviation of an input, given all the later ones
        self.column = torch.empty_like(coarse).index_copy(0, self.order, coarse / coarse.log().mean().exp())

    def __call__(self, bits: int) -> Rounded:
        """The step in so many bits. Its bias takes up what the rounding changes in the mean of the answers."""
        top, weight = 2 ** (bits - 1) - 1, self.step.weight
        row = (weight / self.column).abs().amax(1) / top
        row = torch.where(row > 0, row, 1.0)
        w, column = weight[:, self.order], self.column[self.order]
        levels = torch.empty_like(w)
        for start in range(0, w.shape[1], BLOCK):
            end = min(start + BLOCK, w.shape[1])
            errors = torch.empty(len(w), end - start)
            for c in range(start, end):
                scale = row * column[c]
                levels[:, c] = (w[:, c] / scale).round().clamp(-top, top)
                errors[:, c - start] = (w[:, c] - levels[:, c] * scale) / self.feedback[c, c]
                w[:, c + 1 : end] -= errors[:, c - start, None] * self.feedback[c, c + 1 : end]
            w[:, end:] -= errors @ self.feedback[start:end, end:]
        levels = torch.empty_like(levels).index_copy(1, self.order, levels)
        rounded = row[:, None] * self.column * levels
        shift = ((weight - rounded) @ self.mean).view(len(self.step.bias), -1)
        bias = self.step.bias + (shift[:, 0] if shift.shape[1] == 1 else 0)
        return Rounded(replace(self.step, weight=rounded, bias=bias), bits, levels, row, self.column)


def quantize(steps: Sequence[Step], x: Tensor, error: Callable[[Sequence[Step]], float], bound: float) -> list[Rounded]:
    """The steps with as few bits as keep ``error(steps) <= bound``; x is what the network will be given.

    First the fewest bits that do when all large layers get the same number; then each of them, the largest first,
    gives up as many as it can.

    Raises:
        ValueError: even 16 bits for each weight do not suffice.
    """
    rounders = {}
    for i, step in enumerate(steps):
        if step.weight.dim() == 2:
            rounders[i] = Rounder(step, columns(step, x))
        x = run([step], x)

    @cache
    def rounded(i: int, bits: int) -> Rounded:
        return rounders[i](bits) if i in rounders else Rounded(steps[i])

    def attempt(bits: dict[int, int]) -> list[Rounded]:
        return [rounded(i, bits.get(i, MOST)) for i in range(len(steps))]

    def fits(bits: dict[int, int]) -> bool:
        return error([r.step for r in attempt(bits)]) <= bound

    sizes = {i: steps[i].weight.numel() for i in rounders}
    large = [i for i in sorted(sizes, key=lambda i: -sizes[i]) if sizes[i] > SMALL * sum(sizes.values())]
    if not fits({}):
        raise ValueError(f"With {MOST} bits a weight the output is still more than {bound:.2g} from PyTorch's.")
    n = FEWEST + bisect_left(range(FEWEST, MOST), True, key=lambda n: fits(dict.fromkeys(large, n)))
    bits = dict.fromkeys(large, n)
    for i in large:
        bits[i] = FEWEST + bisect_left(range(FEWEST, bits[i]), True, key=lambda n: fits(bits | {i: n}))
    return attempt(bits)
