r"""The exact posterior of a variational autoencoder with one or two latents, by sums over a grid of codes.

With so few latents the integral in :math:`p(x) = \int p(x \mid z) \, p(z) \, dz` can be done, and everything that the
evidence lower bound leaves open be looked at: the true posterior, and how far the encoder's Gaussian is from it.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from aelib.likelihoods import gaussian_kl_terms, gaussian_log_prob
from aelib.models.vae import VAE
from aelib.nets import evaluating

CHUNK = 2**22  # pixels that are decoded at once


class ExactPosterior(NamedTuple):
    """The posteriors of N images on a grid of *points* codes an axis."""

    log_likelihood: Tensor  # (N,), log p(x), nats
    error: Tensor  # (N,), by how much that changes when every second code of an axis is left out: the grid's error
    axis: Tensor  # (points,), the values that a latent takes
    log_density: Tensor  # (N, points) or (N, points, points), log p(z | x), the first axis the first latent


def exact_posterior(model: VAE, x: Tensor, points: int = 201, reach: float = 6.0) -> ExactPosterior:
    r"""Likelihood and posterior of each image by the trapezoidal rule, which for smooth densities is nearly exact.

    .. math:: p(x) \approx \sum_{g} p(x \mid z_g) \, p(z_g) \, \Delta^m, \qquad
        p(z_g \mid x) = p(x \mid z_g) \, p(z_g) / p(x)

    The step :math:`\Delta` must be below the posterior's standard deviation; ``error`` tells whether it is.

    Args:
        model: with one or two latents.
        x: a few images, shape (N, C, H, W).
        points: codes an axis, odd.
        reach: the grid goes from minus to plus this many standard deviations of the prior.

    Raises:
        ValueError: the model has more latents, or the number of points is even or below 3.
    """
    if points < 3 or points % 2 == 0:
        raise ValueError(f"The grid has an odd number of points an axis, 3 or more; it got {points}.")
    with evaluating(model):
        latent = model.posterior(x[:1]).mu.shape[1]
        if latent > 2:
            raise ValueError(f"A grid of codes is for one or two latents; this model has {latent}.")
        axis = torch.linspace(-reach, reach, points, device=x.device, dtype=x.dtype)
        codes = torch.cartesian_prod(*[axis] * latent).view(-1, latent)
        joint = torch.cat([log_joint(model, x, z) for z in codes.split(max(1, CHUNK // x.numel()))])  # (points^m, N)
        joint = joint.T.unflatten(1, [points] * latent)
        grid = tuple(range(1, latent + 1))
        whole = joint.logsumexp(grid) + latent * math.log(2 * reach / (points - 1))
        half = joint[(slice(None), *[slice(None, None, 2)] * latent)]
        coarse = half.logsumexp(grid) + latent * math.log(4 * reach / (points - 1))
        return ExactPosterior(whole, (whole - coarse).abs(), axis, joint - whole.view(-1, *[1] * latent))


def log_joint(model: VAE, x: Tensor, z: Tensor) -> Tensor:
    r"""Every image with every code: :math:`\log p(x_n \mid z_g) + \log p(z_g)`, nats, shape (codes, N).

    Args:
        x: (N, C, H, W).
        z: (codes, latent).
    """
    parameters = model.decoder(z)[:, None].expand(-1, len(x), *x.shape[1:])
    zeros = torch.zeros_like(z)
    return model.likelihood.log_prob(parameters, x) + gaussian_log_prob(z, zeros, zeros)[:, None]


class Gaps(NamedTuple):
    r"""What an image's likelihood consists of: :math:`\log p(x) = L + \mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x))`."""

    log_likelihood: Tensor  # (N,), nats
    elbo: Tensor  # (N,), L
    kl: Tensor  # (N,), of the encoder's Gaussian from the true posterior


def posterior_gaps(model: VAE, x: Tensor, points: int = 201, reach: float = 6.0, nodes: int = 40) -> Gaps:
    r"""Likelihood, bound and divergence of each image, computed apart from each other.

    Expectations under the encoder's Gaussian are Gauss–Hermite sums of *nodes* an axis. The divergence is that of the
    definition, :math:`\mathbb{E}_q[\log q(z \mid x) - \log p(z \mid x)]`; the bound takes its own divergence, from the
    prior, in closed form. So their sum is a check of the grid: it must be the likelihood.

    Args and errors as for :func:`exact_posterior`.
    """
    exact = exact_posterior(model, x, points, reach)
    with evaluating(model):
        q = model.posterior(x)
        latent = q.mu.shape[1]
        at, weights = (torch.from_numpy(v).to(x) for v in _hermite(nodes))
        noise = torch.cartesian_prod(*[at] * latent).view(-1, latent)  # (nodes^m, latent)
        w = torch.cartesian_prod(*[weights] * latent).view(-1, latent).prod(1)
        elbos, kls = [], []
        for n in range(len(x)):
            z = q.mu[n] + (q.logvar[n] / 2).exp() * noise
            joint = log_joint(model, x[n : n + 1], z)[:, 0]
            log_q = gaussian_log_prob(z, q.mu[n].expand_as(z), q.logvar[n].expand_as(z))
            zeros = torch.zeros_like(z)
            reconstruction = w @ (joint - gaussian_log_prob(z, zeros, zeros))
            elbos.append(reconstruction - gaussian_kl_terms(q.mu[n : n + 1], q.logvar[n : n + 1]).sum())
            kls.append(w @ (log_q - (joint - exact.log_likelihood[n])))
    return Gaps(exact.log_likelihood, torch.stack(elbos), torch.stack(kls))


def _hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for the mean over N(0, 1)."""
    at, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return at, weights / weights.sum()
