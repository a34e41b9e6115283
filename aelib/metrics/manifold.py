r"""Precision and recall of generated examples: how many lie where data lie, and how much of the data they reach.

Kynkäänniemi, Karras, Laine, Lehtinen & Aila, "Improved precision and recall metric for assessing generative models",
NeurIPS 2019.
"""

from typing import NamedTuple

import torch
from torch import Tensor

CHUNK = 2000  # examples compared with all others at a time


class PrecisionRecall(NamedTuple):
    """Both from 0 to 1, larger is better."""

    precision: float  # the fraction of generated examples inside the region of the real ones
    recall: float  # the fraction of real examples inside the region of the generated ones


def precision_recall(real: Tensor, made: Tensor, k: int = 3) -> PrecisionRecall:
    r"""How many generated examples lie in the region of the real ones, and the reverse.

    .. math::
        \text{precision} = \frac1m \sum_{j=1}^{m} \left[ b_j \in R(a) \right], \qquad
        \text{recall} = \frac1n \sum_{i=1}^{n} \left[ a_i \in R(b) \right]

    The region *R* of a set is the union of balls, one around each member, that reach to its *k*-th nearest neighbor in
    the set: Kynkäänniemi et al. (2019), equations 1 and 2.

    Args:
        real: features :math:`a_i`, shape (n, F).
        made: features :math:`b_j`, shape (m, F). The paper takes m = n.
        k: which neighbor; 3 in the paper.

    Raises:
        ValueError: the shapes do not fit together, or a set has no more than *k* examples.
    """
    if real.ndim != 2 or made.ndim != 2 or real.shape[1] != made.shape[1] or not 1 <= k < min(len(real), len(made)):
        raise ValueError(
            f"Precision and recall compare features (n, F) and (m, F), more than k of each, k 1 or more; "
            f"they are {tuple(real.shape)} and {tuple(made.shape)}, and k is {k}."
        )
    return PrecisionRecall(_covered(made, real, k), _covered(real, made, k))


def _covered(points: Tensor, members: Tensor, k: int) -> float:
    """The fraction of the points that lie in the region of the members."""
    # The nearest member of all to a member is itself, at distance 0; so the k-th neighbor has rank k + 1.
    radii = torch.cat([_distances(part, members).kthvalue(k + 1, dim=1).values for part in members.split(CHUNK)])
    inside = [(_distances(part, members) <= radii).any(1) for part in points.split(CHUNK)]
    return torch.cat(inside).double().mean().item()


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # Exact differences, not a matrix product: with that, a point is not at distance 0 from itself.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
