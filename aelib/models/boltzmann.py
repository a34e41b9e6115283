"""Restricted Boltzmann machines, contrastive divergence, and the unrolling of a stack into an autoencoder.

Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation 14 (2002);
Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313 (2006).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aelib.data import Batch
from aelib.models.autoencoder import Autoencoder


class RBMStep(NamedTuple):
    """One run of the Gibbs chain that starts at the data."""

    x_hat: Tensor  # (B, visible), the reconstruction after k steps, in [0, 1]
    z: Tensor  # (B, hidden), the mean of the hidden units given the data
    energy_data: Tensor  # (B,), the energy of the data with their hidden means
    energy_model: Tensor  # (B,), the energy of the reconstruction with its hidden means
    weight_norm: Tensor  # (), the sum of the squared weights


class RBM(nn.Module):
    r"""A restricted Boltzmann machine: visible units *v* in [0, 1], hidden units *h*, no connection inside a layer.

    .. math:: E(v, h) = -b^\top v - c^\top h - v^\top W h \quad (+ \tfrac12 \lVert h \rVert^2 \text{ for Gaussian } h)

    so that :math:`p(h_j = 1 \mid v) = \sigma(c_j + v^\top W_j)` for logistic hidden units, and
    :math:`h \mid v \sim N(c + W^\top v, 1)` for Gaussian ones, which the paper uses for its linear code layer.

    Args:
        visible, hidden: numbers of units.
        units: ``"logistic"`` or ``"gaussian"`` hidden units.

    Raises:
        ValueError: another kind of unit.
    """

    def __init__(self, visible: int, hidden: int, units: Literal["logistic", "gaussian"] = "logistic") -> None:
        super().__init__()
        if units not in ("logistic", "gaussian"):
            raise ValueError(f"RBM has 'logistic' or 'gaussian' hidden units; it got {units!r}.")
        self.units = units
        self.weight = nn.Parameter(0.1 * torch.randn(visible, hidden))  # the paper's start
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))

    def encode(self, v: Tensor) -> Tensor:  # (B, visible) -> (B, hidden)
        """Mean of the hidden units given the visible ones.

        Raises:
            ValueError: *v* is no floating-point batch (B, visible).
        """
        self._check(v, "visible", self.weight.shape[0])
        h = v @ self.weight + self.hidden_bias
        return h.sigmoid() if self.units == "logistic" else h

    def sample_hidden(self, mean: Tensor) -> Tensor:  # (B, hidden) -> (B, hidden)
        """Hidden units drawn around their mean: Bernoulli, or Gaussian with variance 1."""
        if self.units == "gaussian":
            return mean + torch.randn_like(mean)
        # A diverged machine's NaN stays NaN, for the training loop to name; bernoulli() would only refuse it.
        return torch.where(mean.isnan(), mean, mean.nan_to_num(0.5).bernoulli())

    def decode(self, h: Tensor) -> Tensor:  # (B, hidden) -> (B, visible)
        """Mean of the visible units given the hidden ones.

        Raises:
            ValueError: *h* is no floating-point batch (B, hidden).
        """
        self._check(h, "hidden", self.weight.shape[1])
        return (h @ self.weight.T + self.visible_bias).sigmoid()

    def energy(self, v: Tensor, h: Tensor) -> Tensor:  # (B, visible), (B, hidden) -> (B,)
        """Energy of a joint configuration, without the Gaussian's quadratic term, which has no parameter."""
        return -((v @ self.weight) * h).sum(1) - v @ self.visible_bias - h @ self.hidden_bias

    def free_energy(self, v: Tensor) -> Tensor:  # (B, visible) -> (B,)
        r"""The energy with the hidden units summed out: :math:`p(v) \propto e^{-F(v)}`."""
        h = v @ self.weight + self.hidden_bias
        summed = F.softplus(h).sum(1) if self.units == "logistic" else 0.5 * h.square().sum(1)
        return -v @ self.visible_bias - summed

    def forward(self, v: Tensor, steps: int = 1) -> RBMStep:
        """Run *steps* of the chain from the data, with means for the visible units, as the paper does."""
        with torch.no_grad():
            h_data = self.encode(v)
            h = h_data
            for _ in range(steps):
                v_model = self.decode(self.sample_hidden(h))
                h = self.encode(v_model)
        return RBMStep(v_model, h_data, self.energy(v, h_data), self.energy(v_model, h), self.weight.square().sum())

    def _check(self, x: Tensor, kind: str, size: int) -> None:
        if not isinstance(x, Tensor) or x.ndim != 2 or x.shape[1] != size or x.dtype != self.weight.dtype:
            came = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(f"This RBM's {kind} units are {self.weight.dtype} of shape (B, {size}); it got {came}.")

    def as_layer(self) -> nn.Sequential:
        """The way up as an ordinary layer with a copy of the weights: linear, then sigmoid for logistic units."""
        visible, hidden = self.weight.shape
        up = nn.Linear(visible, hidden, device=self.weight.device)
        with torch.no_grad():
            up.weight.copy_(self.weight.T)
            up.bias.copy_(self.hidden_bias)
        return nn.Sequential(up, nn.Sigmoid()) if self.units == "logistic" else nn.Sequential(up)


