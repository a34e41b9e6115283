r"""Bernoulli pixels: bits, or gray values that are read as probabilities."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aelib.likelihoods.shapes import check_floats, check_same_shape, check_trailing_shape
from aelib.nets import reading_is_free

ROUNDING = 1e-5  # by so much may resizing and interpolation leave [0, 1]


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
        ValueError: the shapes differ, the batch is empty, or *x* leaves [0, 1] (on a GPU, where a look would cost a
            wait, the answer is NaN).
    """
    check_same_shape(logits, x, "bernoulli_nll")
    return _where_defined(F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x), x)


def binary_entropy(x: Tensor) -> Tensor:
    r"""Entropy of independent Bernoullis with means *x*, in nats per example, averaged over the batch.

    The least value that :func:`bernoulli_nll` can take on gray images: it is not zero.

    Raises:
        ValueError: the batch is empty.
    """
    check_same_shape(x, x, "binary_entropy")
    return (torch.special.entr(x) + torch.special.entr(1 - x)).sum() / len(x)


def bernoulli_log_prob(logits: Tensor, x: Tensor) -> Tensor:
    r"""Log-likelihood of each example under independent Bernoullis, in nats.

    .. math:: \log p(x \mid z) = \sum_i x_i \log \sigma(\ell_i) + (1 - x_i) \log(1 - \sigma(\ell_i))

    Args:
        logits: shape (B, ...) or, for several samples of the code, (k, B, ...).
        x: shape (B, ...), in [0, 1].

    Returns:
        Shape (B,) or (k, B).

    Raises:
        ValueError: the shapes do not fit together, the batch is empty, or *x* leaves [0, 1] (on a GPU: NaN).
    """
    check_trailing_shape(logits, x, "bernoulli_log_prob")
    terms = F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    return _where_defined(-terms.flatten(logits.ndim - x.ndim + 1).sum(-1), x)


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
    check_floats("bernoulli_kl", q)
    eps = torch.finfo(q.dtype).eps
    inside = q.clamp(eps, 1 - eps)
    kl = rho * (math.log(rho) - inside.log()) + (1 - rho) * (math.log1p(-rho) - torch.log1p(-inside))
    return torch.where((q < 0) | (q > 1), math.nan, kl).sum()


def _where_defined(value: Tensor, x: Tensor) -> Tensor:
    """*value*, if all of *x* lies in [0, 1]; else an error or, where a look at *x* would cost a wait, NaN."""
    if x.numel() == 0 or torch.compiler.is_exporting():  # ONNX has neither errors nor the minimum of all
        return value
    if reading_is_free(x):
        Bernoulli().check(x)
        return value
    low, high = torch.aminmax(x)
    return torch.where((low < -ROUNDING) | (high > 1 + ROUNDING), math.nan, value)


@dataclass(frozen=True)
class Bernoulli:
    r"""Independent Bernoulli pixels, :math:`p(x \mid z) = \prod_i \hat x_i^{x_i} (1 - \hat x_i)^{1 - x_i}`.

    The decoder gives log-odds :math:`\ell`, and :math:`\hat x = \sigma(\ell)`. For bits; gray values in [0, 1] are
    read as probabilities, which gives a cross-entropy and no likelihood of gray pixels.
    """

    def check(self, x: Tensor) -> None:
        """Raise a ValueError unless all pixels are in [0, 1]. Looks at the values: on a GPU this costs a wait."""
        low, high = (value.item() for value in torch.aminmax(x))
        if low >= -ROUNDING and high <= 1 + ROUNDING:
            return
        if low < 0:
            cause = "the usual normalization to mean 0 was applied; leave it away, or use Gaussian()"
        else:
            largest = "255" if 1.5 < high <= 255 else f"{high:.3g}"  # above 1.5 they are most likely bytes
            cause = f"divide them by {largest}, or use Gaussian()"
        raise ValueError(f"Bernoulli takes pixels in [0, 1]; these reach from {low:.3g} to {high:.3g}: {cause}.")

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """:func:`bernoulli_log_prob`: nats, (B,) or (k, B)."""
        return bernoulli_log_prob(parameters, x)

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """:func:`bernoulli_nll`: nats per example, a scalar."""
        return bernoulli_nll(parameters, x)

    def mean(self, parameters: Tensor) -> Tensor:
        r""":math:`\hat x = \sigma(\ell)`, of the shape of *parameters*."""
        return parameters.sigmoid()

    def sample(self, parameters: Tensor) -> Tensor:
        """Bits drawn from the pixels' means, of the shape of *parameters*."""
        return self.mean(parameters).bernoulli()

    def output(self) -> nn.Module:
        """:meth:`mean` as a layer."""
        return nn.Sigmoid()
