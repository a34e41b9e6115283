"""Images as bits: every pixel is set to 1 with its gray value as the probability.

With :class:`Binarized` the bits are drawn anew each time a batch is asked for (Burda et al. 2016 train so); with
:func:`binarize` they are drawn once. Salakhutdinov & Murray (2008) introduced the second.
"""

from dataclasses import dataclass

import torch

from aelib.data.imageset import Batch, ImageSet, Index


@dataclass(frozen=True, eq=False)
class Binarized:
    """An image set whose every batch is bits drawn anew, for :func:`aelib.training.fit` and the metrics.

    The bits come from PyTorch's global generator, which ``fit`` seeds in each epoch: a resumed run draws the same.
    """

    images: ImageSet

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str) -> "Binarized":
        """The same set on another device."""
        return Binarized(self.images.to(device))

    def batch(self, index: Index | None = None) -> Batch:
        """The images at *index* (all by default), float32 of zeros and ones, with their labels."""
        batch = self.images.batch(index)
        return batch._replace(x=(torch.rand_like(batch.x) < batch.x).to(batch.x.dtype))


def binarize(images: ImageSet, seed: int = 0) -> ImageSet:
    """The images with bits drawn once, from *seed*: bytes of 0 and 255, the same on every machine."""
    gray = images.x.cpu().to(torch.float32).div_(255)
    bits = torch.rand(gray.shape, generator=torch.Generator().manual_seed(seed)) < gray
    return ImageSet((255 * bits).to(torch.uint8).to(images.x.device), images.y)
