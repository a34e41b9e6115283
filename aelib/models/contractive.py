r"""Contractive autoencoders: where the input moves a little, the code should move less.

Rifai, Vincent, Muller, Glorot & Bengio, "Contractive auto-encoders: explicit invariance during feature extraction",
ICML 2011. Where the decoder has weights of its own the penalty can be satisfied by shrinking the code; two ways out are
here, :class:`RelativeContractive` and :class:`ReconstructionContractive`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import jacrev, vjp, vmap

from aelib.data import Batch
from aelib.likelihoods import bernoulli_nll, squared_error
from aelib.models.autoencoder import EncoderDecoder
from aelib.models.denoising import TiedAutoencoder


class ContractiveOutput(NamedTuple):
    """What a contractive autoencoder makes of a batch."""

    x_hat: Tensor  # (B, C, H, W), in [0, 1]
    logits: Tensor  # (B, C, H, W), before the sigmoid
    z: Tensor  # (B, latent)
    jacobian: Tensor  # (B,), the squared Frobenius norm of the encoder's Jacobian at each image, or an estimate of it


def encoder_jacobian(encoder: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    r"""The encoder's Jacobian at each input by automatic differentiation, :math:`J_{ji} = \partial z_j / \partial x_i`.

    Exact for every differentiable encoder, at the price of one backward pass for each latent.

    Args:
        encoder: from (B, ...) to (B, latent), each output a function of its own input alone.
        x: shape (B, ...).

    Returns:
        Shape (B, latent, d), with d the number of elements of one input.
    """
    one = jacrev(lambda image: encoder(image[None])[0])
    return vmap(one)(x).flatten(2)


def sigmoid_jacobian(z: Tensor, weight: Tensor) -> Tensor:
    r"""Squared Frobenius norm of the Jacobian of one logistic layer, :math:`z = \sigma(W x + b)`, in closed form.

    .. math:: \lVert J \rVert_F^2 = \sum_j \bigl(z_j (1 - z_j)\bigr)^2 \sum_i W_{ji}^2

    Rifai et al. (2011), section 5.1: it costs as much as a reconstruction, not as much as a Jacobian.

    Args:
        z: the layer's output, shape (B, latent), in [0, 1].
        weight: *W*, shape (latent, d).

    Returns:
        Shape (B,).

    Raises:
        ValueError: the shapes do not belong to one layer.
    """
    if z.ndim != 2 or weight.ndim != 2 or z.shape[1] != len(weight):
        raise ValueError(
            f"The closed form takes outputs (B, latent) and weights (latent, d) of one layer; "
            f"it got {tuple(z.shape)} and {tuple(weight.shape)}."
        )
    return (z * (1 - z)).square() @ weight.square().sum(1)


def hutchinson(
    encoder: Callable[[Tensor], Tensor], x: Tensor, probes: int = 1, last: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""The codes, and an unbiased estimate of the squared Frobenius norm of the encoder's Jacobian at each input.

    .. math:: \lVert J \rVert_F^2 = \mathbb{E}_v \lVert J^\top v \rVert^2, \qquad v_j = \pm 1 \text{ by chance}

    Hutchinson's (1989) estimator of a trace, here of :math:`J J^\top`. One probe costs one backward pass through the
    encoder, whatever the number of latents. The estimate can be differentiated again, so it can be a penalty.

    Args:
        encoder: as for :func:`encoder_jacobian`.
        x: shape (B, ...); no gradient goes back to it.
        probes: how many vectors *v* are averaged over, 1 or more.
        last: how many outputs, counted from the last, the Jacobian is of; all of them when None.

    Returns:
        The codes (B, latent) and the estimates (B,).

    Raises:
        ValueError: no probe is asked for.
    """
    if probes < 1:
        raise ValueError(f"Hutchinson's estimator needs one probe or more; it got {probes}.")
    wanted = torch.is_grad_enabled()
    # The estimate itself takes a gradient, also where the caller wants none.
    with torch.inference_mode(False), torch.enable_grad():
        z, pull = vjp(encoder, x.detach().clone())  # type: ignore[misc]
        total = x.new_zeros(len(x))
        for _ in range(probes):
            v = torch.randint(0, 2, z.shape, device=z.device).to(z.dtype) * 2 - 1
            if last is not None:
                v[:, :-last] = 0
            total = total + pull(v)[0].flatten(1).square().sum(1)
    estimate = total / probes
    return (z, estimate) if wanted else (z.detach(), estimate.detach())


class ContractiveAutoencoder(TiedAutoencoder):
    r"""One logistic layer with tied weights, :math:`z = \sigma(W x + b), \ \hat x = \sigma(W^\top z + b')`.

    The paper's network. The Jacobian's norm in its output is the closed form of :func:`sigmoid_jacobian`. Tied
    weights matter: with a decoder of its own the encoder could shrink, and the decoder grow, at no cost.

    Args:
        hidden: number of hidden units, fewer or more than there are inputs.
        shape: of one input, (C, H, W) for an image or (n,) for the codes of the layer below; elements in [0, 1].
    """

    def forward(self, x: Tensor) -> ContractiveOutput:  # type: ignore[override]
        """Encode and decode a batch of images of shape (B, C, H, W)."""
        out = super().forward(x)
        weight = next(layer.weight for layer in self.encoder if isinstance(layer, nn.Linear))
        return ContractiveOutput(out.x_hat, out.logits, out.z, sigmoid_jacobian(out.z, weight))


