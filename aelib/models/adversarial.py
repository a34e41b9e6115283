"""The adversarial autoencoder: a discriminator compares codes with draws from a prior, the encoder learns to fool it.

Makhzani, Shlens, Jaitly, Goodfellow & Frey, "Adversarial Autoencoders", arXiv:1511.05644 (2016). Three phases share
each batch: :class:`ReconstructionLoss` updates encoder and decoder, :class:`DiscriminatorLoss` the discriminators,
:class:`GeneratorLoss` the encoder alone. A fourth, :class:`ClassificationLoss`, uses labels where there are some;
where all are known, :class:`SupervisedReconstructionLoss` tells them to the decoder.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aelib.data import Batch, ImageSet
from aelib.interfaces import Prior
from aelib.likelihoods import squared_error
from aelib.models.autoencoder import EncoderDecoder
from aelib.nets import mlp

Nets = Mapping[str, nn.Module]
POSTERIORS = ("deterministic", "gaussian", "universal")


class SoftmaxHead(nn.Module):
    """Turns the first *classes* numbers of each row into probabilities by a softmax; leaves the others alone."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, a: Tensor) -> Tensor:  # (B, classes + style) -> the same
        return torch.cat([a[:, : self.classes].softmax(1), a[:, self.classes :]], 1)


class SoftmaxEncoder(nn.Sequential):
    """Layers of which the last is a :class:`SoftmaxHead`. With ``logits=True`` it gives what the head would be given.

    A loss takes the logits: a softmax that is sure and wrong has no gradient left to mend it.
    """

    def forward(self, x: Tensor, logits: bool = False) -> Tensor:  # (B, C, H, W) -> (B, classes + style)
        *layers, head = self
        for layer in layers:
            x = layer(x)
        return x if logits else head(x)


class GaussianDraw(nn.Module):
    r"""Takes the halves of each row as :math:`\mu` and :math:`\log \sigma^2`, and gives one draw of N(μ, σ²).

    It ends an encoder whose posterior is Gaussian. It draws in evaluation mode too.
    """

    def forward(self, a: Tensor) -> Tensor:  # (B, 2 latent) -> (B, latent)
        mu, logvar = a.chunk(2, 1)
        return mu + (0.5 * logvar).exp() * torch.randn_like(mu)


class AppendedNoise(nn.Module):
    r"""Appends *size* standard normal numbers, drawn anew at each call, to each row.

    Before an encoder's layers it makes them a function :math:`f(x, \eta)`, whose posterior may have any shape: the
    paper's universal approximator. It draws in evaluation mode too.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:  # (B, d) -> (B, d + size)
        return torch.cat([x, torch.randn(len(x), self.size, dtype=x.dtype, device=x.device)], 1)


class TrainingNoise(nn.Module):
    """Adds normal noise of deviation *std* while training, and nothing else."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x


