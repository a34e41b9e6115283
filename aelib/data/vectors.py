"""Vectors as a data set: points in the plane, patches, codes; anything that is a matrix of numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor

from aelib.interfaces import Batch


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors without labels, all in memory on one device.

    Raises:
        ValueError: the tensor is no matrix of floating-point numbers.
    """

    x: Tensor  # (N, d)

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or not self.x.is_floating_point():
            raise ValueError(f"Vectors are a float matrix (N, d); got {self.x.dtype} of shape {tuple(self.x.shape)}.")

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> "Vectors":
        """The same set on another device."""
        return Vectors(self.x.to(device))

    def batch(self, index: Tensor) -> Batch:
        """The vectors at *index*, without labels."""
        return Batch(self.x[index], None)
