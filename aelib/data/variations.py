"""Variations on MNIST, regenerated: rotated digits, and digits before noise.

The benchmark of Larochelle, Erhan, Courville, Bergstra & Bengio, "An empirical evaluation of deep architectures on
problems with many factors of variation" (ICML 2007), made anew from MNIST by its published recipe. The images are not
the original ones, whose random numbers are lost. The set with photographs behind the digits is not made: its
photographs are lost too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from aelib.data.images import mnist
from aelib.data.imageset import ImageSet, Splits

SIZES = (10_000, 2_000, 50_000)


@dataclass(frozen=True, eq=False)
class Variation:
    """A variation's three parts; no digit of MNIST is in two of them."""

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    source: str  # for humans


def rotate(x: Tensor, degrees: Tensor) -> Tensor:
    """Images turned about their centers, counterclockwise as seen, by bilinear interpolation, with black around them.

    Args:
        x: shape (N, 1, H, W) uint8.
        degrees: shape (N,), an angle for each image. By 0 nothing changes; by 90 it is ``x.rot90(1, (2, 3))``.

    Returns:
        The same shape and type.

    Raises:
        ValueError: the shapes do not fit.
    """
    if x.ndim != 4 or x.shape[2] != x.shape[3] or degrees.shape != x.shape[:1]:
        raise ValueError(
            f"rotate takes square images (N, C, H, H) and N angles; it got {tuple(x.shape)} and {tuple(degrees.shape)}."
        )
    turned = torch.empty_like(x)
    for part in torch.arange(len(x)).split(5000):  # floats for a part at a time
        angle = degrees[part].double().deg2rad()
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        # Where each output pixel comes from, in coordinates (right, down) from -1 to 1.
        matrix = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
        images = x[part].double()
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        turned[part] = F.grid_sample(images, grid, align_corners=False).round().to(torch.uint8)
    return turned


def before_noise(x: Tensor, generator: torch.Generator) -> Tensor:
    """Bytes drawn uniformly from 0 to 255 behind the digits; each pixel shows the brighter of noise and digit.

    Args:
        x: shape (N, 1, H, W) uint8.
        generator: where the noise comes from.
    """
    return torch.maximum(x, torch.randint(0, 256, x.shape, dtype=torch.uint8, generator=generator))


def _rotated(x: Tensor, generator: torch.Generator) -> Tensor:
    return rotate(x, 360 * torch.rand(len(x), generator=generator, dtype=torch.float64))


VARIATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "basic": lambda x, generator: x,
    "rot": _rotated,
    "bg-rand": before_noise,
}


def variation(name: str, sizes: Sequence[int] = SIZES, seed: int = 0, digits: Splits | None = None) -> Variation:
    """One of the regenerated sets: 10,000 images to train on, 2,000 to choose by, 50,000 to test on.

    The 70,000 digits of MNIST, official test images among them, are shuffled; the parts are taken in order. With one
    seed all variations hold the same digits in the same order, and a smaller ``sizes`` shrinks each part.

    Args:
        name: ``"basic"`` (digits as they are), ``"rot"`` (turned by an angle uniform in [0°, 360°)) or ``"bg-rand"``
            (before uniform noise).
        sizes: of the three parts, 70,000 together at most.
        seed: of the shuffle, the angles and the noise.
        digits: MNIST, or another set in its place; fetched when None.

    Raises:
        ValueError: an unknown name, or sizes that are not three, not positive, or too large together.
    """
    if name not in VARIATIONS:
        raise ValueError(
            f"The regenerated variations are {', '.join(VARIATIONS)}; it got {name!r}. "
            "Those with photographs behind the digits cannot be made: the photographs are lost."
        )
    digits = mnist() if digits is None else digits
    x, y = torch.cat([digits.train.x, digits.test.x]), torch.cat([digits.train.y, digits.test.y])
    if len(sizes) != 3 or min(sizes) < 1 or sum(sizes) > len(x):
        raise ValueError(f"sizes are three positive numbers, {len(x):,} together at most; they are {tuple(sizes)}.")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    parts = []
    for i, index in enumerate(order[: sum(sizes)].split(list(sizes))):
        generator = torch.Generator().manual_seed(1000 * (seed + 1) + i)
        parts.append(ImageSet(VARIATIONS[name](x[index], generator), y[index]))
    train, validation, test = parts
    return Variation(train, validation, test, f"{name}, regenerated from {digits.source}")