def noisy_mlp(widths: Sequence[int], noise: float) -> nn.Sequential:
    """ReLU layers, each normalized over the batch and then, while training, shaken by normal noise.

    The encoder of the ladder network (Rasmus et al. 2015, section 3). The last layer is linear and bare.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), TrainingNoise(noise), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


class AdversarialAutoencoder(EncoderDecoder):
    """A dense autoencoder whose code has *classes* probabilities, then *style* free numbers.

    Without classes it is the network of Makhzani et al. (2016), section 2; with them, that of their section 5 (where
    the classes are digits) and section 6 (where they are clusters to be found). Paper: two hidden layers of 1,000 ReLU.

    Args:
        style: how many free numbers the code has.
        classes: how many numbers of it are a softmax.
        hidden: widths of the encoder's hidden layers; the decoder's are the same, in reverse.
        shape: (C, H, W) of an image.
        normalize: whether the code, before any softmax, is normalized over the batch. Then no class can win all images
            at the start, and style codes begin with the prior's mean and variance.
        dropout: which part of the pixels the encoder does not see while training, at random.
        posterior: what the code of one image is, section 2 of the paper: a point (``"deterministic"``), a draw of a
            Gaussian whose mean and variance the encoder gives (``"gaussian"``), or a function of the image and of
            *noise* normal numbers (``"universal"``).
        noise: how many numbers of noise a universal encoder gets beside the pixels.
        hidden_noise: if it is not 0, the encoder's hidden layers are those of :func:`noisy_mlp`, with this deviation.

    Raises:
        ValueError: another posterior, or a random one of a code that has classes.
    """

    def __init__(
        self,
        style: int = 2,
        classes: int = 0,
        hidden: Sequence[int] = (1000, 1000),
        shape: Sequence[int] = (1, 28, 28),
        normalize: bool = False,
        dropout: float = 0.0,
        posterior: str = "deterministic",
        noise: int = 10,
        hidden_noise: float = 0.0,
    ) -> None:
        if posterior not in POSTERIORS or (classes and posterior != "deterministic"):
            raise ValueError(
                f"posterior is one of {POSTERIORS}, of a code with classes the first; it is {posterior!r} with "
                f"{classes} classes."
            )
        widths = (math.prod(shape), *hidden, classes + style)
        drop = [nn.Dropout(dropout)] if dropout else []
        norm = [nn.BatchNorm1d(classes + style)] if normalize else []

        def dense(widths: Sequence[int]) -> nn.Sequential:
            return noisy_mlp(widths, hidden_noise) if hidden_noise else mlp(widths, nn.ReLU)

        if posterior == "gaussian":
            inside = [*dense((*widths[:-1], 2 * style)), GaussianDraw()]
        elif posterior == "universal":
            inside = [AppendedNoise(noise), *dense((widths[0] + noise, *widths[1:]))]
        else:
            inside = [*dense(widths)]
        layers = [nn.Flatten(), *drop, *inside, *norm]
        encoder = SoftmaxEncoder(*layers, SoftmaxHead(classes)) if classes else nn.Sequential(*layers)
        super().__init__(encoder, nn.Sequential(*mlp(widths[::-1], nn.ReLU), nn.Unflatten(1, tuple(shape))), shape)
        self.classes = classes

    def nets(self, **discriminators: nn.Module) -> dict[str, nn.Module]:
        """Encoder, decoder and the discriminators by name: each is a network of its own to the three phases."""
        return {"encoder": self.encoder, "decoder": self.decoder, **discriminators}


class Discriminator(nn.Module):
    r"""The log-odds that a code was drawn from the prior: :math:`D(z) = \sigma(\text{score})`.

    Args:
        inputs: how many numbers it sees: those of the code and, if it is told labels, one a part of the prior and one.
        hidden: widths of its hidden layers of ReLU.
        noise: standard deviation of Gaussian noise added to what it sees while training. A softmax never gives exact
            zeros and ones, so without noise a categorical prior is told apart by that alone.
    """

    def __init__(self, inputs: int, hidden: Sequence[int] = (1000, 1000), noise: float = 0.0) -> None:
        super().__init__()
        self.layers, self.noise = mlp((inputs, *hidden, 1), nn.ReLU), noise

    def forward(self, z: Tensor) -> Tensor:  # (B, inputs) -> (B,)
        if self.training and self.noise:
            z = z + self.noise * torch.randn_like(z)
        return self.layers(z).squeeze(1)


@dataclass(frozen=True)
class Match:
    """Which columns of the code shall be distributed like which prior, and the name of the discriminator that judges.

    With *labels* the discriminator is also told the label, as a vector with a single one (Makhzani et al. 2016,
    section 2.3): then digit *k* has to lie in part *k* of the prior. A label of -1 means unknown and gets the first
    place of that vector; such a digit may lie anywhere. *weight* is that of the match in the generator's loss.
    """

    prior: Prior
    columns: tuple[int, int | None] = (0, None)
    net: str = "discriminator"
    labels: bool = False
    weight: float = 1.0

    def codes(self, code: Tensor, batch: Batch) -> Tensor:  # (B, whole code) -> (B, inputs of the discriminator)
        """What the discriminator sees of the codes of a batch."""
        return self._told(code[:, slice(*self.columns)], batch)

    def drawn(self, batch: Batch) -> Tensor:  # -> (B, inputs of the discriminator)
        """As many draws from the prior, each from the part of its image's label where the discriminator is told it."""
        part = torch.randint(self.prior.parts, (len(batch.x),), device=batch.x.device)
        if self.labels:
            part = torch.where(self._labels(batch) < 0, part, self._labels(batch))
        return self._told(self.prior.sample(part), batch)

    def _told(self, z: Tensor, batch: Batch) -> Tensor:
        if not self.labels:
            return z
        return torch.cat([z, F.one_hot(self._labels(batch) + 1, self.prior.parts + 1).to(z.dtype)], 1)

    def _labels(self, batch: Batch) -> Tensor:
        if batch.y is None:
            raise ValueError("Match(labels=True) needs labels in the batch, -1 where unknown; the batch has none.")
        return batch.y


