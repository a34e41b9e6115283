"""How a discrete code is used: the symbols of a set of images, how many occur, and how many bits they need."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from aelib.data import Grids, ImageSet
from aelib.interfaces import SymbolCoder, SymbolPrior
from aelib.likelihoods import categorical_nll, code_counts, perplexity
from aelib.metrics.reconstruction import image_batches
from aelib.nets import evaluating


class Usage(NamedTuple):
    """How the codes are used on a set of images."""

    counts: Tensor  # (K,), how often each occurs
    perplexity: float  # how many codes, were all used equally often
    percent: float  # of the codebook that occurs at least once


def code_grids(model: SymbolCoder, images: ImageSet, batch_size: int = 2000) -> Grids:
    """The grids of indices of all images, on the CPU; computed in evaluation mode.

    Raises:
        ValueError: there is no image.
    """
    with evaluating(model) as device:
        found = [model.indices(x).cpu() for x in image_batches(images, batch_size, device)]
    return Grids(torch.cat(found), images.y.cpu())


def code_usage(grids: Grids, codes: int) -> Usage:
    """Counts, perplexity and the percentage in use of *codes* symbols."""
    counts = code_counts(grids.x, codes)
    return Usage(counts, perplexity(counts).item(), 100 * (counts > 0).float().mean().item())


def bits_per_symbol(prior: SymbolPrior, grids: Grids, batch_size: int = 1000) -> float:
    r"""What a symbol costs under a prior: :math:`-\frac{1}{h w} \log_2 p(k)`, averaged over the grids.

    The field's "bits per dimension", with an index of the grid as the dimension. log2 K for a prior that knows
    nothing. Times h·w it is the length of an image's code in bits.

    Raises:
        ValueError: there is no grid.
    """
    if len(grids) == 0:
        raise ValueError("bits_per_symbol needs at least one grid; there is none.")
    nats = 0.0
    with evaluating(prior) as device:
        for part in grids.x.split(batch_size):
            symbols = part.to(device)
            logits = prior(symbols).logits.flatten(2).movedim(1, 2)  # (B, h·w, K)
            nats += categorical_nll(logits, symbols.flatten(1)).item() * len(part)
    return nats / (grids.x.numel() * math.log(2))
