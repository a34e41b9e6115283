r"""dSprites, drawn rather than downloaded: 737,280 binary images of one shape each, of which none is stored.

Matthey, Higgins, Hassabis & Lerchner, "dSprites: Disentanglement testing Sprites dataset", 2017 (Apache-2.0).
An image is given by five factors, so a batch of images is drawn on its device from a batch of numbers. What shapes,
sizes, angles and positions are was measured on frames of the original, which ``tests/data/test_sprites.py`` compares
with.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aelib.data.imageset import Batch, ImageSet, Index

FACTORS = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
"""The factors and how many values each takes, in the order of the original; the last one changes fastest."""

SHAPES = ("square", "ellipse", "heart")
SIZE = 64  # pixels, the side of an image
COUNT = 737_280

# Half sizes in pixels at the largest scale. A heart is the curve x = 16 sin³t, y = 13 cos t - 5 cos 2t - 2 cos 3t
# - cos 4t, stretched by these factors and moved up.
SQUARE, ELLIPSE, HEART, LIFT = 9.6, (12.77, 7.23), (0.6, 0.661), 1.455
WINDOW = 29  # pixels, the side of a box that every sprite fits in


def sprites() -> "Sprites":
    """All 737,280 images of dSprites, (N, 1, 64, 64), in the order of the original file.

    A call costs 6 MB: the images' numbers.
    """
    return Sprites(torch.arange(COUNT))


@dataclass(frozen=True, eq=False)
class Sprites:
    """Some images of dSprites, by number; a batch is drawn when it is asked for.

    Raises:
        ValueError: a number outside 0 to 737,279.
        TypeError: anything but integers.
    """

    index: Tensor  # (N,) int64, the images' numbers

    def __post_init__(self) -> None:
        if self.index.dtype != torch.int64 or self.index.ndim != 1:
            raise TypeError(
                f"Sprites takes the images' numbers, int64 of shape (N,); "
                f"it got {self.index.dtype} of shape {tuple(self.index.shape)}."
            )
        if len(self.index) and not 0 <= int(self.index.min()) <= int(self.index.max()) < COUNT:
            raise ValueError(
                f"The images of dSprites have the numbers 0 to {COUNT - 1:,}; "
                f"these run from {int(self.index.min()):,} to {int(self.index.max()):,}."
            )

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: Index) -> "Sprites":
        """The images at a slice, or at the positions in a list or an int64 tensor."""
        if isinstance(index, int):
            raise TypeError(f"Parts of Sprites are Sprites: write [[{index}]] for one image, got [{index}].")
        return Sprites(self._numbers(index))

    def _numbers(self, index: Index) -> Tensor:
        if not isinstance(index, slice):
            index = torch.as_tensor(index, dtype=torch.int64, device=self.index.device)
        return self.index[index]

    def to(self, device: torch.device | str) -> "Sprites":
        """The same images, to be drawn on another device."""
        return Sprites(self.index.to(device))

    def sample(self, size: int, seed: int = 0) -> "Sprites":
        """Random images, none twice; with one seed the smaller sample is in the larger.

        Raises:
            ValueError: a size below 1 or above the set's.
        """
        if not 1 <= size <= len(self):
            raise ValueError(f"A sample's size must be from 1 to {len(self)}, got {size}.")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self[order[:size]]

    def batch(self, index: Index | None = None) -> Batch:
        """The images at *index* (all by default), float32 of 0 and 1, with the shape (0 to 2) as label."""
        # Not through Sprites, which looks at the numbers: a training step on a GPU would wait for that.
        factors = _factors(self.index if index is None else self._numbers(index))
        return Batch(render(factors), factors[:, 0])

    def images(self) -> Tensor:
        """All images of this set, (N, 1, 64, 64) float32: 16 kB each."""
        return self.batch().x

    def halved(self) -> ImageSet:
        """The images of this set at half the resolution, (N, 1, 32, 32), in memory: 1 kB each (:func:`halve`).

        Drawing takes longer than a small network's training step, so a training that comes back to its images keeps
        them.
        """
        bits = [halve(render(part.factors())).mul(255).byte() for part in map(self.__getitem__, self._thousands())]
        return ImageSet(torch.cat(bits), self.factors()[:, 0])

    def _thousands(self) -> list[slice]:
        return [slice(start, start + 1000) for start in range(0, len(self), 1000)]

    def factors(self) -> Tensor:  # (N, 5)
        """The factors of the images: which value each takes, int64, counted from 0."""
        return _factors(self.index)


def halve(images: Tensor) -> Tensor:  # (B, C, 2h, 2w) -> (B, C, h, w)
    """Images of bits at half the resolution, still bits: a pixel is white where two of its four are, or more."""
    return (functional.avg_pool2d(images, 2) >= 0.5).float()


def numbers(factors: Tensor) -> Tensor:  # (..., 5) -> (...)
    """The numbers of the images that have these factors; ``sprites()[numbers(factors)]`` are the images.

    Raises:
        ValueError: a factor takes a value that it does not have.
    """
    sizes = torch.tensor(list(FACTORS.values()), device=factors.device)
    if factors.shape[-1] != len(sizes) or (factors < 0).any() or (factors >= sizes).any():
        raise ValueError(f"Factors are (..., 5), each from 0 to below {tuple(FACTORS.values())}; got {factors}.")
    strides = torch.tensor([*sizes.flip(0).cumprod(0).flip(0)[1:].tolist(), 1], device=factors.device)
    return (factors * strides).sum(-1)


def _factors(index: Tensor) -> Tensor:  # (N,) -> (N, 5)
    found = []
    for size in reversed(FACTORS.values()):  # torch.unravel_index would send the sizes to the GPU
        found.append(index % size)
        index = index // size
    return torch.stack(found[::-1], dim=1)


def render(factors: Tensor) -> Tensor:  # (B, 5) -> (B, 1, 64, 64)
    r"""Draw one sprite for each row of factors.

    A pixel is white where its center lies inside the shape. With value *s* of the scale, *o* of the orientation and
    *i* of a position, the scale is :math:`\tfrac12 + s / 10`, the angle :math:`2 \pi o / 39` (the last equals the
    first, as in the original), and the center lies at :math:`15.5 + 32 i / 31` pixels from that of the first pixel.

    Args:
        factors: integers from 0, columns as in ``FACTORS``.

    Returns:
        Float32 images of 0 (background) and 1, on the device of *factors*.
    """
    shape, scale, orientation, x, y = factors.unbind(1)
    scale, angle = 0.5 + scale / 10, orientation * (2 * torch.pi / 39)
    centers = 15.5 + torch.stack([x, y], 1) * (32 / 31)
    corner = centers.round().long() - WINDOW // 2  # of the window, which never leaves the image
    side = torch.arange(WINDOW, device=factors.device)
    dx, dy = ((corner - centers)[:, :, None] + side).div(scale[:, None, None]).unbind(1)  # (B, window), unscaled
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    u = (cos * dx)[:, None, :] - (sin * dy)[:, :, None]  # (B, window, window), along the shape's own axes
    v = (sin * dx)[:, None, :] + (cos * dy)[:, :, None]
    kind = shape[:, None, None]  # all three are drawn: to pick each image's own would be to wait for the GPU
    inside = torch.where(kind == 0, _in_square(u, v), torch.where(kind == 1, _in_ellipse(u, v), _in_heart(u, v)))
    columns, rows = (corner[:, :, None] + side).unbind(1)
    place = rows[:, :, None] * SIZE + columns[:, None, :]
    canvas = torch.zeros(len(factors), SIZE * SIZE, device=factors.device)
    return canvas.scatter_(1, place.flatten(1), inside.flatten(1).float()).view(-1, 1, SIZE, SIZE)


def _in_square(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(u.abs(), v.abs()) < SQUARE


def _in_ellipse(u: Tensor, v: Tensor) -> Tensor:
    return (u / ELLIPSE[0]).square() + (v / ELLIPSE[1]).square() < 1


def _in_heart(u: Tensor, v: Tensor) -> Tensor:
    # Each |u| = 16 a sin³t belongs to two points of the curve's right half, at t and at pi - t: one above, one below.
    sin2 = (u.abs() / (16 * HEART[0])).pow(2 / 3).clamp(max=1)
    cos, cos2 = (1 - sin2).sqrt(), 1 - 2 * sin2
    even = -5 * cos2 - (2 * cos2.square() - 1)  # cos 2t and cos 4t are the same for both points
    odd = 13 * cos - 2 * (2 * cos2 - 1) * cos  # cos t and cos 3t change their signs
    height = -(v + LIFT) / HEART[1]  # v points down
    return (u.abs() < 16 * HEART[0]) & (height < even + odd) & (height > even - odd)