@dataclass(frozen=True)
class ReconstructionLoss:
    r"""First phase, updates encoder and decoder: :math:`\lVert x - \hat x \rVert^2` an image, averaged over images.

    With *noise* the decoder gets the code plus :math:`N(0, \text{noise}^2 I)`, the paper's Gaussian posterior with a
    fixed variance: what the code says must then be said in differences larger than that.
    """

    noise: float = 0.0

    def __call__(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        code = nets["encoder"](batch.x)
        if self.noise:
            code = code + self.noise * torch.randn_like(code)
        return {"loss": squared_error(nets["decoder"](code).sigmoid(), batch.x)}


@dataclass(frozen=True)
class SupervisedReconstructionLoss(ReconstructionLoss):
    """First phase of the supervised AAE (section 4): the decoder gets the label and the code, :math:`g(y, z)`.

    The label comes first, as a vector with a single one among *classes*. What it says the code need not say again.
    The encoder gives the style alone, and the decoder takes *classes* numbers more than it. Raises ValueError for a
    batch without labels.
    """

    classes: int = 10

    def __call__(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        if batch.y is None:
            raise ValueError("SupervisedReconstructionLoss tells the decoder the label; the batch has none.")
        style = nets["encoder"](batch.x)
        if self.noise:
            style = style + self.noise * torch.randn_like(style)
        code = torch.cat([F.one_hot(batch.y, self.classes).to(style.dtype), style], 1)
        return {"loss": squared_error(nets["decoder"](code).sigmoid(), batch.x)}


@dataclass(frozen=True)
class DiscriminatorLoss:
    r"""Second phase, updates the discriminators: the cross-entropy of telling draws from codes, in nats, per match.

    .. math:: -\mathbb{E}_{z \sim p(z)}[\log D(z)] - \mathbb{E}_{x}[\log(1 - D(f(x)))]

    Goodfellow et al. (2014), equation 1, with its sign turned. At best it is :math:`\log 4 - 2 \, \text{JS}(q, p)`,
    and :math:`\log 4 = 1.386` where codes and prior cannot be told apart. Also reports each *D* on both. Raises
    ValueError where a prior's draws and its columns of the code differ in size.
    """

    matches: tuple[Match, ...]

    def __call__(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():  # the encoder stands still in this phase
            code = nets["encoder"](batch.x)
        loss, terms = torch.zeros((), device=code.device), {}
        for match in self.matches:
            drawn, codes = match.drawn(batch), match.codes(code, batch)
            if drawn.shape != codes.shape:
                raise ValueError(
                    f"The prior of {match.net!r} draws rows of {drawn.shape[1]} numbers, and the columns "
                    f"{match.columns} of the code are {codes.shape[1]}; make them equal."
                )
            # One call for both: under DDP a module is called once between two backward passes.
            on_prior, on_codes = nets[match.net](torch.cat([drawn, codes])).chunk(2)
            loss = loss + F.softplus(-on_prior).mean() + F.softplus(on_codes).mean()
            terms[f"{match.net} on prior"] = on_prior.detach().sigmoid().mean()
            terms[f"{match.net} on codes"] = on_codes.detach().sigmoid().mean()
        return {"loss": loss, **terms}


@dataclass(frozen=True)
class GeneratorLoss:
    r"""Third phase, updates the encoder alone: :math:`-\mathbb{E}_x[\log D(f(x))]` in nats, weighted, over matches.

    At the point where nothing can be told apart it is :math:`\log 2` a match of weight 1. The discriminators get
    gradients too, which nobody uses: the phase must not update them.
    """

    matches: tuple[Match, ...]

    def term(self, score: Tensor) -> Tensor:
        """The loss of codes with these log-odds (B,), averaged."""
        return F.softplus(-score).mean()

    def __call__(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        code = nets["encoder"](batch.x)
        terms = [m.weight * self.term(nets[m.net](m.codes(code, batch))) for m in self.matches]
        return {"loss": torch.stack(terms).sum()}


@dataclass(frozen=True)
class SaturatingGeneratorLoss(GeneratorLoss):
    r"""The minimax form :math:`\mathbb{E}_x[\log(1 - D(f(x)))]`: its gradient vanishes where *D* is sure of itself."""

    def term(self, score: Tensor) -> Tensor:
        return -F.softplus(score).mean()


@dataclass(frozen=True, eq=False)
class ClassificationLoss:
    r"""Fourth phase, updates the encoder: :math:`-\log q(y \mid x)` in nats, on a few images whose labels are known.

    Each step takes *size* of them at random (all, if there are no more), whatever the batch. Calls
    ``nets["encoder"]``, a :class:`SoftmaxEncoder`, for its logits. Reports the ``accuracy``, from 0 to 1.
    """

    labeled: ImageSet
    classes: int = 10
    size: int = 100

    def to(self, device: torch.device) -> "ClassificationLoss":
        """The same with its images on another device."""
        return replace(self, labeled=self.labeled.to(device))

    def __call__(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        chosen = self.labeled.to(batch.x.device)
        if len(chosen) > self.size:
            chosen = chosen[torch.randint(len(chosen), (self.size,), device=batch.x.device)]
        logits = nets["encoder"](chosen.images(), logits=True)[:, : self.classes]
        hits = (logits.argmax(1) == chosen.y).float().mean()
        return {"loss": F.cross_entropy(logits, chosen.y), "accuracy": hits}
