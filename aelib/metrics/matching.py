r"""How well codes fill a prior: the density of codes over the prior's in cells of equal mass, and two-sample distances.

A hole is a place where the prior has mass and the codes have none: the decoder was never asked to draw it.
"""

import math

import torch
from torch import Tensor


def density_ratio(z: Tensor, std: float = 1.0, cells: int = 20) -> Tensor:
    r"""Density of codes over that of the prior :math:`N(0, s^2 I)` in the plane, in cells that all have equal mass.

    Both coordinates go through the prior's distribution function, which makes the prior uniform on the unit square;
    the square is divided evenly. With *n* codes each cell expects :math:`n / \text{cells}^2`.

    Args:
        z: codes, shape (N, 2).
        std: the prior's standard deviation *s*.
        cells: how many a side.

    Returns:
        Shape (cells, cells), the first axis along the first coordinate: 1 where the codes are as dense as the prior,
        0 in a hole; 1 on average.

    Raises:
        ValueError: *z* is not of shape (N, 2) or empty, or holds NaN; or the prior has no width, the plane no cell.
    """
    if z.ndim != 2 or z.shape[1] != 2 or len(z) == 0:
        raise ValueError(f"density_ratio takes codes of two numbers, shape (N, 2); they are {tuple(z.shape)}.")
    if z.isnan().any() or std <= 0 or cells < 1:
        raise ValueError(
            f"density_ratio needs codes without NaN, a positive std and a cell; it got {int(z.isnan().sum())} NaN, "
            f"std = {std:g} and cells = {cells}."
        )
    place = (torch.special.ndtr(z / std) * cells).long().clamp(0, cells - 1)
    counts = torch.bincount(place[:, 0] * cells + place[:, 1], minlength=cells * cells)
    return counts.view(cells, cells) * (cells * cells / len(z))


def hole_fraction(ratio: Tensor, least: float = 0.2) -> float:
    """The part of the prior's mass where codes have less than *least* of its density, from :func:`density_ratio`."""
    return (ratio < least).float().mean().item()


def jensen_shannon(ratio: Tensor) -> float:
    r"""Jensen–Shannon divergence between codes *q* and prior *p*, in nats, 0 to log 2, from :func:`density_ratio`.

    .. math:: \text{JS} = \tfrac12 \mathbb{E}_p\!\left[\log \tfrac{2}{1 + r}\right]
        + \tfrac12 \mathbb{E}_p\!\left[r \log \tfrac{2 r}{1 + r}\right], \qquad r = q / p

    In cells it is at most the true one. Of *n* perfect codes it is about :math:`\text{cells}^2 / 8n`, not 0.
    """
    r = ratio.double().flatten()
    prior, code = math.log(2) - (1 + r).log(), torch.special.xlogy(r, 2 * r / (1 + r))
    return 0.5 * (prior + code).mean().item()


def mmd(a: Tensor, b: Tensor, width: float = 1.0) -> Tensor:
    r"""Squared maximum mean discrepancy, unbiased, with the kernel :math:`k(a, b) = e^{-\lVert a - b \rVert^2 / 2w^2}`.

    .. math::
        \frac{1}{m(m-1)} \sum_{i \ne j} k(a_i, a_j) + \frac{1}{n(n-1)} \sum_{i \ne j} k(b_i, b_j)
        - \frac{2}{mn} \sum_{i,j} k(a_i, b_j)

    Gretton et al., "A kernel two-sample test" (2012), equation 3. Zero on average, and slightly negative as often as
    positive, for two samples of one distribution. Gradients reach both samples, so it can be a loss. Computed in double
    precision around the common mean: a shift of both samples changes nothing.

    Args:
        a, b: shapes (m, d) and (n, d), two or more of each.
        width: *w*.

    Returns:
        A scalar tensor of the samples' type.

    Raises:
        ValueError: the shapes do not fit, a sample has fewer than two points, or the width is not positive.
        TypeError: the samples are not both float32 or float64.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            "mmd compares samples (m, d) and (n, d), two or more of each; "
            f"it got {tuple(a.shape)} and {tuple(b.shape)}."
        )
    if a.dtype not in (torch.float32, torch.float64) or a.dtype != b.dtype:
        raise TypeError(f"mmd takes samples that are both torch.float32 or torch.float64; got {a.dtype} and {b.dtype}.")
    if width <= 0:
        raise ValueError(f"mmd takes a kernel of positive width; got {width:g}.")
    center = torch.cat([a, b]).detach().double().mean(0)
    x, y = a.double() - center, b.double() - center

    def kernel(u: Tensor, v: Tensor) -> Tensor:
        squared = u.square().sum(1)[:, None] - 2 * u @ v.T + v.square().sum(1)
        return torch.exp(squared.clamp(min=0) / (-2 * width * width))

    def of_pairs(u: Tensor) -> Tensor:
        k = kernel(u, u)
        return (k.sum() - k.diagonal().sum()) / (len(u) * (len(u) - 1))

    return (of_pairs(x) + of_pairs(y) - 2 * kernel(x, y).mean()).to(a.dtype)
