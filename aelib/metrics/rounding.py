"""Real numbers as symbols: an autoencoder whose code is rounded to a number of bits, after training."""

import torch
from torch import Tensor, nn

from aelib.data import ImageSet
from aelib.interfaces import Coder
from aelib.metrics.reconstruction import codes


class Rounded(nn.Module):
    r"""An autoencoder each number of whose code takes one of :math:`2^b` levels.

    The levels are evenly spaced between the least and the largest value that the number has on some images; what lies
    outside goes to the nearest end. A code of *n* numbers then has *n b* bits, and can be compared with *n* symbols
    out of :math:`2^b`. In a grid of vectors (dim, h, w) the levels belong to a channel, the same at all places; a place
    is then one symbol out of :math:`2^{b \cdot \text{dim}}`.

    Args:
        model: encodes to (B, latent), or to grids (B, dim, h, w), and decodes. Not copied.
        images: whose codes set the levels: training images.
        bits: *b*, 1 or more.

    Raises:
        ValueError: no bit, no image, or codes that are neither.
    """

    def __init__(self, model: Coder, images: ImageSet, bits: int) -> None:
        super().__init__()
        if bits < 1:
            raise ValueError(f"A rounded number has 1 bit or more; it got {bits}.")
        z = codes(model, images)
        if z.ndim not in (2, 4):
            raise ValueError(
                f"Rounded takes codes (N, latent) or grids (N, dim, h, w); this model's are {tuple(z.shape)}."
            )
        self.model, self.bits, self.last = model, bits, 2**bits - 1
        # All but the numbers of a code, or the channels of a grid: (latent,) or (dim, 1, 1) is left.
        over = (0,) if z.ndim == 2 else (0, 2, 3)
        low, high = (f(z, over, keepdim=True)[0] for f in (torch.amin, torch.amax))
        self.low: Tensor  # the lowest level
        self.step: Tensor  # from one level to the next
        device = next(model.parameters()).device
        self.register_buffer("low", low.to(device))
        # A number that never changes has one level, wherever its step leads.
        self.register_buffer("step", ((high - low) / self.last).clamp(min=1e-12).to(device))

    def _levels(self, x: Tensor) -> Tensor:
        return ((self.model.encode(x) - self.low) / self.step).round().clamp(0, self.last)

    @torch.no_grad()
    def levels(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, latent) or (B, dim, h, w), int64
        """Which of the levels each number gets, from 0 to 2ᵇ − 1."""
        return self._levels(x).long()

    @torch.no_grad()
    def indices(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, h, w), int64
        """The symbol at each place of a grid: the levels of its vector as the digits of one number, base 2ᵇ.

        Raises:
            ValueError: the code is no grid, or its symbols are too many for an int64.
        """
        levels = self.levels(x)
        if levels.ndim != 4 or self.bits * levels.shape[1] > 62:
            raise ValueError(
                f"The symbols of a grid (B, dim, h, w) have 62 bits at most; this code is {tuple(levels.shape)}, "
                f"{self.bits} bits a number."
            )
        symbols = torch.zeros_like(levels[:, 0])
        for level in levels.unbind(1):
            symbols = symbols * (self.last + 1) + level
        return symbols

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, latent) or (B, dim, h, w)
        """The rounded codes. Rounding has no useful gradient, so there is none."""
        return self.low + self.step * self._levels(x)

    def decode(self, z: Tensor) -> Tensor:  # (B, latent) or (B, dim, h, w) -> (B, C, H, W)
        """The model's images for the codes."""
        return self.model.decode(z)