class DeepContractive(EncoderDecoder):
    r"""Any deterministic autoencoder, with :func:`hutchinson`'s estimate of a Jacobian's norm in its output.

    In evaluation mode the estimate is made as well; it is a random number.

    Args:
        encoder, decoder, shape: as for :class:`~aelib.models.autoencoder.EncoderDecoder`; no batch normalization,
            which would make a code depend on the other images.
        probes: how many probe vectors are averaged over.
        of: whose Jacobian: that of the ``"code"``, :math:`\lVert \partial z / \partial x \rVert_F^2`, which shrinks
            with the code; or of the ``"reconstruction"``, :math:`\lVert \partial \hat x / \partial x \rVert_F^2`, in
            which the scale of the code does not occur (Alain & Bengio, "What regularized auto-encoders learn from the
            data-generating distribution", JMLR 15 (2014), equation 6).

    Raises:
        ValueError: the Jacobian of something else.
    """

    def __init__(
        self,
        encoder: nn.Sequential,
        decoder: nn.Sequential,
        shape: Sequence[int] = (1, 28, 28),
        probes: int = 1,
        of: Literal["code", "reconstruction"] = "code",
    ) -> None:
        super().__init__(encoder, decoder, shape)
        if of not in ("code", "reconstruction"):
            raise ValueError(f"The Jacobian is that of the 'code' or of the 'reconstruction', not of {of!r}.")
        self.probes, self.of = probes, of

    def forward(self, x: Tensor) -> ContractiveOutput:  # type: ignore[override]
        """Encode and decode a batch of images of shape (B, C, H, W)."""
        if self.of == "code":
            z, jacobian = hutchinson(self.encode, x, self.probes)
            logits = self.decoder(z)
            return ContractiveOutput(self.output(logits), logits, z, jacobian)
        d = math.prod(self.shape)

        def everything(x: Tensor) -> Tensor:  # (B, latent + 2d): in one pass, of which the last d are probed
            z = self.encode(x)
            logits = self.decoder(z)
            return torch.cat([z, logits.flatten(1), self.output(logits).flatten(1)], 1)

        both, jacobian = hutchinson(everything, x, self.probes, last=d)
        z, logits, x_hat = both.split([both.shape[1] - 2 * d, d, d], 1)
        return ContractiveOutput(x_hat.view_as(x), logits.view_as(x), z, jacobian)


@dataclass(frozen=True)
class Contractive:
    r"""Cross-entropy of the reconstruction plus the contractive penalty (Rifai et al. 2011, equation 5).

    .. math:: \frac1B \sum_n L(x_n, \hat x_n) + \lambda \lVert J_f(x_n) \rVert_F^2

    Calls ``nets["ae"]``, a model whose output has ``jacobian``. Reports ``"reconstruction"`` and ``"jacobian"`` (the
    mean squared norm, without its weight). A variant overrides :meth:`reconstruction` or :meth:`penalty`.

    Args:
        strength: :math:`\lambda`; 0 is the plain autoencoder.
    """

    strength: float = 0.1

    def reconstruction(self, out: ContractiveOutput, x: Tensor) -> Tensor:
        """The first term, in nats per image."""
        return bernoulli_nll(out.logits, x)

    def penalty(self, out: ContractiveOutput) -> Tensor:
        """What the strength multiplies."""
        return out.jacobian.mean()

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        out = nets["ae"](batch.x)
        reconstruction = self.reconstruction(out, batch.x)
        loss = reconstruction + self.strength * self.penalty(out)
        return {"loss": loss, "reconstruction": reconstruction, "jacobian": out.jacobian.mean()}


@dataclass(frozen=True)
class RelativeContractive(Contractive):
    r"""Squared error plus the Jacobian's norm *relative to the codes' spread*: for decoders with weights of their own.

    .. math:: \lVert x - \hat x \rVert^2 + \lambda \, \frac{\mathbb{E} \lVert J_f(x) \rVert_F^2}{\sum_j \text{Var}(z_j)}

    Dividing the whole code by a number changes nothing in it. Stretching one latent does: the penalty becomes that
    latent's own, which may be lower, with the same reconstruction. :class:`ReconstructionContractive` cannot be lowered
    so.
    The variance is the batch's, which has two examples or more: a ValueError says so.
    """

    def reconstruction(self, out: ContractiveOutput, x: Tensor) -> Tensor:
        """The first term, in squared gray levels per image."""
        return squared_error(out.x_hat, x)

    def penalty(self, out: ContractiveOutput) -> Tensor:
        """The mean squared norm over the codes' total variance in the batch."""
        if len(out.z) < 2:
            raise ValueError(
                f"RelativeContractive takes the variance of two codes or more; this batch has {len(out.z)}."
            )
        return out.jacobian.mean() / out.z.var(0, correction=0).sum().clamp(min=1e-12)


@dataclass(frozen=True)
class ReconstructionContractive(Contractive):
    r"""Squared error plus the norm of the *reconstruction's* Jacobian, which no change of the code's scale can lower.

    .. math:: \lVert x - r(x) \rVert^2 + \sigma^2 \, \lVert \partial r / \partial x \rVert_F^2

    Alain & Bengio (2014), equation 6, with :math:`\sigma^2` as *strength*: what a denoising autoencoder minimizes under
    Gaussian noise of that variance, to second order in :math:`\sigma`, and exactly where *r* is linear. Needs
    ``DeepContractive(..., of="reconstruction")``.
    """

    def reconstruction(self, out: ContractiveOutput, x: Tensor) -> Tensor:
        """The first term, in squared gray levels per image."""
        return squared_error(out.x_hat, x)
