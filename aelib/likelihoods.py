"""Reconstruction terms, each named for the likelihood it comes from.

Every function takes a batch, sums over all dimensions but the first and averages over the first: nats per
example for likelihoods, squared units per example for :func:`squared_error`. To turn a sum over *d* pixels
into a mean over pixels, divide by *d*; nothing here does so silently.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def _same_shape(a: Tensor, b: Tensor, name: str) -> None:
    if a.shape != b.shape:
        raise ValueError(f"{name} compares tensors of one shape; it got {tuple(a.shape)} and {tuple(b.shape)}.")
    if a.ndim < 2 or len(a) == 0:
        raise ValueError(f"{name} takes a non-empty batch (B, ...); it got the shape {tuple(a.shape)}.")


def squared_error(x_hat: Tensor, x: Tensor) -> Tensor:
    r"""Squared error per example, averaged over the batch.

    .. math:: \frac1B \sum_{n=1}^{B} \sum_{i} (\hat x_{ni} - x_{ni})^2

    Up to a factor and a constant this is the negative log-likelihood of a Gaussian with fixed variance.

    Args:
        x_hat, x: shape (B, ...), the same for both.

    Returns:
        A scalar, in squared units of *x* per example.

    Raises:
        ValueError: the shapes differ, or the batch is empty.
    """
    _same_shape(x_hat, x, "squared_error")
    return F.mse_loss(x_hat, x, reduction="sum") / len(x)


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    r"""Negative log-likelihood of a Bernoulli (the cross-entropy), in nats per example.

    .. math:: -\frac1B \sum_{n=1}^{B} \sum_{i} x_{ni} \log \sigma(\ell_{ni}) + (1 - x_{ni}) \log(1 - \sigma(\ell_{ni}))

    Gray values of *x* strictly between 0 and 1 are read as probabilities, as in Hinton & Salakhutdinov (2006).

    Args:
        logits: shape (B, ...), the log-odds before the sigmoid.
        x: the same shape, in [0, 1].

    Returns:
        A scalar, in nats per example.

    Raises:
        ValueError: the shapes differ, or the batch is empty.
    """
    _same_shape(logits, x, "bernoulli_nll")
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


def binary_entropy(x: Tensor) -> Tensor:
    r"""Entropy of independent Bernoullis with means *x*, in nats per example, averaged over the batch.

    The least value that :func:`bernoulli_nll` can take on gray images: it is not zero.

    Raises:
        ValueError: the batch is empty.
    """
    _same_shape(x, x, "binary_entropy")
    return (torch.special.entr(x) + torch.special.entr(1 - x)).sum() / len(x)


def bernoulli_kl(rho: float, q: Tensor) -> Tensor:
    r"""Divergence of Bernoullis with means *q* from one with mean *ρ*, in nats, summed over *q*.

    .. math:: \sum_j \rho \log \frac{\rho}{q_j} + (1 - \rho) \log \frac{1 - \rho}{1 - q_j}

    Means that are 0 or 1 to the last bit are taken as the nearest that are not, so that the sum stays finite; a *q*
    outside of [0, 1] is no mean of a Bernoulli and gives NaN. Source: Ng (2011), section 3.

    Args:
        rho: strictly between 0 and 1.
        q: any shape.

    Raises:
        ValueError: *rho* is not between 0 and 1.
    """
    if not 0 < rho < 1:
        raise ValueError(f"bernoulli_kl needs a ρ between 0 and 1; it got {rho}.")
    eps = torch.finfo(q.dtype).eps
    inside = q.clamp(eps, 1 - eps)
    kl = rho * (math.log(rho) - inside.log()) + (1 - rho) * (math.log1p(-rho) - torch.log1p(-inside))
    return torch.where((q < 0) | (q > 1), math.nan, kl).sum()
