"""Vectors as a data set: points in the plane, patches, codes; anything that is a matrix of numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor

from aelib.interfaces import Batch


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors, with labels or without, all in memory on one device.

    Raises:
        ValueError: the tensor is no matrix of floating-point numbers, or there is not one label for each row.
    """

    x: Tensor  # (N, d)
    y: Tensor | None = None  # (N,)

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or not self.x.is_floating_point():
            raise ValueError(f"Vectors are a float matrix (N, d); got {self.x.dtype} of shape {tuple(self.x.shape)}.")
        if self.y is not None and self.y.shape != self.x.shape[:1]:
            raise ValueError(f"Labels are one for each of the {len(self.x)} vectors; got {tuple(self.y.shape)}.")

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> "Vectors":
        """The same set on another device."""
        return Vectors(self.x.to(device), None if self.y is None else self.y.to(device))

    def batch(self, index: Tensor) -> Batch:
        """The vectors at *index*, with their labels if there are any."""
        return Batch(self.x[index], None if self.y is None else self.y[index])
