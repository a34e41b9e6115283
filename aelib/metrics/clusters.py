"""The error of clusters found without labels, once each cluster has been given one.

A model that sorts images into K clusters does not know their names. Labels of some validation images name them.
"""

import torch
from torch import Tensor


def surest_labels(p: Tensor, y: Tensor) -> Tensor:
    """Name each cluster after the one image that it is surest of: Makhzani et al. (2016), section 6.

    Args:
        p: probabilities of the clusters for each image, shape (N, K).
        y: labels, shape (N,).

    Returns:
        A label for each cluster, shape (K,).
    """
    _check(p, y)
    return y[p.argmax(0)]


def majority_labels(p: Tensor, y: Tensor) -> Tensor:
    """Name each cluster after the commonest label of its images; a cluster without images after the commonest of all.

    Arguments and result as for :func:`surest_labels`.
    """
    _check(p, y)
    chosen = p.argmax(1)
    votes = torch.zeros(p.shape[1], int(y.max()) + 1, dtype=torch.long).index_put_(
        (chosen, y), torch.ones_like(y), accumulate=True
    )
    votes[votes.sum(1) == 0] = y.bincount()
    return votes.argmax(1)


def cluster_error(p: Tensor, y: Tensor, names: Tensor) -> float:
    """How many images, in percent, lie in a cluster that is named otherwise than they are labeled.

    Args:
        p: probabilities of the clusters for each image, shape (N, K).
        y: labels, shape (N,).
        names: a label for each cluster, shape (K,), found on other images.
    """
    _check(p, y)
    if names.shape != p.shape[1:]:
        raise ValueError(f"There must be a name for each of {p.shape[1]} clusters; names are {tuple(names.shape)}.")
    return 100 * (names[p.argmax(1)] != y).float().mean().item()


def _check(p: Tensor, y: Tensor) -> None:
    if p.ndim != 2 or y.shape != p.shape[:1] or p.numel() == 0 or not p.is_floating_point():
        raise ValueError(
            f"Clusters need probabilities (N, K) and labels (N,), at least one image; they are {tuple(p.shape)} of "
            f"{p.dtype} and {tuple(y.shape)}."
        )
    if y.dtype != torch.int64 or y.min() < 0:
        raise ValueError(f"Labels are whole numbers from 0 on, torch.int64; these are {y.dtype}, from {y.min()} on.")
