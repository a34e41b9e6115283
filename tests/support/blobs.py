"""Small images that need no download: gray blobs, each at one of ten places."""

import torch

from aelib.data import ImageSet


def blobs(n: int = 200, size: int = 28, seed: int = 0) -> ImageSet:
    """Gray blobs, each at one of ten places that is its label: an autoencoder learns them in seconds."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 10
    angle = y * (2 * torch.pi / 10) + 0.1 * torch.randn(n, generator=generator)
    centers = size / 2 + size / 3.5 * torch.stack([angle.sin(), angle.cos()], 1)
    grid = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij"))
    distance = (grid[None] - centers[:, :, None, None]).square().sum(1)
    return ImageSet((255 * torch.exp(-distance / (size / 6) ** 2)).to(torch.uint8)[:, None], y)
