r"""Gaussian pixels and Gaussian codes: densities, and divergences from the standard normal prior."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aelib.likelihoods.shapes import check_same_shape, check_trailing_shape


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
    check_same_shape(x_hat, x, "squared_error")
    return F.mse_loss(x_hat, x, reduction="sum") / len(x)


def gaussian_log_prob(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    r"""Log density of each example under a Gaussian of diagonal covariance, in nats.

    .. math:: \log N(z; \mu, \sigma^2) = -\tfrac12 \sum_j \log 2\pi + \log \sigma_j^2 + (z_j - \mu_j)^2 / \sigma_j^2

    The standard normal prior is the case of zeros, ``gaussian_log_prob(z, *zeros)``.

    Args:
        z: shape (B, ...) or, for several samples, (k, B, ...).
        mu, logvar: means and log variances, shape (B, ...).

    Returns:
        Shape (B,) or (k, B).

    Raises:
        ValueError: the shapes do not fit together, or the batch is empty.
    """
    check_same_shape(mu, logvar, "gaussian_log_prob")
    check_trailing_shape(z, mu, "gaussian_log_prob")
    terms = math.log(2 * math.pi) + logvar + (z - mu).square() * (-logvar).exp()
    return -0.5 * terms.flatten(z.ndim - mu.ndim + 1).sum(-1)


def gaussian_kl_terms(mu: Tensor, logvar: Tensor) -> Tensor:
    r"""What each latent of each example adds to the divergence from the standard normal prior, in nats.

    .. math:: D_{nj} = \tfrac12 \left(\mu_{nj}^2 + \sigma_{nj}^2 - \log \sigma_{nj}^2 - 1\right)

    Kingma & Welling (2014), appendix B.

    Args:
        mu, logvar: shape (B, latent), the same for both.

    Returns:
        Shape (B, latent), nowhere negative.

    Raises:
        ValueError: the shapes differ, or the batch is empty.
    """
    check_same_shape(mu, logvar, "gaussian_kl")
    # expm1(v) - v and not exp(v) - 1 - v: near v = 0 the second loses all its digits.
    return 0.5 * (mu.square() + torch.expm1(logvar) - logvar)


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    r"""Divergence of a diagonal Gaussian from the standard normal prior, in nats per example.

    .. math::
        \frac1B \sum_{n=1}^{B} \mathrm{KL}\bigl(N(\mu_n, \sigma_n^2) \,\|\, N(0, I)\bigr)
        = \frac{1}{2B} \sum_{n=1}^{B} \sum_j \mu_{nj}^2 + \sigma_{nj}^2 - \log \sigma_{nj}^2 - 1

    Summed over the latents, averaged over the batch.

    Args:
        mu, logvar: shape (B, latent), the same for both.

    Returns:
        A scalar: 0 for the prior itself, 5 for ten latents of mean 1 and variance 1.

    Raises:
        ValueError: the shapes differ, or the batch is empty.
    """
    return gaussian_kl_terms(mu, logvar).sum() / len(mu)


@dataclass(frozen=True)
class Gaussian:
    r"""Independent Gaussian pixels with one fixed standard deviation, :math:`p(x \mid z) = N(\hat x, \sigma^2 I)`.

    .. math:: -\log p(x \mid z) = \frac{\lVert x - \hat x \rVert^2}{2 \sigma^2} + \frac{d}{2} \log 2 \pi \sigma^2

    At :math:`\sigma^2 = 1/2` it is the squared error plus a constant. Kingma & Welling (2014), appendix C.2.

    Args:
        sigma: standard deviation of a pixel, in the units of the pixels.
        link: what leads from the decoder's answer to the mean: ``"identity"`` for pixels of any size; ``"logit"``, the
            sigmoid :math:`\hat x = \sigma(\ell)`, for gray values in [0, 1].

    Raises:
        ValueError: *sigma* is not positive and finite, or another link.
    """

    sigma: float = 0.5**0.5
    link: Literal["identity", "logit"] = "identity"

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"Gaussian pixels have a positive, finite standard deviation; it is {self.sigma}.")
        if self.link not in ("identity", "logit"):
            raise ValueError(f"Gaussian's link is 'identity' or 'logit'; it is {self.link!r}.")

    def check(self, x: Tensor) -> None:
        """Raise a ValueError unless all pixels are finite. Looks at the values: on a GPU this costs a wait."""
        if not x.isfinite().all():
            raise ValueError(f"Gaussian takes finite pixels; {int((~x.isfinite()).sum())} of these are not.")

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Log density of each example, in nats: (B,) or, for parameters with an axis of samples before it, (k, B)."""
        check_trailing_shape(parameters, x, "Gaussian")
        errors = (x - self.mean(parameters)).square().flatten(parameters.ndim - x.ndim + 1).sum(-1)
        constant = 0.5 * x[0].numel() * math.log(2 * math.pi * self.sigma**2)
        return -errors / (2 * self.sigma**2) - constant

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Minus the log density, averaged over the batch: nats per example, a scalar."""
        return -self.log_prob(parameters, x).mean()

    def mean(self, parameters: Tensor) -> Tensor:
        r""":math:`\hat x`, of the shape of *parameters*."""
        return parameters.sigmoid() if self.link == "logit" else parameters

    def sample(self, parameters: Tensor) -> Tensor:
        """Pixels drawn around their means, of the shape of *parameters*."""
        return self.mean(parameters) + self.sigma * torch.randn_like(parameters)

    def output(self) -> nn.Module:
        """:meth:`mean` as a layer."""
        return nn.Sigmoid() if self.link == "logit" else nn.Identity()
