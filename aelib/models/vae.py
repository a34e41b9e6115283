"""The variational autoencoder: the code is a distribution, the loss a bound on the likelihood.

Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from aelib.data import Batch
from aelib.likelihoods import (
    bernoulli_log_prob,
    gaussian_kl,
    gaussian_kl_terms,
    squared_error,
)
from aelib.nets import check_codes, check_images, check_widths, mlp


class Posterior(NamedTuple):
    r"""The encoder's answer :math:`q_\phi(z \mid x) = N(\mu, \sigma^2)`, a Gaussian for each example."""

    mu: Tensor  # (B, latent)
    logvar: Tensor  # (B, latent), log σ²

    def sample(self, samples: int | None = None) -> Tensor:  # (B, latent) or (samples, B, latent)
        r""":math:`z = \mu + \sigma \varepsilon`, :math:`\varepsilon \sim N(0, I)`: the reparameterization.

        Kingma & Welling (2014), section 2.4. Gradients reach *mu* and *logvar*.
        """
        shape = self.mu.shape if samples is None else (samples, *self.mu.shape)
        noise = torch.randn(shape, device=self.mu.device, dtype=self.mu.dtype)
        return self.mu + (0.5 * self.logvar).exp() * noise


class VAEOutput(NamedTuple):
    """What a variational autoencoder makes of a batch; with several samples, z and logits have them in front."""

    logits: Tensor  # (B, C, H, W) or (samples, B, C, H, W), before the sigmoid
    z: Tensor  # (B, latent) or (samples, B, latent), drawn from the posterior
    mu: Tensor  # (B, latent)
    logvar: Tensor  # (B, latent)

    @property
    def x_hat(self) -> Tensor:
        """The images, in [0, 1]: the mean of p(x | z)."""
        return self.logits.sigmoid()


class VAE(nn.Module):
    r"""A variational autoencoder of images, with any encoder and decoder.

    .. math:: q_\phi(z \mid x) = N(z; \mu(x), \sigma^2(x)), \qquad p_\theta(x \mid z) = \text{Bernoulli}(\sigma(g(z))),
        \qquad p(z) = N(0, I)

    ``encode`` gives the mean, so whatever works on codes works on these; ``posterior`` gives mean and variance.

    Args:
        encoder: from (B, C, H, W) to (B, 2 · latent): the means, then the log variances.
        decoder: from (B, latent) to the logits, (B, C, H, W).
        shape: (C, H, W) of an image.
    """

    def __init__(self, encoder: nn.Sequential, decoder: nn.Sequential, shape: Sequence[int] = (1, 28, 28)) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.encoder, self.decoder = encoder, decoder
        self.output = nn.Sigmoid()

    def posterior(self, x: Tensor) -> Posterior:  # (B, C, H, W) -> two of (B, latent)
        """Mean and log variance of the code of each image.

        Raises:
            ValueError: *x* is no floating-point batch of images of the model's shape, or the encoder's output
                cannot be halved.
        """
        check_images(x, self.shape, self)
        both = self.encoder(x)
        if both.ndim != 2 or both.shape[1] % 2:
            raise ValueError(
                f"The encoder of a VAE ends in (B, 2 · latent) numbers, means before log variances; "
                f"this one gives {tuple(both.shape)}."
            )
        return Posterior(*both.chunk(2, dim=1))

    def encode(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, latent)
        """The means of the codes of a batch of images."""
        return self.posterior(x).mu

    def decode(self, z: Tensor) -> Tensor:  # (B, latent) -> (B, C, H, W)
        """The images, in [0, 1], that the codes stand for. ValueError unless they are codes of the model's size."""
        check_codes(z, self.decoder, self)
        return self.output(self.decoder(z))

    def forward(self, x: Tensor, samples: int | None = None) -> VAEOutput:
        """Encode a batch of images (B, C, H, W), draw codes, one or *samples* for each, and decode them."""
        posterior = self.posterior(x)
        z = posterior.sample(samples)
        logits = self.decoder(z.flatten(0, -2)).unflatten(0, z.shape[:-1])
        return VAEOutput(logits, z, *posterior)


