"""Between two codes: the images on the way, whether the way is even, and whether it stays near the data."""

from typing import NamedTuple

import torch
from torch import Tensor

from aelib.interfaces import Coder
from aelib.nets import evaluating


class Journey(NamedTuple):
    """What the images on the way from one code to another are like, averaged over pairs."""

    unevenness: float  # the largest step over the mean one, in squared distance; 1 for equal steps
    halfway: float  # distance of the image in the middle to the nearest known image
    ends: float  # the same for the images at both ends, for comparison


def interpolation(model: Coder, a: Tensor, b: Tensor, steps: int = 11) -> Tensor:
    """Images on the straight line between the codes of two batches, computed in evaluation mode.

    A model that quantizes (one with ``grid`` and ``quantizer``, such as :class:`aelib.models.vqvae.VQVAE`) is
    interpolated before it quantizes: between two symbols there is nothing.

    Args:
        model: encodes and decodes.
        a, b: images, (N, C, H, W).
        steps: points on the line, 2 or more, its ends included.

    Returns:
        Shape (steps, N, C, H, W), on the CPU.

    Raises:
        ValueError: batches of different shape, or fewer than two points.
    """
    if a.shape != b.shape or steps < 2:
        raise ValueError(
            f"Interpolation takes two batches of one shape and two points or more; "
            f"it got {tuple(a.shape)}, {tuple(b.shape)} and {steps}."
        )
    grid, quantizer = getattr(model, "grid", model.encode), getattr(model, "quantizer", None)
    images = []
    with evaluating(model) as device:
        start, end = grid(a.to(device)), grid(b.to(device))
        for t in torch.linspace(0, 1, steps).tolist():
            z = start.lerp(end, t)
            images.append(model.decode(z if quantizer is None else quantizer.lookup(quantizer.indices(z))).cpu())
    return torch.stack(images)


def journey(images: Tensor, known: Tensor) -> Journey:
    """How even a way is, and how near to known images it stays.

    Args:
        images: (steps, N, C, H, W), what :func:`interpolation` returns; three steps or more.
        known: (M, C, H, W), e.g. training images.

    Raises:
        ValueError: fewer than three steps, or known images of another shape.
    """
    if images.ndim != 5 or len(images) < 3 or images.shape[2:] != known.shape[1:]:
        raise ValueError(
            f"A journey has three or more steps (steps, N, C, H, W) among images (M, C, H, W); "
            f"it got {tuple(images.shape)} and {tuple(known.shape)}."
        )
    squares = (images[1:] - images[:-1]).square().flatten(2).sum(2)  # (steps - 1, N)
    # Where nothing moves at all, the way is even.
    uneven = squares.amax(0) / squares.mean(0).clamp(min=1e-12)
    uneven = torch.where(squares.amax(0) > 0, uneven, torch.ones_like(uneven))
    near = [
        torch.cdist(images[i].flatten(1), known.flatten(1)).amin(1).mean().item() for i in (0, len(images) // 2, -1)
    ]
    return Journey(uneven.mean().item(), near[1], (near[0] + near[2]) / 2)
