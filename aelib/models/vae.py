"""The variational autoencoder: the code is a distribution, the loss a bound on the likelihood.

Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from aelib.data import Batch
from aelib.interfaces import Likelihood
from aelib.likelihoods import Bernoulli, gaussian_kl_terms
from aelib.nets import check_codes, check_images, check_widths, mlp

BITS = Bernoulli()


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

    logits: Tensor  # (B, C, H, W) or (samples, B, C, H, W), the likelihood's parameters: for bits, log-odds
    z: Tensor  # (B, latent) or (samples, B, latent), drawn from the posterior
    mu: Tensor  # (B, latent)
    logvar: Tensor  # (B, latent)
    likelihood: Likelihood = BITS

    @property
    def x_hat(self) -> Tensor:
        """The images, each the mean of p(x | z)."""
        return self.likelihood.mean(self.logits)


class VAE(nn.Module):
    r"""A variational autoencoder of images, with any encoder, decoder and likelihood.

    .. math:: q_\phi(z \mid x) = N(z; \mu(x), \sigma^2(x)), \qquad p_\theta(x \mid z) = p(x; g(z)), \qquad
        p(z) = N(0, I)

    ``encode`` gives the mean, so whatever works on codes works on these; ``posterior`` gives mean and variance. The
    likelihood is part of the model: objectives train on it and measures report it.

    Args:
        encoder: from (B, C, H, W) to (B, 2 · latent): the means, then the log variances.
        decoder: *g*, from (B, latent) to the likelihood's parameters, (B, C, H, W).
        shape: (C, H, W) of an image.
        likelihood: of the pixels: :class:`~aelib.likelihoods.Bernoulli` for bits, with the log-odds as parameters, or
            :class:`~aelib.likelihoods.Gaussian`.
    """

    def __init__(
        self,
        encoder: nn.Sequential,
        decoder: nn.Sequential,
        shape: Sequence[int] = (1, 28, 28),
        likelihood: Likelihood = BITS,
    ) -> None:
        super().__init__()
        self.shape, self.likelihood = tuple(shape), likelihood
        self.encoder, self.decoder = encoder, decoder
        self.output = likelihood.output()

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
        """The images that the codes stand for, the means of p(x | z); ValueError unless they are the model's codes."""
        check_codes(z, self.decoder, self)
        return self.output(self.decoder(z))

    def check_values(self, x: Tensor) -> None:
        """Raise a ValueError unless the likelihood is one of *x*."""
        self.likelihood.check(x)

    def forward(self, x: Tensor, samples: int | None = None) -> VAEOutput:
        """Encode a batch of images (B, C, H, W), draw codes, one or *samples* for each, and decode them."""
        posterior = self.posterior(x)
        z = posterior.sample(samples)
        logits = self.decoder(z.flatten(0, -2)).unflatten(0, z.shape[:-1])
        return VAEOutput(logits, z, *posterior, self.likelihood)


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
        likelihood: Likelihood = BITS,
    ) -> None:
        check_widths(widths, shape, self)
        encoder = nn.Sequential(nn.Flatten(), *mlp((*widths[:-1], 2 * widths[-1]), activation))
        decoder = nn.Sequential(*mlp(widths[::-1], activation), nn.Unflatten(1, tuple(shape)))
        super().__init__(encoder, decoder, shape, likelihood)


@dataclass(frozen=True)
class WarmUp:
    r"""A weight that rises with the training that is done, :math:`\text{to} \cdot \min(t / \text{epochs}, 1)`.

    Bowman et al. (2016), section 3.1; Sønderby et al. (2016). A pure function of the batch's ``epoch``: a resumed
    training and several processes agree on it. Outside of training the weight is *to*.

    Args:
        epochs: after so many the weight stays as it is.
        to: its last value.

    Raises:
        ValueError: *epochs* is not positive.
    """

    epochs: float
    to: float = 1.0

    def __post_init__(self) -> None:
        if not self.epochs > 0:
            raise ValueError(f"A warm-up takes a positive number of epochs; it got {self.epochs}.")

    def __call__(self, epoch: Tensor | None) -> float | Tensor:
        """The weight after *epoch* epochs, (); None is outside of training."""
        return self.to if epoch is None else self.to * (epoch / self.epochs).clamp(max=1)


class Divergence(Protocol):
    """What the weight of an :class:`ELBO` multiplies.

    It is given the divergence from the prior, averaged over the batch, with the free bits in it; what the model made
    of the batch; and how much of the training is done.
    """

    def __call__(self, kl: Tensor, out: VAEOutput, epoch: Tensor | None) -> Tensor: ...


@dataclass(frozen=True)
class KL:
    """The divergence from the prior itself."""

    def __call__(self, kl: Tensor, out: VAEOutput, epoch: Tensor | None) -> Tensor:
        return kl


@dataclass(frozen=True)
class ELBO:
    r"""Minus the evidence lower bound, in nats per image; with a weight :math:`\beta` on the divergence.

    .. math::
        -\mathbb{E}_{q_\phi(z \mid x)}[\log p_\theta(x \mid z)] + \beta \, \mathrm{KL}(q_\phi(z \mid x) \,\|\, p(z))

    Kingma & Welling (2014), equation 10, for :math:`\beta = 1`. The first term is the model's own likelihood. With
    *free* nats for each latent, up to there its divergence :math:`D_j` costs nothing (Kingma et al. 2016, "Improved
    variational inference with inverse autoregressive flow", appendix C.8):

    .. math:: \sum_j \max\Bigl(\lambda, \frac1B \sum_n D_{nj}\Bigr) \quad\text{for}\quad \mathrm{KL}

    Calls ``nets["vae"]``. Reports ``"reconstruction"`` (the first term) and ``"kl"`` (the divergence, as it is): with
    beta = 1 and no free bits the loss is their sum. All parts can be combined.

    Args:
        beta: weight of the divergence, or a :class:`WarmUp` to it.
        free: :math:`\lambda`, in nats per latent.
        samples: codes drawn for each image, over which the first term is averaged.
        divergence: what the weight multiplies: :class:`KL`, or from :mod:`aelib.models.beta_vae` a
            ``TotalCorrelation`` or a ``Capacity``.

    Raises:
        ValueError: *free* is negative.
    """

    beta: float | WarmUp = 1.0
    free: float = 0.0
    samples: int | None = None
    divergence: Divergence = KL()

    def __post_init__(self) -> None:
        if self.free < 0:
            raise ValueError(f"Free bits are 0 nats or more for each latent; they are {self.free}.")

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        out: VAEOutput = nets["vae"](batch.x, self.samples)
        reconstruction = -out.likelihood.log_prob(out.logits, batch.x).mean()
        terms = gaussian_kl_terms(out.mu, out.logvar)  # (B, latent)
        kl = terms.sum() / len(terms)
        paid = terms.mean(0).clamp(min=self.free).sum() if self.free else kl
        weight = self.beta(batch.epoch) if isinstance(self.beta, WarmUp) else self.beta
        loss = reconstruction + weight * self.divergence(paid, out, batch.epoch)
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl}
