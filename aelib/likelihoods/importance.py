"""Importance weights of codes, and the bound on the likelihood that they give.

Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016. What objectives and measures share.
"""

import math

import torch
from torch import Tensor

from aelib.interfaces import LatentOutput
from aelib.likelihoods.gaussian import gaussian_log_prob


def log_weights(out: LatentOutput, x: Tensor, *, path: bool = False) -> Tensor:
    r"""Logarithms of the importance weights of the codes that were drawn, in nats.

    .. math:: \log w = \log p_\theta(x \mid z) + \log p(z) - \log q_\phi(z \mid x), \qquad z \sim q_\phi(z \mid x)

    The mean of :math:`w` over codes is :math:`p_\theta(x)`; the mean of its logarithm is the evidence lower bound.

    Args:
        out: of ``vae(x, samples)``; its likelihood gives the first term.
        x: shape (B, C, H, W).
        path: whether the encoder's gradient comes by way of *z* alone, the parameters of :math:`q_\phi` being held
            fixed in its density. The values are the same.

    Returns:
        Shape (samples, B), or (B,) for a single draw.
    """
    prior = torch.zeros_like(out.mu)
    mu, logvar = (out.mu.detach(), out.logvar.detach()) if path else (out.mu, out.logvar)
    log_prior, log_posterior = gaussian_log_prob(out.z, prior, prior), gaussian_log_prob(out.z, mu, logvar)
    return out.likelihood.log_prob(out.logits, x) + log_prior - log_posterior


def importance_weighted_bound(log_w: Tensor) -> Tensor:
    r"""The bound of *k* importance samples for each image, :math:`L_k = \log \frac1k \sum_{i=1}^{k} w_i`, in nats.

    Burda et al. (2016), equation 8. It rises with *k*, on average, to :math:`\log p_\theta(x)`.

    Args:
        log_w: of :func:`log_weights`, shape (k, B).

    Returns:
        Shape (B,).
    """
    return log_w.logsumexp(0) - math.log(len(log_w))
