r"""Denoising autoencoders: corrupt the input, ask for the clean one, :math:`\lVert x - g(f(C(x))) \rVert^2`.

Vincent, Larochelle, Bengio & Manzagol, "Extracting and composing robust features with denoising autoencoders",
ICML 2008; Vincent, Larochelle, Lajoie, Bengio & Manzagol, "Stacked denoising autoencoders", JMLR 11 (2010).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aelib.data import Batch
from aelib.models.autoencoder import EncoderDecoder
from aelib.models.stacked import encoders
from aelib.nets import Transposed

Corruption = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class GaussianNoise:
    r"""Additive noise: :math:`\tilde x = x + \epsilon, \ \epsilon \sim N(0, s^2 I)`. The result is not clipped.

    Args:
        std: *s*, in the units of *x*.

    Raises:
        ValueError: a negative standard deviation.
    """

    std: float

    def __post_init__(self) -> None:
        if not 0 <= self.std < math.inf:
            raise ValueError(f"GaussianNoise has a standard deviation of 0 or more; it got {self.std}.")

    def __call__(self, x: Tensor) -> Tensor:  # (B, ...) -> (B, ...)
        return x + self.std * torch.randn_like(x)


@dataclass(frozen=True)
class Masking:
    r"""Each element is set to 0 with probability *fraction*, independently: :math:`\tilde x = x \odot m`.

    Args:
        fraction: :math:`\nu`, the expected fraction of elements that are lost.

    Raises:
        ValueError: a fraction outside [0, 1].
    """

    fraction: float

    def __post_init__(self) -> None:
        _check_fraction(self, self.fraction)

    def __call__(self, x: Tensor) -> Tensor:  # (B, ...) -> (B, ...)
        # Not x * mask: what is lost becomes 0 even where x is not finite.
        return x.masked_fill(torch.rand_like(x) < self.fraction, 0.0)


@dataclass(frozen=True)
class SaltAndPepper:
    """Each element is set to 0 or 1, by the toss of a coin, with probability *fraction*.

    Args:
        fraction: the expected fraction of elements that are replaced. (Half of those of a binary image keep their
            value by luck.)

    Raises:
        ValueError: a fraction outside [0, 1].
    """

    fraction: float

    def __post_init__(self) -> None:
        _check_fraction(self, self.fraction)

    def __call__(self, x: Tensor) -> Tensor:  # (B, ...) -> (B, ...)
        # One uniform number decides both: below half the fraction pepper, below the fraction salt.
        u = torch.rand_like(x)
        return torch.where(u < self.fraction, (u >= self.fraction / 2).to(x.dtype), x)


def _check_fraction(corruption: object, fraction: float) -> None:
    if not 0 <= fraction <= 1:
        raise ValueError(f"{type(corruption).__name__} takes a fraction from 0 to 1; it got {fraction}.")


class _Corrupted(nn.Module):
    """A network that sees its input through a corruption."""

    def __init__(self, net: nn.Module, corruption: Corruption) -> None:
        super().__init__()
        self.net, self.corruption = net, corruption

    def forward(self, x: Tensor) -> object:
        return self.net(self.corruption(x))


@dataclass(frozen=True)
class Denoising:
    r"""Any reconstruction objective, made a denoising one (Vincent et al. 2010, equation 9):

    .. math:: \text{plain: } \lVert x - g(f(x)) \rVert^2 \qquad \text{denoising: } \lVert x - g(f(C(x))) \rVert^2

    One thing changes. The network is called on :math:`\tilde x = C(x)`; the target, *x*, stays clean. The terms are
    those of the wrapped objective. The corruption draws from torch's global generator, anew at each call.

    Args:
        objective: an objective that calls ``nets["ae"]``, e.g. ``SquaredError()`` or ``CrossEntropy()``.
        corruption: *C*, from a batch to a batch of the same shape.
    """

    objective: Callable[[Mapping[str, nn.Module], Batch], dict[str, Tensor]]
    corruption: Corruption

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        return self.objective({**nets, "ae": _Corrupted(nets["ae"], self.corruption)}, batch)


@dataclass(frozen=True)
class Emphasized:
    r"""The cross-entropy of denoising that counts damaged and undamaged elements differently, in nats per example:

    .. math::
        \alpha \sum_{i \in \mathcal{J}(\tilde x)} \ell(x_i, \hat x_i)
        + \beta \sum_{i \notin \mathcal{J}(\tilde x)} \ell(x_i, \hat x_i)

    (Vincent et al. 2010, section 4.3.) With :math:`\alpha = \beta = 1` it is ``Denoising(CrossEntropy(), corruption)``.
    An element that a corruption replaces by its own value counts as undamaged. Calls ``nets["ae"]``.

    Args:
        corruption: *C*, which changes some elements and leaves the others as they are.
        damaged: :math:`\alpha`.
        whole: :math:`\beta`; 0 is the paper's full emphasis, 0.5 its double emphasis.
    """

    corruption: Corruption
    damaged: float = 1.0
    whole: float = 0.0

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        x_tilde = self.corruption(batch.x)
        each = F.binary_cross_entropy_with_logits(nets["ae"](x_tilde).logits, batch.x, reduction="none")
        weight = torch.where(x_tilde == batch.x, self.whole, self.damaged)
        return {"loss": (weight * each).sum() / len(batch.x)}


@dataclass(frozen=True)
class OnCorrupted:
    """Any objective, on damaged inputs: it sees :math:`C(x)` in place of *x*, and is asked for no more.

    Around a classifier's objective this is data augmentation, which is not denoising: nothing is reconstructed.

    Args:
        objective: called with the same modules and the damaged batch.
        corruption: *C*, drawn anew at each call, in evaluation too.
    """

    objective: Callable[[Mapping[str, nn.Module], Batch], dict[str, Tensor]]
    corruption: Corruption

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        return self.objective(nets, batch._replace(x=self.corruption(batch.x)))


class TiedAutoencoder(EncoderDecoder):
    r"""One layer with tied weights: :math:`z = \sigma(W x + b), \ \hat x = \sigma(W^\top z + b')`.

    The building block of a stack. *W* starts uniform with standard deviation
    :math:`\text{gain} \cdot \sqrt{2 / (n_\text{in} + n_\text{out})}`, after Glorot & Bengio (2010),
    with the factor 4 that Bengio (2012, "Practical recommendations") gives for logistic units. The biases start at 0.

    Args:
        hidden: number of hidden units, fewer or more than there are inputs.
        shape: of one input, (C, H, W) for an image or (n,) for the codes of the layer below; elements in [0, 1].
        gain: factor of the start. A small one leaves no trace of the start in the weights, which then are easier to
            look at; a stack of several layers needs 4 to pass on a signal.
    """

    def __init__(self, hidden: int, shape: Sequence[int] = (1, 28, 28), gain: float = 4.0) -> None:
        up = nn.Linear(math.prod(shape), hidden)
        nn.init.xavier_uniform_(up.weight, gain)
        nn.init.zeros_(up.bias)
        encoder = nn.Sequential(nn.Flatten(), up, nn.Sigmoid())
        super().__init__(encoder, nn.Sequential(Transposed(up), nn.Unflatten(1, tuple(shape))), shape)


def logistic_stack(widths: Sequence[int]) -> nn.Sequential:
    """The encoder of a stack that has not been pretrained: logistic layers, each started as :class:`TiedAutoencoder`'s.

    Args:
        widths: from the number of inputs up, e.g. ``(784, 1000, 1000, 1000)``.

    Raises:
        ValueError: fewer than two widths.
    """
    if len(widths) < 2:
        raise ValueError(f"A stack needs two or more widths; it got {tuple(widths)}.")
    return encoders([TiedAutoencoder(hidden, (inputs,)) for inputs, hidden in pairwise(widths)])
