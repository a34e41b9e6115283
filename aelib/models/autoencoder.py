"""The plain autoencoder: an encoder, a decoder, and the two errors it is trained on.

Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313 (2006).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from aelib.data import Batch
from aelib.interfaces import Likelihood
from aelib.likelihoods import Bernoulli, bernoulli_nll, squared_error
from aelib.nets import UnitColumns, check_codes, check_images, check_widths, mlp

BITS = Bernoulli()


class Reconstruction(NamedTuple):
    """What an autoencoder makes of a batch."""

    x_hat: Tensor  # (B, C, H, W), in [0, 1]
    logits: Tensor  # (B, C, H, W), before the sigmoid
    z: Tensor  # (B, latent)
    likelihood: Likelihood = BITS


class EncoderDecoder(nn.Module):
    r"""Any deterministic autoencoder: :math:`z = f(x)`, :math:`\hat x = \sigma(g(z))`.

    Args:
        encoder: *f*, from (B, C, H, W) to (B, latent).
        decoder: *g*, from (B, latent) to the logits, (B, C, H, W).
        shape: (C, H, W) of an image, or the shape of whatever an example is.
        likelihood: of which the decoder gives the parameters and whose mean takes the place of the sigmoid, as
            :class:`~aelib.likelihoods.Gaussian` for numbers of any size; :class:`Reconstruct` trains by it.
    """

    def __init__(
        self,
        encoder: nn.Sequential,
        decoder: nn.Sequential,
        shape: Sequence[int] = (1, 28, 28),
        likelihood: Likelihood | None = None,
    ) -> None:
        super().__init__()
        self.shape, self.likelihood = tuple(shape), likelihood
        self.encoder, self.decoder = encoder, decoder
        self.output: nn.Module = nn.Sigmoid() if likelihood is None else likelihood.output()

    def encode(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, latent)
        """The codes of a batch of images.

        Raises:
            ValueError: *x* is no floating-point batch of images of the model's shape.
        """
        check_images(x, self.shape, self)
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:  # (B, latent) -> (B, C, H, W)
        """The images, in [0, 1], that the codes stand for.

        Raises:
            ValueError: *z* is no floating-point batch of codes of the model's size.
        """
        check_codes(z, self.decoder, self)
        return self.output(self.decoder(z))

    def check_values(self, x: Tensor) -> None:
        """Raise a ValueError unless the likelihood is one of *x*, or the output can be: a sigmoid's is in [0, 1]."""
        if self.likelihood is not None:
            self.likelihood.check(x)
        elif isinstance(self.output, nn.Sigmoid):
            BITS.check(x)

    def forward(self, x: Tensor) -> Reconstruction:
        """Encode and decode a batch of images of shape (B, C, H, W)."""
        z = self.encode(x)
        logits = self.decoder(z)
        return Reconstruction(self.output(logits), logits, z, self.likelihood or BITS)


class Autoencoder(EncoderDecoder):
    """A dense autoencoder: the given widths down to a linear code, and the same widths back up.

    ``Autoencoder((784, 1000, 500, 250, 30), nn.Sigmoid)`` is the network of Hinton & Salakhutdinov (2006, figure 1):
    logistic hidden units, a linear code.

    Args:
        widths: from the number of pixels down to the size of the code.
        activation: makes the hidden layers' activation module.
        shape: (C, H, W) of an image.

    Raises:
        ValueError: the first width is not C·H·W, or there are fewer than two.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 1000, 500, 250, 30),
        activation: Callable[[], nn.Module] = nn.Sigmoid,
        shape: Sequence[int] = (1, 28, 28),
    ) -> None:
        check_widths(widths, shape, self)
        encoder = nn.Sequential(nn.Flatten(), *mlp(widths, activation))
        decoder = nn.Sequential(*mlp(widths[::-1], activation), nn.Unflatten(1, tuple(shape)))
        super().__init__(encoder, decoder, shape)


class RectifiedDense(EncoderDecoder):
    """Dense layers down to a code without negative numbers, and back up: a ReLU follows the code's layer too.

    ``RectifiedDense()`` is published twice, as "fully connected" and as "sparse": Vakacharla, "Exploring autoencoders
    with the FashionMNIST dataset", GitHub (2025).

    Args:
        widths: from the number of pixels down to the size of the code.
        unit_columns: whether the weights that leave each number of the code have length one. A penalty on the code
            needs it: else the code shrinks and these weights grow instead.
        shape: (C, H, W) of an image.

    Raises:
        ValueError: the first width is not C·H·W, or there are fewer than two.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 128, 64),
        *,
        unit_columns: bool = False,
        shape: Sequence[int] = (1, 28, 28),
    ) -> None:
        check_widths(widths, shape, self)
        encoder = nn.Sequential(nn.Flatten(), *mlp(widths, nn.ReLU, last=True))
        up = mlp(widths[::-1], nn.ReLU)
        if unit_columns:
            up[0] = UnitColumns(widths[-1], widths[-2])
        super().__init__(encoder, nn.Sequential(*up, nn.Unflatten(1, tuple(shape))), shape)


@dataclass(frozen=True)
class Reconstruct:
    r"""Minus the log likelihood of the data given their codes, :math:`-\log p(x; g(f(x)))`, in nats per example.

    The likelihood is the model's own, :class:`~aelib.likelihoods.Bernoulli` where it has none. Calls ``nets["ae"]``.
    """

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        out: Reconstruction = nets["ae"](batch.x)
        return {"loss": out.likelihood.nll(out.logits, batch.x)}


@dataclass(frozen=True)
class SquaredError:
    r"""The squared error of the reconstruction, :math:`\lVert x - \hat x \rVert^2`, averaged over the batch.

    Calls ``nets["ae"]``. With ``per_pixel`` it is divided by the number of pixels, as ``nn.MSELoss`` does.
    """

    per_pixel: bool = False

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        loss = squared_error(nets["ae"](batch.x).x_hat, batch.x)
        return {"loss": loss / batch.x[0].numel() if self.per_pixel else loss}


@dataclass(frozen=True)
class CrossEntropy:
    """The Bernoulli cross-entropy of the reconstruction, in nats per image: the loss of Hinton & Salakhutdinov.

    Calls ``nets["ae"]``. Reports the squared error per image beside the loss, in the paper's unit.
    """

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        out = nets["ae"](batch.x)
        with torch.no_grad():
            error = squared_error(out.x_hat, batch.x)
        return {"loss": bernoulli_nll(out.logits, batch.x), "squared error": error}
