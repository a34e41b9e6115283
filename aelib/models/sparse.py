"""Sparse autoencoders: wide codes of which few units are active, by a penalty or by construction.

Ng, "Sparse autoencoder", CS294A lecture notes (2011); Makhzani & Frey, "k-sparse autoencoders", ICLR (2014);
Gao et al., "Scaling and evaluating sparse autoencoders", ICLR (2025). The activations that a code is made sparse by are
in :mod:`aelib.models.sparse_activations`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from aelib.collective import sum_over_processes
from aelib.data import Batch
from aelib.likelihoods import bernoulli_kl, squared_error
from aelib.models.autoencoder import EncoderDecoder
from aelib.models.sparse_activations import GatedReLU, JumpReLU, TopK
from aelib.nets import Transposed, UnitColumns, check_images


class SparseReconstruction(NamedTuple):
    """What a sparse autoencoder makes of a batch."""

    x_hat: Tensor  # (B, ...)
    z: Tensor  # (B, units)
    residual: Tensor  # (B, ...), what the dead units would add to x_hat; zero where none is dead or none was named
    weight_norm: Tensor  # (), the sum of the squared weights of both matrices, without biases
    l0: Tensor  # (B,), active units; with a gradient for the thresholds of a JumpReLU
    gates: Tensor | None = None  # (B, units), what the gates of a GatedReLU are opened by, rectified
    gates_x_hat: Tensor | None = None  # (B, ...), decoded from it alone by a decoder that is held fixed


class SparseAutoencoder(EncoderDecoder):
    r"""One hidden layer: :math:`z = s(Wx + b)`, :math:`\hat x = Dz + c`, through a sigmoid if asked for.

    UFLDL's network is ``SparseAutoencoder(25, shape=(1, 8, 8), output=nn.Sigmoid)``; that of Makhzani & Frey
    ``SparseAutoencoder(1000, lambda: TopK(25, negative=True), decoder="tied")``; that of Gao et al.
    ``SparseAutoencoder(1000, lambda: TopK(25), decoder="unit columns")``, but that theirs subtracts *c* from the input
    throughout, and this one at the start only, by :meth:`center`.

    Args:
        units: size of the code.
        activation: makes *s*: ``nn.Sigmoid``, ``nn.ReLU`` or one of :mod:`aelib.models.sparse_activations`.
        shape: of one input, (C, H, W) of an image or (d,) of a vector.
        decoder: ``"free"``, or columns of ``"unit columns"`` length, or ``"tied"``, :math:`D = W^\top`. With unit
            columns the encoder starts as the decoder's transpose (Gao et al. 2025, section 2.4).
        output: makes what follows the last layer, ``nn.Identity`` or ``nn.Sigmoid``.
    """

    def __init__(
        self,
        units: int,
        activation: Callable[[], nn.Module] = nn.Sigmoid,
        shape: Sequence[int] = (1, 28, 28),
        decoder: Literal["free", "unit columns", "tied"] = "free",
        output: Callable[[], nn.Module] = nn.Identity,
    ) -> None:
        d = math.prod(shape)
        up = nn.Linear(d, units)
        kinds: dict[str, Callable[[], nn.Module]] = {
            "free": lambda: nn.Linear(units, d),
            "unit columns": lambda: UnitColumns(units, d),
            "tied": lambda: Transposed(up),
        }
        if decoder not in kinds:
            raise ValueError(f"The decoder is one of {', '.join(map(repr, kinds))}; it is {decoder!r}.")
        down = kinds[decoder]()
        encoder = nn.Sequential(nn.Flatten(), up, activation())
        super().__init__(encoder, nn.Sequential(down, nn.Unflatten(1, tuple(shape))), shape)
        self.output = output()
        with torch.no_grad():
            if isinstance(down, UnitColumns):
                up.weight.copy_(down.columns().T)

    @property
    def _up(self) -> nn.Linear:
        layer = self.encoder[1]
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def _down(self) -> nn.Linear | Transposed:
        layer = self.decoder[0]
        assert isinstance(layer, nn.Linear | Transposed)
        return layer

    def dictionary(self) -> Tensor:  # (d, units)
        """*D*: column *j* is what unit *j* adds to the reconstruction when it is 1."""
        return self._down.columns() if isinstance(self._down, Transposed | UnitColumns) else self._down.weight

    def center(self, x: Tensor) -> "SparseAutoencoder":
        """Start the biases at the mean *m* of the inputs *x* (N, ...): *c* = *m*, *b* = −*Wm*. Returns the model.

        Otherwise each unit first responds to the mean, which all inputs share, and in :class:`TopK` the same few win.
        """
        mean = x.flatten(1).mean(0)
        with torch.no_grad():
            self._down.bias.copy_(mean)
            self._up.bias.copy_(-(self._up.weight @ mean))
        return self

    def forward(self, x: Tensor, dead: Tensor | None = None) -> SparseReconstruction:  # type: ignore[override]
        """Encode and decode a batch; of the units that *dead* (units,) names decode the d/2 most active alone, too."""
        check_images(x, self.shape, self)
        a = self.encoder[:-1](x)
        z = self.encoder[-1](a)
        residual = torch.zeros_like(x)
        if dead is not None:  # all of them together would overshoot, and learn to be silent
            residual = (TopK(max(x[0].numel() // 2, 1))(a * dead) @ self.dictionary().T).view_as(x)
        norm = self._up.weight.square().sum() + self.dictionary().square().sum()
        activation = self.encoder[-1]
        l0 = activation.l0(a) if isinstance(activation, JumpReLU) else (z != 0).sum(1).float()
        out = SparseReconstruction(self.decode(z), z, residual, norm, l0)
        if isinstance(activation, GatedReLU):
            gates = a.relu()
            linear = gates @ self.dictionary().detach().T + self._down.bias.detach()
            out = out._replace(gates=gates, gates_x_hat=self.output(linear.view_as(x)))
        return out


class DeadUnits(nn.Module):
    """Counts for each unit how many examples ago it was last active (not zero), over all processes together.

    Give it to ``fit`` beside the autoencoder, as ``"dead units"``: it has no parameter, and counts training examples
    only. It is part of the saved state of a training, so that a resumed one goes on counting.

    Args:
        units: size of the code.
        patience: a unit is dead when it has been idle for so many examples.
    """

    idle: Tensor

    def __init__(self, units: int, patience: int) -> None:
        super().__init__()
        self.patience = patience
        self.register_buffer("idle", torch.zeros(units, dtype=torch.int64))

    def dead(self) -> Tensor:  # (units,) bool
        """Which units are dead."""
        return self.idle >= self.patience

    @torch.no_grad()
    def forward(self, z: Tensor) -> Tensor:
        """Count a batch of codes (B, units); returns the number of dead units, a scalar."""
        if self.training:
            seen = torch.cat([(z != 0).sum(0), torch.full((1,), len(z), device=z.device)])
            sum_over_processes(seen)
            self.idle.add_(seen[-1]).masked_fill_(seen[:-1] > 0, 0)
        return self.dead().sum().float()


@dataclass(frozen=True)
class Sparse:
    r"""Half the squared error, weight decay, and a penalty that a variant puts in its place; here it is zero.

    .. math:: \tfrac12 \lVert x - \hat x \rVert^2 + \tfrac{\lambda}{2} (\lVert W \rVert^2 + \lVert D \rVert^2) + \Omega

    summed over dimensions and averaged over the batch; biases do not decay (Ng 2011, section 2). Reports the whole
    ``squared error``, the ``penalty`` Ω, and ``active``, the mean number of units that are not zero. Calls
    ``nets["ae"]``, any autoencoder if no weight decays, and ``nets["dead units"]`` if there is one, to report the
    ``dead`` units.
    """

    weight_decay: float = 0.0

    def penalty(self, out: SparseReconstruction, x: Tensor) -> Tensor:
        """Ω, a scalar."""
        return out.x_hat.new_zeros(())

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        counter = nets.get("dead units")
        out = nets["ae"](batch.x, counter.dead()) if isinstance(counter, DeadUnits) else nets["ae"](batch.x)
        error, penalty = squared_error(out.x_hat, batch.x), self.penalty(out, batch.x)
        loss = 0.5 * error + penalty
        terms = {
            "loss": loss + 0.5 * self.weight_decay * out.weight_norm if self.weight_decay else loss,
            "squared error": error,
            "penalty": penalty,
            "active": (out.z != 0).sum(1).float().mean(),
        }
        return terms if counter is None else terms | {"dead": counter(out.z)}


@dataclass(frozen=True)
class KLSparse(Sparse):
    r"""Ω :math:`= \beta \sum_j \text{KL}(\rho \,\Vert\, \hat\rho_j)`, with :math:`\hat\rho_j` the mean of unit *j*.

    Ng (2011), section 3. For units in [0, 1]; others make the penalty NaN. The mean is over the *batch*, and over a
    process's own part of it where there are several. KL is convex, so the penalty of a part is never less, on
    average, than that of the whole: small batches ask for more sparseness, and a batch of one example asks each
    unit to be ρ for each example, which leaves no code at all.
    """

    weight_decay: float = 1e-4
    rho: float = 0.01
    beta: float = 3.0

    def penalty(self, out: SparseReconstruction, x: Tensor) -> Tensor:
        return self.beta * bernoulli_kl(self.rho, out.z.mean(0))


@dataclass(frozen=True)
class L1Sparse(Sparse):
    r"""Ω :math:`= \alpha \lVert z \rVert_1`. Give the decoder unit columns: else *z* shrinks and *D* grows instead."""

    alpha: float = 0.1

    def penalty(self, out: SparseReconstruction, x: Tensor) -> Tensor:
        return self.alpha * out.z.abs().sum(1).mean()


@dataclass(frozen=True)
class AuxK(Sparse):
    r"""Ω :math:`= \tfrac{\alpha}{2} \lVert (x - \hat x) - D z_\text{dead} \rVert^2`: dead units learn the residual.

    :math:`z_\text{dead}` is the dead units' code for *x*; the residual is held fixed. Zero while no unit is dead.
    Gao et al. (2025), appendix A.2. Needs ``nets["dead units"]`` and a linear output.
    """

    alpha: float = 1 / 32

    def penalty(self, out: SparseReconstruction, x: Tensor) -> Tensor:
        missing = 0.5 * self.alpha * squared_error(out.residual, (x - out.x_hat).detach())
        return missing * out.residual.detach().any()

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        if not isinstance(nets.get("dead units"), DeadUnits):
            raise ValueError('AuxK needs to know the dead units: give fit {"ae": model, "dead units": DeadUnits(...)}.')
        return super().__call__(nets, batch)


@dataclass(frozen=True)
class L0Sparse(Sparse):
    r"""Ω :math:`= \lambda \lVert z \rVert_0`: a unit costs the same however active it is, so nothing shrinks.

    For a :class:`~aelib.models.sparse_activations.JumpReLU`, whose thresholds get a gradient from it; Rajamanoharan et
    al. (2024), equation 9. (With the whole squared error for half of it, their λ is twice this one.) Give the decoder
    unit columns.

    Args:
        strength: :math:`\lambda`.
    """

    strength: float = 0.1

    def penalty(self, out: SparseReconstruction, x: Tensor) -> Tensor:
        return self.strength * out.l0.mean()


@dataclass(frozen=True)
class GatedSparse(Sparse):
    r"""Ω :math:`= \alpha \lVert \pi_+ \rVert_1 + \tfrac12 \lVert x - \hat x_\text{held}(\pi_+) \rVert^2`, for gates.

    :math:`\pi_+` is what opens the gates, rectified; the second term, decoded by a decoder that is held fixed, teaches
    them which units are needed. The magnitudes of the code pay nothing, so they do not shrink. For a
    :class:`~aelib.models.sparse_activations.GatedReLU`; Rajamanoharan et al. (2024a), equation 8, halved. Give the
    decoder unit columns.

    Args:
        alpha: :math:`\alpha`.

    Raises:
        ValueError: the model has no gates.
    """

    alpha: float = 0.1

    def penalty(self, out: SparseReconstruction, x: Tensor) -> Tensor:
        if out.gates is None or out.gates_x_hat is None:
            raise ValueError("GatedSparse trains gates: make the model with activation=lambda: GatedReLU(units).")
        return self.alpha * out.gates.sum(1).mean() + 0.5 * squared_error(out.gates_x_hat, x)
