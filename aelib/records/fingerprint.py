"""A few numbers that tell one tensor from another: exact for integers, within a tolerance for floating-point numbers.

The last bits of a computed tensor differ from CPU to CPU. A fingerprint is the same on all of them to three digits.
"""

import math
import zlib
from typing import Any

import torch
from torch import Tensor

TOLERANCE = 1e-3  # in units of the tensor's root mean square; half precision moves a fingerprint by 5e-4 at most
WIDTH = 4096  # columns of the pattern that a tensor is projected on


def fingerprint(x: Tensor) -> list[float | str]:
    r"""Four numbers that tell one tensor of floating-point numbers from another: mean, standard deviation, and
    :math:`n^{-1/2} \sum_i \pm x_i` with two fixed patterns of signs.

    Other values, or the same in another order, change the projections by about the root mean square of *x*.
    """
    flat = torch.view_as_real(x).flatten() if x.is_complex() else x.flatten()
    flat = flat.detach().cpu()
    flat = flat if flat.dtype in (torch.float32, torch.float64) else flat.float()
    n = flat.numel()
    if not n:
        return [0.0] * 4
    whole = n // WIDTH * WIDTH
    sums = torch.zeros(2, dtype=torch.float64)
    rows = signs(n // WIDTH + 1)
    if whole:
        sums += ((flat[:whole].view(-1, WIDTH) @ signs(WIDTH).to(flat.dtype)).double() * rows[:-1]).sum(0)
    sums += (flat[whole:, None].double() * signs(n - whole) * rows[-1]).sum(0)
    std, mean = torch.std_mean(flat, correction=0)
    return [_rounded(float(v)) for v in (mean, std, *(sums / math.sqrt(n)))]


def signs(n: int) -> Tensor:
    """Two fixed patterns of n signs, (n, 2) float64 of 1 and -1: one bit of a hash of the position."""
    x = torch.arange(n)[:, None] * 2 + torch.arange(2) + 1
    for _ in range(2):
        x = ((x ^ (x >> 16)) * 0x45D9F3B) & 0x7FFFFFFF
    return 1.0 - 2.0 * ((x ^ (x >> 16)) & 1).double()


def checksum(x: Tensor) -> str:
    """CRC-32 of a tensor's bytes."""
    return f"{zlib.crc32(x.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data):08x}"


def _rounded(value: float) -> float | str:
    return float(f"{value:.7g}") if math.isfinite(value) else str(value)


def alike(one: list[Any], other: list[Any]) -> bool:
    """Whether two fingerprints are those of one tensor, up to the rounding of different machines."""
    if any(isinstance(v, str) for v in [*one, *other]):
        return one == other
    scale = max(math.hypot(*one[:2]), math.hypot(*other[:2]))
    return all(abs(a - b) <= TOLERANCE * scale for a, b in zip(one, other, strict=True))
