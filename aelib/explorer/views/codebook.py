"""The explorer of a vector-quantized code: a grid of symbols, each of which can be exchanged."""

from collections.abc import Callable
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from aelib.data import ImageSet
from aelib.explorer import still
from aelib.explorer.network.export import export_decoder, frozen
from aelib.explorer.network.packing import pack, pack_images
from aelib.explorer.page import Explorer

CHUNK = 1000
OFFERED = 10  # images to start from


class Quantized(Protocol):
    """What :func:`codebook` asks of a model, beside ``decode`` and ``decoder``."""

    @property
    def codebook(self) -> Tensor: ...  # (K, dim)
    def indices(self, x: Tensor) -> Tensor: ...  # (B, C, H, W) -> (B, h, w)
    def lookup(self, indices: Tensor) -> Tensor: ...  # (B, h, w) -> (B, dim, h, w)


def codebook(model: nn.Module, images: ImageSet, *, noun: str = "image") -> Explorer:
    """The grid of indices that a quantizer gives an image: choose a place, put another code there, see the picture.

    Args:
        model: with ``codebook`` (K, dim), ``indices``, ``lookup``, ``decode`` and ``decoder``, such as
            :class:`aelib.models.vqvae.VQVAE`.
        images: on all of them the codes' use is counted; the first ten are offered to start from.
        noun: what one of the images is called.

    Raises:
        ValueError: no image, a model without a codebook, or a layer that the page cannot run.
    """
    if len(images) == 0:
        raise ValueError("A codebook is shown on images; the set is empty.")
    if missing := [part for part in ("codebook", "indices", "lookup", "decode") if not hasattr(model, part)]:
        raise ValueError(f"{type(model).__name__} has no {' and no '.join(missing)}: it is no quantized autoencoder.")
    still_model = frozen(model)
    quantized = cast(Quantized, still_model)
    with torch.no_grad():
        e = quantized.codebook
        grids = torch.cat([quantized.indices(part) for part in images.images().cpu().split(CHUNK)])
    first = images[:OFFERED]
    net = export_decoder(still_model, type(model).__name__, _grids(quantized, grids))
    data = {
        "model": net.data,
        "codebook": pack(e),
        "grid": list(grids.shape[1:]),
        "noun": noun,
        "usage": grids.flatten().bincount(minlength=len(e)).tolist(),
        "images": pack_images(first.x.cpu()),
        "indices": grids[: len(first)].flatten(1).tolist(),
    }
    with torch.no_grad():
        copies = still_model.decode(quantized.lookup(grids[: len(first)]))  # type: ignore[operator]
    alt = f"{len(first)} {noun}s above what the codes of {grids[0].numel()} places give back."
    picture = still.rows({noun: first.images().cpu(), "decoded": copies})
    return Explorer("codebook", data, alt, picture, tuple(grids[0].flatten().double().tolist()))


def _grids(model: Quantized, grids: Tensor) -> Callable[[int], Tensor]:
    """Draws n grids of codebook vectors: images' own, with some places exchanged for any code."""
    random = torch.Generator().manual_seed(0)

    def draw(n: int) -> Tensor:
        own = grids[torch.randint(len(grids), (n,), generator=random)]
        other = torch.randint(len(model.codebook), own.shape, generator=random)
        share = torch.rand(n, 1, 1, generator=random)
        with torch.no_grad():
            return model.lookup(torch.where(torch.rand(own.shape, generator=random) < share, other, own))

    return draw
