"""Grids of symbols in memory: what a prior over codes is trained on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from aelib.data.imageset import Batch, Index


@dataclass(frozen=True, eq=False)
class Grids:
    """Grids of code indices with the labels of the images they stand for, for :func:`aelib.training.fit`.

    Raises:
        TypeError: the indices are no integers.
        ValueError: other shapes.
    """

    x: Tensor  # (N, h, w) int64
    y: Tensor  # (N,) int64

    def __post_init__(self) -> None:
        if self.x.dtype != torch.int64:
            raise TypeError(f"Grids of indices must be torch.int64, got {self.x.dtype}. Convert them by x.long().")
        if self.x.ndim != 3 or self.y.shape != self.x.shape[:1]:
            raise ValueError(f"Grids are (N, h, w) with labels (N,), got {tuple(self.x.shape)}, {tuple(self.y.shape)}.")

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> "Grids":
        """The same grids on another device."""
        return Grids(self.x.to(device), self.y.to(device))

    def batch(self, index: Index | None = None) -> Batch:
        """The grids at *index* (all by default), with their labels."""
        where = slice(None) if index is None else index
        return Batch(self.x[where], self.y[where])
