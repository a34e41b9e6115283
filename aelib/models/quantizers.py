r"""From vectors to symbols: nearest neighbors in a codebook, learned by gradient or by averaging, and rounding.

All pass the decoder's gradient on to the encoder as if they were the identity: the straight-through estimator
(Bengio, Léonard & Courville 2013).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from aelib.collective import sum_over_processes
from aelib.likelihoods import code_counts
from aelib.nets import reading_is_free


class Chosen(NamedTuple):
    """What a quantizer makes of a grid of vectors."""

    passed: Tensor  # (B, dim, h, w), what the decoder sees: e in value, with a gradient for the encoder
    e: Tensor  # (B, dim, h, w), the chosen vectors, with a gradient for the codebook where it is a parameter
    indices: Tensor  # (B, h, w), int64


def straight_through(z: Tensor, e: Tensor) -> Tensor:
    """*e* in value, the identity of *z* in gradient: ``z + (e - z).detach()``."""
    return z + (e - z).detach()


class Quantizer(nn.Module):
    """What :class:`~aelib.models.vqvae.VQVAE` asks of a quantizer: sizes, ``codebook``, ``indices`` and a call."""

    dim: int  # numbers in a vector
    codes: int  # K, how many vectors can be chosen

    @property
    def dtype(self) -> torch.dtype:
        """The type of the vectors that it computes with."""
        return self.codebook.dtype

    @property
    def codebook(self) -> Tensor:  # (K, dim)
        """All vectors that can be chosen."""
        raise NotImplementedError

    def indices(self, z: Tensor) -> Tensor:  # (B, dim, h, w) -> (B, h, w), int64
        """Which vector is chosen at each place; changes nothing."""
        raise NotImplementedError

    def lookup(self, indices: Tensor) -> Tensor:  # (B, h, w) -> (B, dim, h, w)
        """The vectors of a grid of indices. Raises ValueError unless these are int64, of that shape, 0 to K - 1."""
        if indices.ndim != 3 or indices.dtype != torch.int64:
            raise ValueError(
                f"Grids of indices are int64 of shape (B, h, w); these are {indices.dtype}, {tuple(indices.shape)}."
            )
        if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < self.codes:
            raise ValueError(
                f"Indices run from 0 to {self.codes - 1}; these run from {int(indices.min())} to {int(indices.max())}."
            )
        return self._vectors_at(indices)

    def _vectors_at(self, indices: Tensor) -> Tensor:
        return _at(self.codebook, indices)


class VectorQuantizer(Quantizer):
    r"""The nearest of *K* vectors, :math:`\arg\min_k \lVert z_p - e_k \rVert`, learned by gradient.

    van den Oord et al. (2017), equations 1 and 2. The codebook is a parameter, which the second term of
    :class:`~aelib.models.vqvae.VQLoss` trains; it starts uniform in :math:`\pm 1/K`,
    or by :meth:`start_from` at answers of the encoder.

    In training mode it keeps a running mean of how often each code is chosen. A code whose share falls below *restart*
    times 1/K is dead: it is moved to an answer of the encoder, taken at random from the batch. The mean starts at 0, so
    the first batch fills the codebook. Several processes add up their counts and take the first one's vectors.

    Args:
        codes: *K*.
        dim: of a vector.
        restart: the share of 1/K below which a code is moved; 0 never moves any, as in the paper.
        decay: of the running mean.

    Raises:
        ValueError: fewer than two codes, no dimension, or a decay outside (0, 1).
    """

    def __init__(self, codes: int, dim: int, restart: float = 0.0, decay: float = 0.99) -> None:
        super().__init__()
        if codes < 2 or dim < 1 or not 0 < decay < 1:
            raise ValueError(f"A codebook has 2 or more codes, dim ≥ 1, 0 < decay < 1, not {codes}, {dim}, {decay}.")
        self.dim, self.codes, self.restart, self.decay = dim, codes, restart, decay
        self._start(torch.empty(codes, dim).uniform_(-1 / codes, 1 / codes))
        self.share: Tensor  # (K,), running mean of the codes' frequencies
        self.register_buffer("share", torch.zeros(codes))

    def _start(self, vectors: Tensor) -> None:
        self.vectors: Tensor = nn.Parameter(vectors)

    @property
    def codebook(self) -> Tensor:  # (K, dim)
        """All vectors that can be chosen."""
        return self.vectors

    @torch.no_grad()
    def start_from(self, z: Tensor) -> "VectorQuantizer":
        """Start the codebook at answers of an encoder, chosen so that they lie apart; returns the quantizer.

        The first is drawn at random, each further one with a probability in proportion to its squared distance from
        those chosen: the start of k-means++ (Arthur & Vassilvitskii 2007). A codebook near 0 instead leaves most codes
        unused where only the gradient moves it: ``model.quantizer.start_from(model.grid(x))``, before training.

        Args:
            z: the answers (B, dim, h, w), or vectors (n, dim); K of them at least.

        Raises:
            ValueError: they are too few, not finite, or of another dimension.
        """
        flat = z.movedim(1, -1).flatten(0, -2)
        if flat.shape[1] != self.dim or len(flat) < self.codes or not flat.isfinite().all():
            raise ValueError(
                f"This codebook starts from {self.codes} or more finite vectors of {self.dim} numbers; "
                f"it got {len(flat)} of {flat.shape[1]}."
            )
        vectors = torch.empty_like(self.vectors)
        far = flat.new_ones(len(flat))
        for k in range(self.codes):
            # Where fewer vectors differ than there are codes, the rest are drawn evenly.
            vectors[k] = flat[torch.multinomial(torch.where(far.sum() > 0, far, torch.ones_like(far)), 1)[0]]
            distance = (flat - vectors[k]).square().sum(1)
            far = distance if k == 0 else torch.minimum(far, distance)
        self._replace(torch.ones(self.codes, dtype=torch.bool, device=vectors.device), vectors)
        self.share.fill_(1 / self.codes)
        return self

    @torch.no_grad()
    def indices(self, z: Tensor) -> Tensor:  # (B, dim, h, w) -> (B, h, w), int64
        """Which vector is nearest at each place; changes nothing."""
        flat = z.movedim(1, -1).flatten(0, -2)  # (B · h · w, dim)
        # ‖z − e‖² without ‖z‖², the same for every code; in one call, so that the large table is written once.
        distances = torch.addmm(self.vectors.square().sum(1), flat, self.vectors.T, alpha=-2)
        return distances.argmin(-1).view(len(z), *z.shape[2:])

    def forward(self, z: Tensor) -> Chosen:
        """Choose a vector for each place of a grid (B, dim, h, w)."""
        indices = self.indices(z)
        e = _at(self.vectors, indices)
        if self.training:
            self._update(z.detach().movedim(1, -1).flatten(0, -2), indices.flatten())
        return Chosen(straight_through(z, e), e, indices)

    @torch.no_grad()
    def _update(self, z: Tensor, indices: Tensor) -> None:  # (n, dim), (n,)
        counts = sum_over_processes(code_counts(indices, len(self.share)))
        self.share.lerp_(counts / counts.sum(), 1 - self.decay)
        dead = self.share < self.restart / len(self.share)
        if self.restart == 0 or (reading_is_free(dead) and not dead.any()):
            return
        new = z[torch.randint(len(z), (len(self.share),), device=z.device)].contiguous()
        if dist.is_available() and dist.is_initialized():
            dist.broadcast(new, src=0)
        self._replace(dead, new)
        self.share.masked_fill_(dead, 1 / len(self.share))

    def _replace(self, dead: Tensor, new: Tensor) -> None:  # (K,) bool, (K, dim)
        self.vectors.copy_(torch.where(dead[:, None], new, self.vectors))


class EMAQuantizer(VectorQuantizer):
    r"""The nearest of *K* vectors, each the running mean of the answers that chose it.

    .. math::
        N_k \leftarrow \gamma N_k + (1 - \gamma)\, n_k, \qquad
        m_k \leftarrow \gamma m_k + (1 - \gamma) \sum_{p : k_p = k} z_p, \qquad e_k = m_k / N_k

    van den Oord et al. (2017), appendix A.1: k-means, a batch at a time. Nothing is a parameter; a call in training
    mode changes the buffers, after it has quantized. Several processes add up counts and sums: one common update.

    Args:
        codes, dim: as for :class:`VectorQuantizer`.
        restart: as there, with 0.1 as the default: averages alone cannot bring a dead code back.
        decay: :math:`\gamma`.
    """

    def __init__(self, codes: int, dim: int, restart: float = 0.1, decay: float = 0.99) -> None:
        super().__init__(codes, dim, restart, decay)

    def _start(self, vectors: Tensor) -> None:
        self.vectors: Tensor
        self.sizes: Tensor  # (K,), N_k
        self.sums: Tensor  # (K, dim), m_k
        self.register_buffer("vectors", vectors)
        self.register_buffer("sizes", torch.ones(len(vectors)))
        self.register_buffer("sums", vectors.clone())

    @torch.no_grad()
    def _update(self, z: Tensor, indices: Tensor) -> None:
        sums = torch.zeros_like(self.sums).index_add_(0, indices, z)
        self.sizes.lerp_(sum_over_processes(code_counts(indices, len(self.sizes))), 1 - self.decay)
        self.sums.lerp_(sum_over_processes(sums), 1 - self.decay)
        # A code that nothing has chosen for long has a size near 0: its vector stays where it was.
        self.vectors.copy_(torch.where(self.sizes[:, None] > 1e-5, self.sums / self.sizes[:, None], self.vectors))
        super()._update(z, indices)

    def _replace(self, dead: Tensor, new: Tensor) -> None:
        super()._replace(dead, new)
        self.sizes.masked_fill_(dead, 1.0)
        self.sums.copy_(torch.where(dead[:, None], new, self.sums))


class FSQ(Quantizer):
    r"""Finite scalar quantization: each of a few numbers is bounded, then rounded to one of :math:`L_i` levels.

    .. math:: b(z_i) = \tfrac{L_i - 1}{2} (1 + \tanh z_i), \qquad e_i = \frac{2}{L_i - 1} \text{round}(b(z_i)) - 1

    The codebook is implied: all :math:`K = \prod_i L_i` combinations of levels, evenly spaced in [-1, 1]. Mentzer et
    al. (2024) shift even :math:`L_i` by half a step; here ±1 are the ends. There is no table, and nothing to learn.
    But codes can stay unused all the same: an encoder whose numbers lie far from 0 is held at the tanh's end, where it
    has no gradient, and then says one level everywhere. It helps to give the decoder's output the data's mean
    (:func:`aelib.nets.set_output_bias`), so that the code has not to carry it.

    Args:
        levels: :math:`L_1, L_2, \dots`, each 2 or more.

    Raises:
        ValueError: no level, one below 2, or so many combinations that no index can count them.
    """

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise ValueError(f"FSQ takes one or more numbers of levels, each 2 or more; it got {tuple(levels)}.")
        self.levels, self.dim, self.codes = tuple(levels), len(levels), math.prod(levels)
        if self.codes > torch.iinfo(torch.int64).max:
            raise ValueError(
                f"FSQ numbers its codes by int64, up to 2^63 - 1; {tuple(levels)} makes {self.codes:.2g} of them. "
                "Use fewer numbers or levels."
            )
        self.steps: Tensor  # (dim,), L_i - 1
        self.base: Tensor  # (dim,), what a step in each number adds to the index
        self.register_buffer("steps", torch.tensor(levels) - 1.0)
        self.register_buffer("base", torch.tensor([math.prod(levels[i + 1 :]) for i in range(self.dim)]))
        self.register_load_state_dict_pre_hook(_forget_table)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the vectors that it computes with."""
        return self.steps.dtype

    @property
    def codebook(self) -> Tensor:  # (K, dim)
        """All combinations of levels, made when it is asked for; a ValueError where these are more than 2²⁴."""
        if self.codes > 2**24:
            raise ValueError(
                f"The codebook that FSQ({list(self.levels)}) implies has {self.codes:,} vectors: look up those "
                "that you need, by lookup(indices)."
            )
        return self._vectors_at(torch.arange(self.codes, device=self.steps.device).view(-1, 1, 1)).flatten(1)

    def _vectors_at(self, indices: Tensor) -> Tensor:  # (B, h, w) -> (B, dim, h, w)
        places = indices[:, None] // _wide(self.base) % (_wide(self.steps).long() + 1)
        return 2 * places / _wide(self.steps) - 1

    def _bounded(self, z: Tensor) -> Tensor:  # (B, dim, h, w) -> (B, dim, h, w), from 0 to L_i - 1
        return (1 + z.tanh()) * _wide(self.steps) / 2

    @torch.no_grad()
    def indices(self, z: Tensor) -> Tensor:  # (B, dim, h, w) -> (B, h, w), int64
        """Which combination of levels each place gets; changes nothing."""
        return (self._bounded(z).round().long() * _wide(self.base)).sum(1)

    def forward(self, z: Tensor) -> Chosen:
        """Round a grid (B, dim, h, w); the gradient passes the rounding, not the bound."""
        bounded = self._bounded(z)
        passed = 2 * straight_through(bounded, bounded.round()) / _wide(self.steps) - 1
        return Chosen(passed, passed.detach(), self.indices(z))


def _forget_table(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """States of the first edition hold FSQ's implied codebook."""
    state.pop(prefix + "implied", None)


def _at(vectors: Tensor, indices: Tensor) -> Tensor:  # (K, dim), (B, h, w) -> (B, dim, h, w)
    return F.embedding(indices, vectors).movedim(-1, 1)


def _wide(values: Tensor) -> Tensor:  # (dim,) -> (dim, 1, 1)
    return values[:, None, None]
