"""Likelihoods and divergences, each named for what it is.

What ends in ``nll``, ``error``, ``entropy`` or ``kl`` takes a batch, sums over all dimensions but the first and
averages over the first: nats per example for likelihoods and divergences, squared units per example for
:func:`squared_error`. What ends in ``log_prob`` keeps the batch: nats, a number an example. To turn a sum over *d*
pixels into a mean over pixels, divide by *d*; nothing here does so silently.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from aelib.interfaces import LatentOutput
from aelib.nets import at_hand


def _floats(name: str, *tensors: Tensor) -> None:
    for x in tensors:
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} takes tensors; it got a {type(x).__name__}.")
        if not x.is_floating_point():
            raise TypeError(
                f"{name} takes floating-point tensors; it got {x.dtype}. Images come as floats from ImageSet.batch()."
            )


def _same_shape(a: Tensor, b: Tensor, name: str) -> None:
    _floats(name, a, b)
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


def bernoulli_log_prob(logits: Tensor, x: Tensor) -> Tensor:
    r"""Log-likelihood of each example under independent Bernoullis, in nats.

    .. math:: \log p(x \mid z) = \sum_i x_i \log \sigma(\ell_i) + (1 - x_i) \log(1 - \sigma(\ell_i))

    Args:
        logits: shape (B, ...) or, for several samples of the code, (k, B, ...).
        x: shape (B, ...), in [0, 1].

    Returns:
        Shape (B,) or (k, B).

    Raises:
        ValueError: the shapes do not fit together, or the batch is empty.
    """
    _trailing_shape(logits, x, "bernoulli_log_prob")
    terms = F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    return -terms.flatten(logits.ndim - x.ndim + 1).sum(-1)


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
    _same_shape(mu, logvar, "gaussian_log_prob")
    _trailing_shape(z, mu, "gaussian_log_prob")
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
    _same_shape(mu, logvar, "gaussian_kl")
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


def _trailing_shape(several: Tensor, one: Tensor, name: str) -> None:
    _floats(name, several, one)
    if one.ndim < 2 or len(one) == 0:
        raise ValueError(f"{name} takes a non-empty batch (B, ...); it got the shape {tuple(one.shape)}.")
    if several.ndim not in (one.ndim, one.ndim + 1) or several.shape[-one.ndim :] != one.shape:
        raise ValueError(
            f"{name} takes the shape {tuple(one.shape)}, with or without an axis of samples before it; "
            f"it got {tuple(several.shape)}."
        )


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
    _floats("bernoulli_kl", q)
    eps = torch.finfo(q.dtype).eps
    inside = q.clamp(eps, 1 - eps)
    kl = rho * (math.log(rho) - inside.log()) + (1 - rho) * (math.log1p(-rho) - torch.log1p(-inside))
    return torch.where((q < 0) | (q > 1), math.nan, kl).sum()


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


def log_weights(out: LatentOutput, x: Tensor) -> Tensor:
    r"""Logarithms of the importance weights of the codes that were drawn, in nats.

    .. math:: \log w = \log p_\theta(x \mid z) + \log p(z) - \log q_\phi(z \mid x), \qquad z \sim q_\phi(z \mid x)

    The mean of :math:`w` over codes is :math:`p_\theta(x)`; the mean of its logarithm is the evidence lower bound.

    Args:
        out: of ``vae(x, samples)``.
        x: shape (B, C, H, W).

    Returns:
        Shape (samples, B), or (B,) for a single draw.
    """
    prior = torch.zeros_like(out.mu)
    log_prior, log_posterior = gaussian_log_prob(out.z, prior, prior), gaussian_log_prob(out.z, out.mu, out.logvar)
    return bernoulli_log_prob(out.logits, x) + log_prior - log_posterior


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
    if counts.numel() == 0 or (at_hand(counts) and not counts.sum() > 0):
        raise ValueError("The perplexity of no symbols is undefined: count one or more.")
    return torch.special.entr(counts / counts.sum()).sum().exp()
