r"""The vector-quantized autoencoder: the code is a grid of symbols, each the nearest of *K* learned vectors.

van den Oord, Vinyals & Kavukcuoglu, "Neural discrete representation learning", NeurIPS 2017. The quantizers are in
:mod:`aelib.models.quantizers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from aelib.data import Batch
from aelib.likelihoods import Bernoulli, squared_error, symbols_in_use
from aelib.models.quantizers import Quantizer
from aelib.nets import check_images


class VQOutput(NamedTuple):
    """What a vector-quantized autoencoder makes of a batch."""

    logits: Tensor  # (B, C, H, W), before the sigmoid
    z: Tensor  # (B, dim, h, w), the encoder's answer, before quantization
    e: Tensor  # (B, dim, h, w), the codebook vectors chosen for it
    indices: Tensor  # (B, h, w), int64, which vectors these are
    codes: int  # K

    @property
    def x_hat(self) -> Tensor:
        """The images, in [0, 1]."""
        return self.logits.sigmoid()

    @property
    def perplexity(self) -> Tensor:
        """How many codes would be in use if all were used equally often, by the batch's indices."""
        return symbols_in_use(self.indices)[1]

    @property
    def usage(self) -> Tensor:
        """The fraction of the codebook that occurs in the batch, from 0 to 1."""
        return symbols_in_use(self.indices)[0] / self.codes


