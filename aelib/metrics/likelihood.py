"""How probable a latent-variable model makes images: bounds, the likelihood by importance sampling, active units."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from aelib.data import Binarized, ImageSet
from aelib.likelihoods import bernoulli_log_prob, gaussian_kl_terms
from aelib.metrics.reconstruction import Coder, codes, image_batches
from aelib.models.iwae import log_weights
from aelib.models.vae import VAEOutput

CHUNK = 4000  # images times samples that are decoded at once: what the processor's cache likes


class LatentModel(Coder, Protocol):
    """What these measures ask of a model: a call gives logits, codes and the posterior's parameters."""

    def __call__(self, x: Tensor, samples: int | None = None) -> VAEOutput: ...


@torch.inference_mode()
def elbo(model: LatentModel, images: ImageSet | Binarized, samples: int = 1, seed: int = 0) -> Tensor:
    r"""The evidence lower bound of each image, in nats.

    .. math::
        \frac1k \sum_{i=1}^{k} \log p_\theta(x \mid z_i) - \mathrm{KL}(q_\phi(z \mid x) \,\|\, p(z)),
        \qquad z_i \sim q_\phi(z \mid x)

    Args:
        model: with Bernoulli pixels and a standard normal prior; it is put in evaluation mode.
        images: bits, :func:`aelib.data.binarize` makes them.
        samples: *k*.
        seed: of the codes that are drawn; the caller's random state is left as it was.

    Returns:
        Shape (N,), on the CPU.

    Raises:
        ValueError: no image, or no sample.
    """
    if samples < 1:
        raise ValueError(f"The bound is a mean over one sample or more; it got samples = {samples}.")
    found = []
    for x in _batches(model, images, CHUNK // samples, seed):
        out = model(x, samples)
        divergence = gaussian_kl_terms(out.mu, out.logvar).sum(1)
        found.append((bernoulli_log_prob(out.logits, x).mean(0) - divergence).cpu())
    return torch.cat(found)


@torch.inference_mode()
def importance_bounds(
    model: LatentModel, images: ImageSet | Binarized, samples: Sequence[int], seed: int = 0, batch_size: int = 100
) -> Tensor:
    r"""The importance-weighted bound of each image for several numbers of samples *k*, in nats.

    .. math:: L_k = \log \frac1k \sum_{i=1}^{k} w_i

    It rises with *k*, on average, to the log-likelihood :math:`\log p_\theta(x)`. Burda et al. (2016), equation 8 and
    theorem 1. The bound of *k* samples uses the first *k* of the largest number's, so that bounds differ by *k* alone.

    Args:
        model, images, seed: as for :func:`elbo`.
        samples: the values of *k*, rising.
        batch_size: images whose codes are drawn together.

    Returns:
        Shape (len(samples), N), on the CPU.

    Raises:
        ValueError: the values of *k* do not rise from 1 or more.
    """
    if not samples or sorted(set(samples)) != list(samples) or samples[0] < 1:
        raise ValueError(f"The numbers of samples must rise, from 1 or more; they are {list(samples)}.")
    at = torch.tensor(samples)
    found = []
    for x in _batches(model, images, batch_size, seed):
        step = max(1, CHUNK // len(x))
        parts = [log_weights(model(x, min(step, samples[-1] - k)), x) for k in range(0, samples[-1], step)]
        sums = torch.cat(parts).double().logcumsumexp(0)[at.to(x.device) - 1]  # (len(samples), B)
        found.append(sums.cpu() - at.double().log()[:, None])
    return torch.cat(found, dim=1)


def log_likelihood(model: LatentModel, images: ImageSet | Binarized, samples: int = 5000, seed: int = 0) -> Tensor:
    r"""Estimate of :math:`\log p_\theta(x)` of each image from importance samples, in nats; shape (N,).

    The bound of :func:`importance_bounds` for many samples, 5,000 in Burda et al. (2016): too low on average, so that
    minus its mean, the "NLL", errs on the safe side.
    """
    return importance_bounds(model, images, [samples], seed)[0]


class Estimate(NamedTuple):
    """A mean over images, in nats, and the standard error of its estimation."""

    nats: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.nats:.2f} ± {self.standard_error:.2f} nats"


def nll(model: LatentModel, images: ImageSet, samples: int = 5000, on: int | None = None, seed: int = 0) -> Estimate:
    r"""Mean of :math:`-\log p_\theta(x)` over all images, from importance sampling on some of them.

    .. math::
        -\frac1N \sum_{n=1}^{N} \mathcal{L}(x_n) - \frac{1}{|S|} \sum_{n \in S} \log p_\theta(x_n) - \mathcal{L}(x_n)

    The bound :math:`\mathcal{L}` is cheap, so it is taken on all images; only its gap to the likelihood is taken on
    a random part *S*. Likelihoods differ from image to image by tens of nats, gaps by few: the standard error is
    about a tenth of what the part's own mean would have.

    Args:
        model, images, seed: as for :func:`elbo`; the bits are drawn once.
        samples: importance samples an image.
        on: size of *S*; all images when None.

    Raises:
        ValueError: *on* is not from 2 to the number of images.
    """
    on = len(images) if on is None else on
    if not 2 <= on <= len(images):
        raise ValueError(f"The gap is taken on 2 to {len(images)} of the images; on is {on}.")
    bounds = elbo(model, images, samples=10, seed=seed)
    part = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:on]
    gaps = log_likelihood(model, images[part], samples, seed) - bounds[part]
    error = gaps.std() / on**0.5 * (1 - on / len(images)) ** 0.5
    return Estimate(-(bounds.double().mean() + gaps.double().mean()).item(), error.item())


def unit_activity(model: Coder, images: ImageSet | Binarized) -> Tensor:
    r"""How much each latent's mean moves with the image.

    .. math:: A_j = \text{Var}_x\left(\mathbb{E}_{q_\phi(z \mid x)}[z_j]\right)

    The diagonal of the covariance in Burda et al. (2016), section 5; shape (latent,).

    Raises:
        ValueError: fewer than two images.
    """
    if len(images) < 2:
        raise ValueError(f"A variance over images needs two or more; it got {len(images)}.")
    return codes(model, images).double().var(0, correction=0).float()


def active_units(model: Coder, images: ImageSet | Binarized, threshold: float = 0.01) -> int:
    """How many latents are active: those whose :func:`unit_activity` exceeds Burda et al.'s threshold of 0.01."""
    return int((unit_activity(model, images) > threshold).sum())


def _batches(model: Coder, images: ImageSet | Binarized, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Batches of images on the model's device; meanwhile the random state is that of *seed*."""
    device = next(model.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield from image_batches(model, images, max(1, batch_size))
