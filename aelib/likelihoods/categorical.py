r"""Categories: words of a sentence, symbols of a grid, how often they occur and how evenly."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from aelib.nets import reading_is_free


def categorical_nll(logits: Tensor, target: Tensor, ignore: int | None = None) -> Tensor:
    r"""Negative log-likelihood of categories, in nats per example: summed over places, averaged over the batch.

    .. math:: -\frac1B \sum_{n=1}^{B} \sum_{t} \log \operatorname{softmax}(\ell_{nt})_{x_{nt}}

    Args:
        logits: shape (B, T, K), a score for each of K categories.
        target: shape (B, T), the categories, int64.
        ignore: a category whose places do not count, such as padding.

    Returns:
        A scalar, in nats per example.

    Raises:
        ValueError: the shapes do not fit, or the batch is empty.
    """
    if logits.ndim != 3 or logits.shape[:2] != target.shape or len(target) == 0:
        raise ValueError(
            f"categorical_nll takes logits (B, T, K) and categories (B, T), B at least 1; "
            f"it got {tuple(logits.shape)} and {tuple(target.shape)}."
        )
    skipped = -100 if ignore is None else ignore  # -100: no category, F.cross_entropy's own default
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=skipped, reduction="sum") / len(target)


def code_counts(indices: Tensor, codes: int) -> Tensor:
    """How often each of *codes* symbols occurs in a tensor of indices; shape (codes,), float32."""
    ones = torch.ones(indices.numel(), device=indices.device)  # torch.bincount would wait for the GPU
    return torch.zeros(codes, device=indices.device).index_add_(0, indices.flatten(), ones)


def perplexity(counts: Tensor) -> Tensor:
    r"""The exponential of the entropy of the frequencies :math:`p_k`, :math:`\exp(-\sum_k p_k \log p_k)`.

    *K* if all codes are used equally often, 1 if one is used alone.

    Raises:
        ValueError: nothing was counted (on a GPU, where a look would cost a wait, the answer is NaN).
    """
    if counts.numel() == 0 or (reading_is_free(counts) and not counts.sum() > 0):
        raise ValueError("The perplexity of no symbols is undefined: count one or more.")
    return torch.special.entr(counts / counts.sum()).sum().exp()


def symbols_in_use(indices: Tensor) -> tuple[Tensor, Tensor]:
    r"""How many different symbols occur in a tensor of indices, and the :func:`perplexity` of their frequencies.

    From the sorted indices, without a table of all symbols: however many there might be. Two scalars, float32.

    Raises:
        ValueError: there is no index.
    """
    if indices.numel() == 0:
        raise ValueError("The perplexity of no symbols is undefined: count one or more.")
    found = indices.flatten().sort().values
    often = torch.searchsorted(found, found, right=True) - torch.searchsorted(found, found)  # of each place's symbol
    # The mean over places of -log frequency is the entropy.
    entropy = math.log(len(found)) - often.float().log().mean()
    return (found[1:] != found[:-1]).sum().float() + 1, entropy.exp()
