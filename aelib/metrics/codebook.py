"""How a discrete code is used: the symbols of a set of images, how many occur, and how many bits they need."""

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from aelib.data import Grids, ImageSet
from aelib.metrics.reconstruction import Evaluated, image_batches
from aelib.models.pixelcnn import Predictions, symbol_nll
from aelib.models.quantizers import code_counts, perplexity


class Symbolic(Evaluated, Protocol):
    """What these measures ask of a model: grids of indices into a codebook."""

    @property
    def codebook(self) -> Tensor: ...
    def indices(self, x: Tensor) -> Tensor: ...


class Prior(Evaluated, Protocol):
    """What :func:`bits_per_symbol` asks of a prior."""

    def __call__(self, indices: Tensor) -> Predictions: ...


class Usage(NamedTuple):
    """How the codes are used on a set of images."""

    counts: Tensor  # (K,), how often each occurs
    perplexity: float  # how many codes, were all used equally often
    percent: float  # of the codebook that occurs at least once


@torch.inference_mode()
def code_grids(model: Symbolic, images: ImageSet, batch_size: int = 2000) -> Grids:
    """The grids of indices of all images, on the CPU; the model is put in evaluation mode.

    Raises:
        ValueError: there is no image.
    """
    found = [model.indices(x).cpu() for x in image_batches(model, images, batch_size)]
    # A copy made outside of inference mode, so that a prior can be trained on it.
    with torch.inference_mode(False):
        return Grids(torch.cat(found).clone(), images.y.cpu())


def code_usage(grids: Grids, codes: int) -> Usage:
    """Counts, perplexity and the percentage in use of *codes* symbols."""
    counts = code_counts(grids.x, codes)
    return Usage(counts, perplexity(counts).item(), 100 * (counts > 0).float().mean().item())


@torch.inference_mode()
def bits_per_symbol(prior: Prior, grids: Grids, batch_size: int = 1000) -> float:
    r"""What a symbol costs under a prior: :math:`-\frac{1}{h w} \log_2 p(k)`, averaged over the grids.

    The field's "bits per dimension", with an index of the grid as the dimension. log2 K for a prior that knows
    nothing. Times h·w it is the length of an image's code in bits. The prior is put in evaluation mode.

    Raises:
        ValueError: there is no grid.
    """
    if len(grids) == 0:
        raise ValueError("bits_per_symbol needs at least one grid; there is none.")
    prior.eval()
    device, nats = next(prior.parameters()).device, 0.0
    for part in grids.x.split(batch_size):
        nats += symbol_nll(prior(part.to(device)).logits, part.to(device)).item() * len(part)
    return nats / (grids.x.numel() * math.log(2))
