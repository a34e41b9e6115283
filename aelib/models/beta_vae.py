r"""β-VAE: more weight on the divergence, so that single latents come to stand for single factors of variation.

Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework", ICLR 2017. The
objective is :class:`aelib.models.vae.ELBO` with ``beta=4``. Two other divergences to put into it are here: that of
β-TCVAE (Chen, Li, Grosse & Duvenaud, "Isolating Sources of Disentanglement in VAEs", NeurIPS 2018), which puts the
weight on one part, and one whose size is prescribed (Burgess et al., "Understanding disentangling in β-VAE", 2018).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from aelib.likelihoods import gaussian_log_prob
from aelib.models.vae import VAE, Posterior, VAEOutput, WarmUp
from aelib.nets import mlp

SHAPE = (1, 64, 64)


def paper_vae(latent: int = 10) -> VAE:
    """The network of Higgins et al. (2017, table 1, 2D shapes): dense, 1200-1200 ReLU down, 1200-1200-1200 tanh up."""
    encoder = nn.Sequential(nn.Flatten(), *mlp((4096, 1200, 1200, 2 * latent), nn.ReLU))
    decoder = nn.Sequential(*mlp((latent, 1200, 1200, 1200, 4096), nn.Tanh), nn.Unflatten(1, SHAPE))
    return VAE(encoder, decoder, SHAPE)


def compact_vae(latent: int = 10, channels: int = 1, hidden: Sequence[int] = (256, 128)) -> VAE:
    """A dense network a twentieth the size of the paper's, which sees and draws 64 x 64 images at half the resolution.

    Images are averaged over 2 x 2 pixels on the way in; on the way out the logits, not the pixels, are enlarged, so
    that edges stay sharp and may lie anywhere between pixels. 595,476 parameters at the default size.

    Args:
        latent: number of latents.
        channels: of the images, 1 for dSprites and 3 for photographs.
        hidden: units of the encoder's layers; the decoder has them in reverse.
    """
    small = (channels, 32, 32)
    pixels = channels * 32 * 32
    encoder = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), *mlp((pixels, *hidden, 2 * latent), nn.ReLU))
    decoder = nn.Sequential(
        *mlp((latent, *reversed(hidden), pixels), nn.ReLU),
        nn.Unflatten(1, small),
        nn.Upsample(scale_factor=2, mode="bilinear"),  # (B, channels, 64, 64), logits
    )
    return VAE(encoder, decoder, (channels, 64, 64))


class AggregateDensities(NamedTuple):
    r"""Log densities of codes under the aggregate posterior :math:`q(z) = \frac1N \sum_n q(z \mid x_n)`, in nats."""

    joint: Tensor  # (B,), log q(z)
    marginals: Tensor  # (B, latent), log q(z_j)


def aggregate_densities(
    z: Tensor, mu: Tensor, logvar: Tensor, examples: int, references: Posterior | None = None
) -> AggregateDensities:
    r"""Estimate :math:`\log q(z)` and :math:`\log q(z_j)` from a batch, for codes drawn from its own posteriors.

    The code of example *i* sees its own posterior with its true weight, 1/N, and the other B - 1 examples of the
    batch stand for the other N - 1 of the data set:

    .. math:: q(z_i) \approx \frac1N q(z_i \mid x_i) + \frac{N-1}{N} \frac{1}{B-1} \sum_{n \ne i} q(z_i \mid x_n)

    Without bias for the density (not for its logarithm), and exact when the batch is the data set. This is minibatch
    stratified sampling (Chen et al. 2018, appendix C.2) with equal weights for the others.

    The logarithm is too low where no other posterior of the batch reaches :math:`z_i`: the mutual information comes
    out too high and the total correlation too low. To measure, rather than to train, take many *references*.

    Args:
        z, mu, logvar: shape (B, latent), two examples at least; z[i] drawn from posterior i.
        examples: N, how many examples the data set has.
        references: posteriors of M examples, none of which is in the batch, that stand for the others in place of the
            batch.

    Raises:
        ValueError: shapes differ, the batch has one example, or the data set is smaller than the batch.
    """
    if not z.shape == mu.shape == logvar.shape or z.ndim != 2:
        raise ValueError(
            f"z, mu and logvar have one shape (B, latent); they are "
            f"{tuple(z.shape)}, {tuple(mu.shape)} and {tuple(logvar.shape)}."
        )
    if references is None and not 2 <= len(z) <= examples:
        raise ValueError(
            f"The aggregate posterior of {examples} examples is estimated from a batch of 2 to {examples} of them; "
            f"this one has {len(z)}."
        )
    if references is not None:
        return _by_references(z, mu, logvar, examples, references)
    batch = len(z)
    terms = math.log(2 * math.pi) + logvar + (z[:, None] - mu).square() * (-logvar).exp()  # (B, B, latent)
    weights = z.new_full((batch, batch), math.log((examples - 1) / (examples * (batch - 1))))
    weights.fill_diagonal_(-math.log(examples))
    log_q = -0.5 * terms
    return AggregateDensities(
        torch.logsumexp(log_q.sum(2) + weights, dim=1), torch.logsumexp(log_q + weights[:, :, None], dim=1)
    )


def _by_references(z: Tensor, mu: Tensor, logvar: Tensor, examples: int, others: Posterior) -> AggregateDensities:
    """The densities with M other examples, rather than the batch, for the N - 1; a few codes at a time."""
    if others.mu.shape[1:] != z.shape[1:] or not 1 <= len(others.mu) < examples:
        raise ValueError(
            f"The references are posteriors of 1 to {examples - 1} other examples with {z.shape[1]} latents; "
            f"these are {tuple(others.mu.shape)}."
        )
    own = -0.5 * (math.log(2 * math.pi) + logvar + (z - mu).square() * (-logvar).exp())  # (B, latent)
    own_weight, weight = -math.log(examples), math.log((examples - 1) / examples / len(others.mu))
    offset, precision = math.log(2 * math.pi) + others.logvar, (-others.logvar).exp()
    joint, marginals = [], []
    for part in z.split(max(1, 8_000_000 // others.mu.numel())):
        log_q = -0.5 * (offset + (part[:, None] - others.mu).square() * precision)  # (b, M, latent)
        joint.append(log_q.sum(2).logsumexp(1))
        marginals.append(log_q.logsumexp(1))
    return AggregateDensities(
        torch.logaddexp(own.sum(1) + own_weight, torch.cat(joint) + weight),
        torch.logaddexp(own + own_weight, torch.cat(marginals) + weight),
    )


class KLParts(NamedTuple):
    """The divergence from the prior in three parts, each a scalar in nats per example; their sum estimates it."""

    mutual_information: Tensor  # between image and code
    total_correlation: Tensor  # between the latents
    dimension_wise: Tensor  # of each latent's aggregate from the prior


def kl_parts(z: Tensor, mu: Tensor, logvar: Tensor, examples: int, references: Posterior | None = None) -> KLParts:
    r"""Split the divergence from the prior, averaged over images, into three. Chen et al. (2018), equation 2.

    .. math::
        \mathbb{E}_x \mathrm{KL}(q(z \mid x) \,\|\, p(z))
        = \underbrace{\mathbb{E} \log \tfrac{q(z \mid x)}{q(z)}}_{I(x; z)}
        + \underbrace{\mathbb{E} \log \tfrac{q(z)}{\prod_j q(z_j)}}_{\text{total correlation}}
        + \underbrace{\textstyle\sum_j \mathrm{KL}(q(z_j) \,\|\, p(z_j))}_{\text{dimension-wise}}

    Arguments and errors as for :func:`aggregate_densities`, which estimates q(z) and the q(z_j).
    """
    joint, marginals = aggregate_densities(z, mu, logvar, examples, references)
    posterior = gaussian_log_prob(z, mu, logvar)
    prior = gaussian_log_prob(z, torch.zeros_like(z), torch.zeros_like(z))
    product = marginals.sum(1)
    return KLParts((posterior - joint).mean(), (joint - product).mean(), (product - prior).mean())


@dataclass(frozen=True)
class TotalCorrelation:
    r"""β-TCVAE's divergence, for :class:`~aelib.models.vae.ELBO`: more weight on the total correlation alone.

    .. math:: I(x; z) + \beta \, \text{TC}(z) + \sum_j \mathrm{KL}(q(z_j) \,\|\, p(z_j))

    Chen et al. (2018), equation 4, with the sum of the three in its closed form:
    ``ELBO(divergence=TotalCorrelation(6, examples=len(data)))``. A batch of one example has no others to estimate the
    aggregate posterior from: it pays the plain divergence.

    Args:
        beta: weight of the total correlation.
        examples: size of the data set that batches are drawn from; by default that of dSprites.
    """

    beta: float = 6.0
    examples: int = 737_280

    def __call__(self, kl: Tensor, out: VAEOutput, epoch: Tensor | None) -> Tensor:
        if len(out.mu) < 2:
            return kl
        draws = out.z.view(-1, *out.mu.shape)  # (samples, B, latent)
        parts = [kl_parts(z, out.mu, out.logvar, self.examples).total_correlation for z in draws]
        return kl + (self.beta - 1) * torch.stack(parts).mean()


@dataclass(frozen=True)
class Capacity:
    r"""A divergence that is held at a size which grows while training, :math:`\lvert \mathrm{KL} - C(t) \rvert`.

    Burgess et al., "Understanding disentangling in β-VAE" (2018), equation 8, whose :math:`\gamma` is the objective's
    *beta*: ``ELBO(beta=1000, divergence=Capacity(WarmUp(20, to=25)))``. The code may hold C nats, no fewer, no more.

    Args:
        nats: :math:`C`, or a :class:`~aelib.models.vae.WarmUp` from 0 to it.
    """

    nats: float | WarmUp = 25.0

    def __call__(self, kl: Tensor, out: VAEOutput, epoch: Tensor | None) -> Tensor:
        return (kl - (self.nats(epoch) if isinstance(self.nats, WarmUp) else self.nats)).abs()


@torch.no_grad()
def traverse(model: VAE, z: Tensor, latents: Sequence[int], values: Tensor) -> Tensor:
    """Images of one code with one latent changed at a time: a row of images for each latent.

    Args:
        z: the code to start from, shape (latent,).
        latents: which latents to change, in the order of the rows.
        values: what to set them to, shape (steps,).

    Returns:
        Shape (rows, steps, C, H, W), in [0, 1], on the device of *z*.

    Raises:
        ValueError: *z* is not one code, or a latent does not exist.
    """
    if z.ndim != 1 or not all(0 <= j < len(z) for j in latents):
        raise ValueError(f"traverse changes latents of one code (latent,); got {tuple(z.shape)} and {list(latents)}.")
    codes = z.repeat(len(latents), len(values), 1)
    for row, j in enumerate(latents):
        codes[row, :, j] = values
    return model.decode(codes.flatten(0, 1)).unflatten(0, codes.shape[:2])
