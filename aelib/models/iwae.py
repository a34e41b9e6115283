"""The importance-weighted bound: the network of :mod:`aelib.models.vae`, a tighter bound on the likelihood.

Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aelib.data import Batch
from aelib.likelihoods import bernoulli_log_prob, gaussian_log_prob
from aelib.models.vae import VAEOutput


def log_weights(out: VAEOutput, x: Tensor) -> Tensor:
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


@dataclass(frozen=True)
class IWAE:
    r"""Minus the importance-weighted bound of *k* samples, in nats per image: the smaller, the tighter.

    .. math:: -\mathbb{E}\left[\log \frac1k \sum_{i=1}^{k} w_i\right]

    Burda et al. (2016), equation 8. Calls ``nets["vae"]``. With one sample its mean is the :class:`ELBO`'s. Reports
    ``"elbo"``, minus the evidence lower bound on the same samples, beside the loss.

    Args:
        samples: *k*, codes drawn for each image.
    """

    samples: int = 50

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        log_w = log_weights(nets["vae"](batch.x, self.samples), batch.x)  # (k, B)
        bound = log_w.logsumexp(0) - math.log(self.samples)
        return {"loss": -bound.mean(), "elbo": -log_w.detach().mean()}