class DenseVAE(VAE):
    """A dense variational autoencoder: the given widths down to the latents, and the same widths back up.

    ``DenseVAE((784, 200, 200, 50), nn.Tanh)`` is the network with one stochastic layer of Burda et al. (2016).

    Args:
        widths: from the number of pixels down to the number of latents.
        activation: makes the hidden layers' activation module.
        shape: (C, H, W) of an image.

    Raises:
        ValueError: the first width is not C·H·W, or there are fewer than two.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 200, 200, 50),
        activation: Callable[[], nn.Module] = nn.Tanh,
        shape: Sequence[int] = (1, 28, 28),
    ) -> None:
        check_widths(widths, shape, self)
        encoder = nn.Sequential(nn.Flatten(), *mlp((*widths[:-1], 2 * widths[-1]), activation))
        decoder = nn.Sequential(*mlp(widths[::-1], activation), nn.Unflatten(1, tuple(shape)))
        super().__init__(encoder, decoder, shape)


@dataclass(frozen=True)
class ELBO:
    r"""Minus the evidence lower bound, in nats per image; with a weight :math:`\beta` on the divergence.

    .. math::
        -\mathbb{E}_{q_\phi(z \mid x)}[\log p_\theta(x \mid z)] + \beta \, \mathrm{KL}(q_\phi(z \mid x) \,\|\, p(z))

    Kingma & Welling (2014), equation 10, for :math:`\beta = 1`. Calls ``nets["vae"]``. Reports
    ``"reconstruction"`` (the first term) and ``"kl"`` (the divergence without its weight): with beta = 1 the loss is
    their sum. A variant overrides one of :meth:`reconstruction`, :meth:`divergence` and :meth:`weight`.

    Args:
        beta: weight of the divergence.
        samples: codes drawn for each image, over which the first term is averaged.
    """

    beta: float = 1.0
    samples: int | None = None

    def reconstruction(self, out: VAEOutput, x: Tensor) -> Tensor:
        """The first term, averaged over samples and batch."""
        return -bernoulli_log_prob(out.logits, x).mean()

    def divergence(self, out: VAEOutput) -> Tensor:
        """What the weight multiplies, averaged over the batch."""
        return gaussian_kl(out.mu, out.logvar)

    def weight(self, nets: Mapping[str, nn.Module]) -> float | Tensor:
        """The weight of the divergence in this step."""
        return self.beta

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        out = nets["vae"](batch.x, self.samples)
        reconstruction = self.reconstruction(out, batch.x)
        loss = reconstruction + self.weight(nets) * self.divergence(out)
        return {"loss": loss, "reconstruction": reconstruction, "kl": gaussian_kl(out.mu, out.logvar)}


@dataclass(frozen=True)
class GaussianELBO(ELBO):
    r"""The bound for gray pixels, :math:`p_\theta(x \mid z) = N(\hat x, \sigma^2)` with one fixed *sigma*.

    .. math:: -\log p_\theta(x \mid z) = \frac{\lVert x - \hat x \rVert^2}{2 \sigma^2} + \frac{d}{2} \log 2 \pi \sigma^2

    At :math:`\sigma^2 = 1/2` it is the squared error plus a constant. Kingma & Welling (2014), appendix C.2.

    Args:
        beta, samples: as for :class:`ELBO`.
        sigma: standard deviation of a pixel, in gray levels (black 0, white 1).
    """

    sigma: float = 0.5**0.5

    def reconstruction(self, out: VAEOutput, x: Tensor) -> Tensor:
        """The first term, averaged over samples and batch; the constant is included."""
        several = x.expand_as(out.logits).flatten(0, -x.ndim)
        error = squared_error(out.x_hat.flatten(0, -x.ndim), several)
        return error / (2 * self.sigma**2) + 0.5 * x[0].numel() * math.log(2 * math.pi * self.sigma**2)


@dataclass(frozen=True)
class FreeBits(ELBO):
    r"""The bound with *free* nats for each latent: up to there its divergence costs nothing.

    .. math:: \sum_j \max\Bigl(\lambda, \frac1B \sum_n D_{nj}\Bigr)

    Kingma et al. (2016), "Improved Variational Inference with Inverse Autoregressive Flow", appendix.

    Args:
        beta, samples: as for :class:`ELBO`.
        free: :math:`\lambda`, in nats per latent.
    """

    free: float = 0.5

    def divergence(self, out: VAEOutput) -> Tensor:
        """The sum over latents of what each costs."""
        return gaussian_kl_terms(out.mu, out.logvar).mean(0).clamp(min=self.free).sum()


class WarmUp(nn.Module):
    """A weight that rises from 0 to 1 over a number of training steps; in evaluation mode it is 1.

    It counts its calls in a buffer, so that a resumed training goes on where it was. *steps*: until the weight is 1.
    """

    def __init__(self, steps: int) -> None:
        if steps < 1:
            raise ValueError(f"WarmUp takes one step or more to reach its weight; it got {steps}.")
        super().__init__()
        self.steps = steps
        self.done: Tensor
        self.register_buffer("done", torch.zeros(()))

    def forward(self) -> Tensor:  # ()
        """The weight of this step."""
        if not self.training:
            return torch.ones_like(self.done)
        weight = (self.done / self.steps).clamp(max=1)
        self.done += 1
        return weight


@dataclass(frozen=True)
class WarmedELBO(ELBO):
    r"""The bound, with a divergence that counts little at first: :math:`\beta` is multiplied by ``nets["warm-up"]()``.

    Bowman et al. (2016); Sønderby et al. (2016). Needs a :class:`WarmUp` among the modules,
    and ``updates=("vae",)`` in its phase.
    """

    def weight(self, nets: Mapping[str, nn.Module]) -> float | Tensor:
        """The weight of the divergence in this step."""
        return self.beta * nets["warm-up"]()
