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
    out of :math:`2^b`.

    Args:
        model: encodes to (B, latent) and decodes. Not copied.
        images: whose codes set the levels: training images.
        bits: *b*, 1 or more.

    Raises:
        ValueError: no bit, no image, or codes that are not (N, latent).
    """

    def __init__(self, model: Coder, images: ImageSet, bits: int) -> None:
        super().__init__()
        if bits < 1:
            raise ValueError(f"A rounded number has 1 bit or more; it got {bits}.")
        z = codes(model, images)
        if z.ndim != 2:
            raise ValueError(f"Rounded takes a model with codes (N, latent); this one's are {tuple(z.shape)}.")
        self.model, self.last = model, 2**bits - 1
        self.low: Tensor  # (latent,), the lowest level
        self.step: Tensor  # (latent,), from one level to the next
        device = next(model.parameters()).device
        self.register_buffer("low", z.amin(0).to(device))
        # A number that never changes has one level, wherever its step leads.
        self.register_buffer("step", ((z.amax(0) - z.amin(0)) / self.last).clamp(min=1e-12).to(device))

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, latent)
        """The rounded codes. Rounding has no useful gradient, so there is none."""
        return self.low + self.step * ((self.model.encode(x) - self.low) / self.step).round().clamp(0, self.last)

    def decode(self, z: Tensor) -> Tensor:  # (B, latent) -> (B, C, H, W)
        """The model's images for the codes."""
        return self.model.decode(z)
