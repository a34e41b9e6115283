r"""Activations that leave few units of a wide code: by rank, by a learned threshold, by a gate.

Makhzani & Frey, "k-sparse autoencoders", ICLR (2014); Bussmann, Leask & Nanda, "BatchTopK sparse autoencoders" (2024);
Rajamanoharan et al., "Jumping ahead: improving reconstruction fidelity with JumpReLU sparse autoencoders" (2024);
Rajamanoharan et al., "Improving dictionary learning with gated sparse autoencoders" (2024a).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn


class TopK(nn.Module):
    r"""Keeps the *k* largest numbers of each row, negative ones at zero, and sets the others to zero.

    .. math:: z_j = \max(a_j, 0) \text{ if } a_j \text{ is among the } k \text{ largest of } a \text{, else } 0

    Exactly *k* are kept where numbers are equal (which of the equal ones is not said), all where the row has no more
    than *k*. Source: Makhzani & Frey (2014), section 2.1, who keep negative ones too; Gao et al. (2025), section 2.3.

    Args:
        k: how many.
        negative: whether a number that is kept may be negative.

    Raises:
        ValueError: *k* is not 1 or more.
    """

    def __init__(self, k: int, negative: bool = False) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(f"TopK keeps 1 number or more; it got k = {k}.")
        self.k, self.negative = k, negative

    def forward(self, a: Tensor) -> Tensor:  # (B, units) -> (B, units)
        top = a.topk(min(self.k, a.shape[-1]), dim=-1, sorted=False)
        values = top.values if self.negative else top.values.relu()
        return torch.zeros_like(a).scatter(-1, top.indices, values)


class BatchTopK(nn.Module):
    r"""Keeps the :math:`B k` largest positive numbers of a batch of *B* rows: *k* of each row on average, not of each.

    An input that needs many units gets them from one that needs few. In evaluation mode an example may not depend on
    the others: what exceeds a threshold is kept, the running mean of the smallest number that was kept in training.
    Bussmann et al. (2024), section 3. Their scores are the activations times the columns' lengths: give the decoder
    unit columns. Under several processes each ranks its own part of the batch.

    Args:
        k: how many on average.
        decay: of the running mean.

    Raises:
        ValueError: *k* is not 1 or more, or the decay is not in [0, 1).
    """

    threshold: Tensor  # (); 0, so that all positive numbers are kept, until the first batch of training

    def __init__(self, k: int, decay: float = 0.99) -> None:
        super().__init__()
        if k < 1 or not 0 <= decay < 1:
            raise ValueError(f"BatchTopK keeps 1 number or more, with a decay in [0, 1); it got {k} and {decay}.")
        self.k, self.decay = k, decay
        self.register_buffer("threshold", torch.zeros(()))

    def forward(self, a: Tensor) -> Tensor:  # (B, units) -> (B, units)
        positive = a.relu()
        if not self.training:
            return torch.where(a > self.threshold, positive, 0.0)
        top = positive.flatten().topk(min(self.k * len(a), a.numel()), sorted=False)
        with torch.no_grad():
            least = torch.where(top.values > 0, top.values, math.inf).min().to(self.threshold.dtype)  # from bfloat16
            moved = torch.where(self.threshold > 0, self.threshold.lerp(least, 1 - self.decay), least)
            self.threshold.copy_(torch.where(least.isfinite(), moved, self.threshold))
        return torch.zeros_like(positive).flatten().scatter(0, top.indices, top.values).view_as(a)


class _Step(torch.autograd.Function):
    """H(a − θ), with the derivative for θ of a step smoothed by a rectangle of width ε, and none for a."""

    @staticmethod
    def forward(a: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        return (a > threshold).to(a.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.bandwidth = inputs[2]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
        a, threshold = ctx.saved_tensors
        near = ((a - threshold).abs() < ctx.bandwidth / 2).to(a.dtype)
        return None, (-gradient * near / ctx.bandwidth).sum_to_size(threshold.shape), None


class JumpReLU(nn.Module):
    r"""Keeps what exceeds a threshold of the unit's own, as it is: :math:`z_j = a_j H(a_j - \theta_j)`.

    A threshold has no derivative. Rajamanoharan et al. (2024), equations 11 and 12, take that of the expected loss,
    estimated from the numbers near it, with :math:`K` the rectangle on :math:`[-\frac12, \frac12]`:

    .. math::
        \frac{\partial z_j}{\partial \theta_j}
        = -\frac{\theta_j}{\varepsilon} K\Bigl(\frac{a_j - \theta_j}{\varepsilon}\Bigr),
        \qquad
        \frac{\partial H(a_j - \theta_j)}{\partial \theta_j}
        = -\frac{1}{\varepsilon} K\Bigl(\frac{a_j - \theta_j}{\varepsilon}\Bigr)

    The objective is :class:`~aelib.models.sparse.L0Sparse`. The thresholds' logarithms are learned.

    Args:
        units: how many thresholds.
        threshold: :math:`\theta` at the start, positive.
        bandwidth: :math:`\varepsilon`, in the units of *a*; the paper's 0.001 is for inputs of mean square 1.

    Raises:
        ValueError: a threshold or a bandwidth that is not positive.
    """

    def __init__(self, units: int, threshold: float = 0.001, bandwidth: float = 0.001) -> None:
        super().__init__()
        if not (threshold > 0 and bandwidth > 0):
            raise ValueError(f"JumpReLU takes a positive threshold and bandwidth; it got {threshold} and {bandwidth}.")
        self.bandwidth = bandwidth
        self.log_threshold = nn.Parameter(torch.full((units,), math.log(threshold)))

    def thresholds(self) -> Tensor:  # (units,)
        """:math:`\theta`."""
        return self.log_threshold.exp()

    def _open(self, a: Tensor) -> Tensor:
        return _Step.apply(a, self.thresholds(), self.bandwidth)

    def l0(self, a: Tensor) -> Tensor:  # (B, units) -> (B,)
        """How many units of each row are active, with a gradient for the thresholds."""
        return self._open(a).sum(-1)

    def forward(self, a: Tensor) -> Tensor:  # (B, units) -> (B, units)
        # The step's derivative is multiplied by θ, the value at the jump, not by a: so is the paper's.
        opened = self._open(a)
        return a * opened.detach() + self.thresholds().detach() * (opened - opened.detach())


class GatedReLU(nn.Module):
    r"""A gate says whether a unit is active, a magnitude how much: :math:`z_j = H(\pi_j) \, (e^{r_j} \pi_j + m_j)_+`.

    With :math:`\pi = Wx + b`. These are the gated encoder of Rajamanoharan et al. (2024a), equations 4 to 6, with its
    tied weights :math:`W_\text{mag} = e^{r} W_\text{gate}`; their bias of the magnitudes is :math:`m + e^{r} b`. The
    gate passes no gradient: the objective, :class:`~aelib.models.sparse.GatedSparse`, teaches it.

    Args:
        units: size of the code.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(units))  # r
        self.bias = nn.Parameter(torch.zeros(units))  # m

    def forward(self, a: Tensor) -> Tensor:  # (B, units) -> (B, units)
        return torch.where(a > 0, (self.log_scale.exp() * a + self.bias).relu(), 0.0)
