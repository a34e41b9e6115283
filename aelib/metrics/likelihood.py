"""How probable a latent-variable model makes images: bounds, the likelihood by importance sampling, active units."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from aelib.data import Binarized, ImageSet
from aelib.interfaces import Coder, LatentModel
from aelib.likelihoods import gaussian_kl_terms, log_weights
from aelib.metrics.reconstruction import codes, image_batches
from aelib.nets import evaluating

CHUNK = 4000  # images times samples that are decoded at once: what the processor's cache likes
ACTIVATIONS = 2**23  # numbers at most in one layer's output, 32 MiB: wide layers get fewer images at once


def elbo(model: LatentModel, images: ImageSet | Binarized, samples: int = 1, seed: int = 0) -> Tensor:
    r"""The evidence lower bound of each image, in nats.

    .. math::
        \frac1k \sum_{i=1}^{k} \log p_\theta(x \mid z_i) - \mathrm{KL}(q_\phi(z \mid x) \,\|\, p(z)),
        \qquad z_i \sim q_\phi(z \mid x)

    Args:
        model: with a standard normal prior, and the likelihood that it carries; it is asked in evaluation mode.
        images: what the likelihood is of: for Bernoulli pixels bits, which :func:`aelib.data.binarize` makes.
        samples: *k*.
        seed: of the codes that are drawn; the caller's random state is left as it was.

    Returns:
        Shape (N,), on the CPU.

    Raises:
        ValueError: no image, no sample, or pixels that the model's likelihood does not know.
    """
    if samples < 1:
        raise ValueError(f"The bound is a mean over one sample or more; it got samples = {samples}.")
    found = []
    with _sampling(model, images, seed) as (device, at_once):
        for x in image_batches(images, max(1, at_once // samples), device):
            log_p = x.new_zeros(len(x))
            for n in _parts(samples, at_once // len(x)):
                out = model(x, n)
                out.likelihood.check(x)
                log_p += out.likelihood.log_prob(out.logits, x).sum(0)
            found.append((log_p / samples - gaussian_kl_terms(out.mu, out.logvar).sum(1)).cpu())
    return torch.cat(found)


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
        batch_size: images whose codes are drawn together, at most. Memory does not grow with *k*.

    Returns:
        Shape (len(samples), N), on the CPU.

    Raises:
        ValueError: the values of *k* do not rise from 1 or more, or pixels that the model's likelihood does not know.
    """
    if not samples or sorted(set(samples)) != list(samples) or samples[0] < 1:
        raise ValueError(f"The numbers of samples must rise, from 1 or more; they are {list(samples)}.")
    found = []
    with _sampling(model, images, seed) as (device, at_once):
        for x in image_batches(images, min(batch_size, at_once), device):
            total, drawn, bounds = x.new_full((len(x),), -math.inf, dtype=torch.float64), 0, []
            for k in samples:
                for n in _parts(k - drawn, at_once // len(x)):
                    out = model(x, n)
                    out.likelihood.check(x)
                    total = torch.logaddexp(total, log_weights(out, x).double().logsumexp(0))
                drawn = k
                bounds.append(total.cpu() - math.log(k))
            found.append(torch.stack(bounds))
    return torch.cat(found, dim=1)


def log_likelihood(model: LatentModel, images: ImageSet | Binarized, samples: int = 5000, seed: int = 0) -> Tensor:
    r"""Estimate of :math:`\log p_\theta(x)` of each image from importance samples, in nats; shape (N,).

    The bound of :func:`importance_bounds` for many samples, 5,000 in Burda et al. (2016): too low on average, so that
    minus its mean, the "NLL", errs on the safe side.
    """
    return importance_bounds(model, images, [samples], seed)[0]


class Estimate(NamedTuple):
    """A mean over images, in nats, and its standard error."""

    nats: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.nats:.2f} ± {self.standard_error:.2f} nats"


def nll(model: LatentModel, images: ImageSet, samples: int = 5000, on: int | None = None, seed: int = 0) -> Estimate:
    r"""Mean of :math:`-\log p_\theta(x)`, from the bound of all images and importance sampling on some of them.

    .. math::
        -\frac1N \sum_{n=1}^{N} \mathcal{L}(x_n) - \frac{1}{|S|} \sum_{n \in S} \log p_\theta(x_n) - \mathcal{L}(x_n)

    The bound :math:`\mathcal{L}` is cheap, so it is taken on all images; only its gap to the likelihood is taken on
    a random part *S*: likelihoods differ from image to image by tens of nats, gaps by few.

    The standard error is that of the mean over all images like these, of which these are a sample:

    .. math:: \sqrt{\frac{s_\ell^2}{N} + \Bigl(\frac{1}{|S|} - \frac1N\Bigr) s_g^2}

    with the variances :math:`s_\ell^2` of the log-likelihoods and :math:`s_g^2` of the gaps on *S*: Cochran, "Sampling
    techniques" (1977), section 12.6, for a difference. Two models compared on the same images differ by less; pair
    their :func:`log_likelihood`.

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
    likelihoods = log_likelihood(model, images[part], samples, seed)
    gaps = likelihoods - bounds[part]
    variance = likelihoods.var() / len(images) + gaps.var() * (1 / on - 1 / len(images))
    return Estimate(-(bounds.double().mean() + gaps.mean()).item(), variance.sqrt().item())


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


def _parts(total: int, most: int) -> list[int]:
    """A number of samples in parts of *most*, or of one where *most* is 0."""
    return [min(max(1, most), total - start) for start in range(0, total, max(1, most))]


@contextmanager
def _sampling(model: LatentModel, images: ImageSet | Binarized, seed: int) -> Iterator[tuple[torch.device, int]]:
    """Evaluation mode and the random state of *seed*; the device, and how many images times samples to decode at once.

    The widest output of a layer decides: 784 numbers in a dense network, 50,176 in one of 64 maps of 28 × 28.
    """
    with evaluating(model) as device, torch.random.fork_rng([device] if device.type == "cuda" else []):
        first = next(image_batches(images, 1, device))
        widest = first.numel()

        def look(_module: object, _inputs: object, output: object) -> None:
            nonlocal widest
            widest = max(widest, output.numel() if isinstance(output, Tensor) else 0)

        hooks = [module.register_forward_hook(look) for module in model.modules()]
        try:
            model(first, 1)
        finally:
            for hook in hooks:
                hook.remove()
        torch.manual_seed(seed)
        yield device, max(1, min(CHUNK, ACTIVATIONS // widest))
