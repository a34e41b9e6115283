"""What damage to its input does to a model: noise, shifts and missing patches, each drawn from a seed."""

from collections.abc import Callable

import torch
from torch import Tensor

from aelib.data import ImageSet
from aelib.interfaces import Coder
from aelib.metrics.reconstruction import per_pixel, reconstructions

Damage = Callable[[Tensor, torch.Generator], Tensor]


def noise(std: float) -> Damage:
    """Gaussian noise of standard deviation *std* (in gray levels, black 0, white 1), clipped to [0, 1]."""
    return lambda x, generator: (x + std * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def shift(pixels: int) -> Damage:
    """Each image is moved by *pixels* to the left, right, up or down, by chance; black comes in."""

    def damage(x: Tensor, generator: torch.Generator) -> Tensor:
        height, width = x.shape[2:]
        wide = torch.nn.functional.pad(x, [pixels] * 4)
        at = ((0, pixels), (2 * pixels, pixels), (pixels, 0), (pixels, 2 * pixels))  # upper left corners
        moved = torch.stack([wide[:, :, row : row + height, column : column + width] for row, column in at])
        return moved[torch.randint(4, (len(x),), generator=generator), torch.arange(len(x))]

    return damage


def missing_patch(side: int) -> Damage:
    """A black square of *side* pixels at a random place that lies inside the image."""

    def damage(x: Tensor, generator: torch.Generator) -> Tensor:
        corner = [torch.randint(size - side + 1, (len(x), 1, 1, 1), generator=generator) for size in x.shape[2:]]
        rows, columns = torch.arange(x.shape[2])[:, None], torch.arange(x.shape[3])
        inside = (rows >= corner[0]) & (rows < corner[0] + side) & (columns >= corner[1]) & (columns < corner[1] + side)
        return x.masked_fill(inside, 0.0)

    return damage


def damaged(images: ImageSet, damage: Damage, seed: int = 0) -> ImageSet:
    """The images after the damage, rounded to bytes; the same on every machine.

    Raises:
        ValueError: there is no image.
    """
    if len(images) == 0:
        raise ValueError("The image set is empty; there is nothing to damage.")
    x = damage(images.images().cpu(), torch.Generator().manual_seed(seed))
    return ImageSet((255 * x).round().to(torch.uint8).to(images.x.device), images.y)


def error_under(model: Coder, images: ImageSet, damage: Damage, target: str = "clean", seed: int = 0) -> float:
    """Squared error per pixel of the reconstructions of damaged images.

    Args:
        model: reconstructs in evaluation mode.
        images: before the damage.
        damage: e.g. ``noise(0.2)``.
        target: what the reconstruction is compared with: ``"clean"`` images (does the model repair?) or the
            ``"damaged"`` ones (does it follow?).
        seed: of the damage.

    Raises:
        ValueError: another target, or no image.
    """
    if target not in ("clean", "damaged"):
        raise ValueError(f"The target is 'clean' or 'damaged'; it is {target!r}.")
    hurt = damaged(images, damage, seed)
    compared = images if target == "clean" else hurt
    return per_pixel(reconstructions(model, hurt), compared.images().cpu())