@dataclass(frozen=True)
class ContrastiveDivergence:
    r"""CD-k with weight decay. Its gradient is Hinton's (2002, equation 5), with the statistics held fixed:

    .. math:: \nabla_W = -\langle v h^\top \rangle_{\text{data}} + \langle v h^\top \rangle_{k} + \lambda W

    The loss whose gradient this is, the difference of two energies, is no measure of progress; watch the
    reconstruction's ``squared error`` (per example), which is reported beside it.

    Calls ``nets["rbm"]`` on ``nets["below"](x)``, the layers already trained (``nn.Flatten()`` for the first).
    """

    steps: int = 1
    weight_decay: float = 2e-4

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            v = nets["below"](batch.x)
        out = nets["rbm"](v, self.steps)
        decay = 0.5 * self.weight_decay * out.weight_norm
        error = (v - out.x_hat).square().sum(1).mean()
        return {"loss": (out.energy_data - out.energy_model).mean() + decay, "squared error": error}


def unroll(rbms: Sequence[RBM], shape: Sequence[int] = (1, 28, 28)) -> Autoencoder:
    r"""The autoencoder that starts from a stack of RBMs (Hinton & Salakhutdinov 2006, figure 1, "unrolling").

    The encoder takes the weights :math:`W_1, \dots, W_L`, the decoder their transposes
    :math:`W_L^\top, \dots, W_1^\top`; from then on the two are free to differ.

    Raises:
        ValueError: no RBM, or sizes that do not fit on each other, or a Gaussian layer below the top.
    """
    sizes = [tuple(rbm.weight.shape) for rbm in rbms]
    if not sizes or any(below[1] != above[0] for below, above in pairwise(sizes)):
        raise ValueError(f"unroll needs RBMs whose sizes fit on each other; it got {sizes}.")
    if [rbm.units for rbm in rbms] != ["logistic"] * (len(rbms) - 1) + ["gaussian"]:
        raise ValueError("unroll needs logistic hidden units below and Gaussian ones at the top (the linear code).")
    ae = Autoencoder((sizes[0][0], *(size[1] for size in sizes)), nn.Sigmoid, shape)
    up = [layer for layer in ae.encoder if isinstance(layer, nn.Linear)]
    down = [layer for layer in ae.decoder if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for rbm, enc, dec in zip(rbms, up, reversed(down), strict=True):
            enc.weight.copy_(rbm.weight.T)
            enc.bias.copy_(rbm.hidden_bias)
            dec.weight.copy_(rbm.weight)
            dec.bias.copy_(rbm.visible_bias)
    return ae