class VQVAE(nn.Module):
    r"""An autoencoder with a quantizer between encoder and decoder.

    .. math:: z = f(x), \qquad k_p = \arg\min_k \lVert z_p - e_k \rVert, \qquad \hat x = \sigma(g(e_{k}))

    for every place *p* of the grid. ``encode`` gives the chosen vectors, ``indices`` their numbers.

    Args:
        encoder: from (B, C, H, W) to a grid of vectors, (B, dim, h, w).
        quantizer: chooses a code for each place.
        decoder: from the grid of chosen vectors to the logits, (B, C, H, W).
        shape: (C, H, W) of an image.
    """

    def __init__(
        self, encoder: nn.Sequential, quantizer: Quantizer, decoder: nn.Sequential, shape: Sequence[int] = (1, 28, 28)
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.encoder, self.quantizer, self.decoder = encoder, quantizer, decoder
        self.output = nn.Sigmoid()

    @property
    def codebook(self) -> Tensor:  # (K, dim)
        """All vectors that a place of the grid can hold."""
        return self.quantizer.codebook

    def grid(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, dim, h, w)
        """The encoder's answer, before quantization.

        Raises:
            ValueError: *x* is no floating-point batch of images of the model's shape, or the encoder's output is no
                grid of vectors of the quantizer's dimension.
        """
        check_images(x, self.shape, self)
        z = self.encoder(x)
        if z.ndim != 4 or z.shape[1] != self.quantizer.dim:
            raise ValueError(
                f"The encoder of a VQVAE ends in a grid (B, {self.quantizer.dim}, h, w), vectors of the quantizer's "
                f"dimension; this one gives {tuple(z.shape)}."
            )
        return z

    def indices(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, h, w), int64
        """Which code each place of the grid gets. Changes nothing in the model, in training mode either."""
        return self.quantizer.indices(self.grid(x))

    def lookup(self, indices: Tensor) -> Tensor:  # (B, h, w) -> (B, dim, h, w)
        """The codebook vectors of a grid of indices.

        Raises:
            ValueError: *indices* is no int64 tensor of shape (B, h, w) with values from 0 to K - 1.
        """
        return self.quantizer.lookup(indices)

    def encode(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, dim, h, w)
        """The chosen vectors of a batch of images. Flatten them for a probe."""
        return self.lookup(self.indices(x))

    def decode(self, z: Tensor) -> Tensor:  # (B, dim, h, w) -> (B, C, H, W)
        """The images, in [0, 1], that the grids of vectors stand for; they are taken as they are, not quantized."""
        return self.output(self.decoder(z))

    def decode_indices(self, indices: Tensor) -> Tensor:  # (B, h, w) -> (B, C, H, W)
        """The images, in [0, 1], that grids of indices stand for.

        Raises:
            ValueError: as for :meth:`lookup`.
        """
        return self.decode(self.lookup(indices))

    def check_values(self, x: Tensor) -> None:
        """Raise a ValueError unless *x* is in [0, 1], as the output."""
        Bernoulli().check(x)

    def forward(self, x: Tensor) -> VQOutput:
        """Encode, quantize and decode a batch of images (B, C, H, W). In training mode the codebook may change."""
        z = self.grid(x)
        with torch.autocast(z.device.type, enabled=False):  # bfloat16 would often find another vector the nearest
            passed, e, indices = self.quantizer(z.to(self.quantizer.dtype))
        return VQOutput(self.decoder(passed), z, e, indices, self.quantizer.codes)


@dataclass(frozen=True)
class VQLoss:
    r"""The loss of van den Oord et al. (2017), equation 3, with the squared error as its first term.

    .. math:: \lVert x - \hat x \rVert^2 + \lVert \text{sg}[z] - e \rVert^2 + \beta \lVert z - \text{sg}[e] \rVert^2

    sg is the identity with a gradient of zero. All terms are summed over dimensions and averaged over the batch. The
    second term moves the codebook to the encoder's answers; the third, the commitment, the answers to the codebook.
    Calls ``nets["ae"]``. Reports ``"reconstruction"``, ``"codebook"``, ``"commitment"`` (without its weight),
    ``"perplexity"`` (of the batch) and ``"usage"`` (of the batch). A variant overrides one term: for
    :class:`~aelib.models.quantizers.EMAQuantizer`, whose codebook is no parameter, the second has no gradient and
    only reports; :class:`~aelib.models.quantizers.FSQ` needs the first term alone, ``VQLoss(codebook=0, beta=0)``.

    Args:
        beta: weight of the commitment; 0.25 in the paper.
        codebook: weight of the second term; 1 in the paper.
    """

    beta: float = 0.25
    codebook: float = 1.0

    def reconstruction(self, out: VQOutput, x: Tensor) -> Tensor:
        """The first term, in squared gray levels per image."""
        return squared_error(out.x_hat, x)

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        out = nets["ae"](batch.x)
        reconstruction = self.reconstruction(out, batch.x)
        codebook = squared_error(out.e, out.z.detach())
        commitment = squared_error(out.z, out.e.detach())
        return {
            "loss": reconstruction + self.codebook * codebook + self.beta * commitment,
            "reconstruction": reconstruction,
            "codebook": codebook,
            "commitment": commitment,
            "perplexity": out.perplexity,
            "usage": out.usage,
        }


def small_vqvae(quantizer: Quantizer, width: int = 32) -> VQVAE:
    """A small convolutional VQ-VAE for 28×28 images, with a grid of 7×7 codes; see :func:`grid_encoder`."""
    return VQVAE(grid_encoder(quantizer.dim, width), quantizer, grid_decoder(quantizer.dim, width))


def grid_encoder(dim: int, width: int = 32) -> nn.Sequential:
    """Two strided convolutions, one that looks around, and a linear map to *dim* numbers at each of 7×7 places."""
    return nn.Sequential(  # (B, 1, 28, 28)
        nn.Conv2d(1, width // 2, 4, stride=2, padding=1),  # (B, width/2, 14, 14)
        nn.ReLU(),
        nn.Conv2d(width // 2, width, 4, stride=2, padding=1),  # (B, width, 7, 7)
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, dim, 1),  # (B, dim, 7, 7)
    )


def grid_decoder(dim: int, width: int = 32) -> nn.Sequential:
    """The way back from a grid of 7×7 vectors to the logits of 28×28 pixels."""
    return nn.Sequential(  # (B, dim, 7, 7)
        nn.Conv2d(dim, width, 3, padding=1),  # (B, width, 7, 7)
        nn.ReLU(),
        nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),  # (B, width/2, 14, 14)
        nn.ReLU(),
        nn.ConvTranspose2d(width // 2, 1, 4, stride=2, padding=1),  # (B, 1, 28, 28), logits
    )
