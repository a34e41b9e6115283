r"""A prior for grids of symbols: each is predicted from those before it in reading order, by masked convolutions.

van den Oord, Kalchbrenner & Kavukcuoglu, "Pixel recurrent neural networks", ICML 2016 (section 3.4 and figure 4), on
the codes of a VQ-VAE as in van den Oord et al. (2017), section 4.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aelib.data import Batch
from aelib.likelihoods import categorical_nll


class Predictions(NamedTuple):
    """What a prior says of a batch of grids."""

    logits: Tensor  # (B, K, h, w): at each place, of the symbol there, given those before it


class MaskedConv2d(nn.Conv2d):
    r"""A convolution that sees only what comes before in reading order: the rows above, and what is left in its own.

    The weights of all later places are held at zero. The output is as large as the input.

    Args:
        inputs, outputs: numbers of channels.
        kernel: side of the window, odd.
        center: whether the place itself is seen too. False in a network's first layer ("mask A"), so that a symbol is
            not predicted from itself; True in the others ("mask B"), whose inputs have not seen it either.

    Raises:
        ValueError: the kernel's side is even.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, center: bool) -> None:
        if kernel % 2 == 0:
            raise ValueError(f"A masked convolution has a middle: its kernel's side is odd; it got {kernel}.")
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        before = torch.arange(kernel * kernel).view(kernel, kernel) < kernel * kernel // 2 + center
        self.mask: Tensor  # (kernel, kernel)
        self.register_buffer("mask", before.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, h, w) -> (B, outputs, h, w)
        """The masked convolution of *x*."""
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class _Block(nn.Module):
    """What stands at a place plus what a masked convolution makes of it and of those before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, width // 2, 1),
            nn.ReLU(),
            MaskedConv2d(width // 2, width // 2, 3, center=True),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class PixelCNN(nn.Module):
    r"""The distribution of a grid as a product over its places, in reading order:

    .. math:: p(k) = \prod_p p(k_p \mid k_1, \dots, k_{p-1})

    An embedding of the symbols, a masked 5×5 convolution that does not see the place itself, residual blocks that do,
    and a softmax. Its last layer starts at zero: before training every symbol has the probability 1/K. A stack of
    such masks misses a wedge of places to the upper right (the "blind spot"); with a first window of 5×5 and few
    places it matters little.

    Args:
        codes: *K*, number of symbols.
        grid: (h, w).
        width: channels.
        blocks: residual blocks.
    """

    def __init__(self, codes: int, grid: tuple[int, int] = (7, 7), width: int = 64, blocks: int = 4) -> None:
        super().__init__()
        self.codes, self.grid = codes, grid
        self.embedding = nn.Embedding(codes, width)
        self.position = nn.Parameter(torch.zeros(width, *grid))  # digits are centered: the place alone says much
        self.first = MaskedConv2d(width, width, 5, center=False)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)), nn.ReLU())
        self.last = nn.Conv2d(width, codes, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, indices: Tensor) -> Predictions:
        """Predictions for grids of symbols, int64, (B, h, w).

        Raises:
            ValueError: they are no such grids.
        """
        if indices.dtype != torch.int64 or indices.shape[1:] != self.grid:
            raise ValueError(
                f"This prior takes grids of indices, int64 of shape (B, {self.grid[0]}, {self.grid[1]}); "
                f"it got {indices.dtype}, {tuple(indices.shape)}."
            )
        return Predictions(self.from_embedded(self.embedding(indices).movedim(-1, 1)))

    def from_embedded(self, embedded: Tensor) -> Tensor:  # (B, width, h, w) -> (B, K, h, w)
        """The logits from embedded symbols."""
        # The position is added after the first mask: it is known before its symbol is.
        return self.last(self.blocks(self.first(embedded) + self.position))

    @torch.no_grad()
    def sample(self, n: int, temperature: float = 1.0) -> Tensor:  # (n, h, w), int64
        """Grids drawn from the prior, one place after the other; h·w passes through the network.

        Args:
            n: how many.
            temperature: what the logits are divided by; below 1 likely symbols become likelier.

        Raises:
            ValueError: the temperature is not positive.
        """
        if not temperature > 0:
            raise ValueError(f"A temperature is positive; it got {temperature}.")
        drawn = torch.zeros(n, *self.grid, dtype=torch.int64, device=self.position.device)
        for row in range(self.grid[0]):
            for column in range(self.grid[1]):
                logits = self(drawn).logits[:, :, row, column] / temperature
                drawn[:, row, column] = torch.multinomial(logits.softmax(1), 1)[:, 0]
        return drawn


def symbol_nll(logits: Tensor, indices: Tensor) -> Tensor:
    r"""Negative log-likelihood of the symbols of a grid, in nats per grid, averaged over the batch.

    .. math:: -\frac1B \sum_n \sum_p \log p(k_{np} \mid k_{n1}, \dots, k_{n,p-1})

    Args:
        logits: (B, K, h, w).
        indices: (B, h, w), int64.

    Raises:
        ValueError: the shapes do not fit together, or the batch is empty.
    """
    if logits.ndim != 4 or indices.shape != (len(logits), *logits.shape[2:]) or len(logits) == 0:
        raise ValueError(
            f"symbol_nll takes logits (B, K, h, w) and indices (B, h, w) of one or more grids; "
            f"it got {tuple(logits.shape)} and {tuple(indices.shape)}."
        )
    return categorical_nll(logits.flatten(2).transpose(1, 2), indices.flatten(1))


@dataclass(frozen=True)
class SymbolLikelihood:
    """Minus the log-likelihood of the grids, in nats per grid: trains a prior.

    Calls ``nets["prior"]`` on the batch's x, grids of indices such as :class:`aelib.data.Grids` holds. Reports
    ``"bits"``, the same per symbol and in bits: log2 K for a prior that knows nothing.
    """

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        loss = symbol_nll(nets["prior"](batch.x).logits, batch.x)
        return {"loss": loss, "bits": loss.detach() / (batch.x[0].numel() * math.log(2))}
