"""Images and labels as tensors in memory: what every chapter trains on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aelib.interfaces import Batch

Index = slice | Tensor | Sequence[int]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images as bytes, all in memory on one device; a batch becomes floats when it is asked for.

    Raises:
        TypeError: tensors of another type.
        ValueError: other shapes.
    """

    x: Tensor  # (N, C, H, W) uint8
    y: Tensor  # (N,) int64

    def __post_init__(self) -> None:
        _check("x", self.x, torch.uint8, ("N", "C", "H", "W"))
        _check("y", self.y, torch.int64, ("N",))
        if len(self.x) != len(self.y):
            raise ValueError(f"x and y must be equally long, got {len(self.x)} images and {len(self.y)} labels.")

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Index) -> "ImageSet":
        """The images at a slice, or at the positions in a list or an int64 tensor."""
        if isinstance(index, int):
            raise TypeError(f"An ImageSet's parts are ImageSets: write [[{index}]] for one image, got [{index}].")
        if not isinstance(index, slice):
            index = torch.as_tensor(index, device=self.x.device)
            index = index if len(index) else index.long()  # an empty list makes a float tensor
        return ImageSet(self.x[index], self.y[index])

    def to(self, device: torch.device | str) -> "ImageSet":
        """The same set on another device."""
        return ImageSet(self.x.to(device), self.y.to(device))

    def batch(self, index: Index | None = None) -> Batch:
        """The images at *index* (all by default) as float32, byte / 255, with their labels, on the set's device."""
        chosen = self if index is None else self[index]
        return Batch(chosen.x.to(torch.float32).div_(255), chosen.y)

    def images(self) -> Tensor:
        """All images, (N, C, H, W) float32 in [0, 1]: four times the set's memory."""
        return self.batch().x


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set's training and test images."""

    train: ImageSet
    test: ImageSet
    source: str  # where the bytes came from, for humans
    official: bool  # whether this is the split that papers report on

    def subset(self, train: int | None = None, test: int | None = None, seed: int = 0) -> "Splits":
        """Random images, *train* and *test* many (None: all); with one seed the smaller subset is in the larger.

        Raises:
            ValueError: a size below 1 or above the set's.
        """
        return replace(self, train=_sample(self.train, train, seed), test=_sample(self.test, test, seed))


def _sample(images: ImageSet, size: int | None, seed: int) -> ImageSet:
    if size is None:
        return images
    if not 1 <= size <= len(images):
        raise ValueError(f"A subset's size must be from 1 to {len(images)}, got {size}.")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images[order[:size]]


def _check(name: str, tensor: Tensor, dtype: torch.dtype, axes: tuple[str, ...]) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(tensor).__name__}.")
    if tensor.ndim != len(axes):
        raise ValueError(f"{name} must have the axes ({', '.join(axes)}), got the shape {tuple(tensor.shape)}.")
    if tensor.dtype == dtype:
        return
    advice = f"Convert it by {name}.to({dtype})."
    if tensor.is_floating_point() and dtype == torch.uint8:
        advice = f"Convert intensities in [0, 1] by (255 * {name}).round().to(torch.uint8)."
        if bad := int((~tensor.isfinite()).sum()):
            advice = f"It holds {bad} values that are not finite: mend them, then convert."
    raise TypeError(f"{name} must be {dtype}, got {tensor.dtype}. {advice}")
