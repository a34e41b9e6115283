r"""Rows of numbers, yes-or-no answers and categories: a likelihood for each column of a table."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aelib.likelihoods.bernoulli import Bernoulli
from aelib.likelihoods.shapes import check_trailing_shape

KINDS = ("gaussian", "missing", "bernoulli", "categorical")


def _can_be(kind: str, width: int) -> bool:
    return kind in KINDS and width > (kind == "categorical") and not (kind == "missing" and width % 2)


class _Mean(nn.Module):
    """The mean of a likelihood as a layer."""

    def __init__(self, likelihood: "Mixed") -> None:
        super().__init__()
        self.likelihood = likelihood

    def forward(self, parameters: Tensor) -> Tensor:
        return self.likelihood.mean(parameters)


@dataclass(frozen=True)
class Mixed:
    r"""Independent columns, each of its own kind, :math:`p(x \mid z) = \prod_j p_j(x_j \mid z)`.

    A row is a chain of blocks, and so are the parameters, number by number:

    - ``("gaussian", n)``: *n* numbers, :math:`N(x; \hat x, \sigma^2)`;
    - ``("missing", 2 n)``: *n* numbers, then for each whether it is missing, :math:`m`: a Bernoulli for *m* and, where
      the number is there, a Gaussian for it, :math:`(1 - m) \log N(x; \hat x, \sigma^2) + \log p(m)`;
    - ``("bernoulli", n)``: *n* bits, by their log-odds;
    - ``("categorical", K)``: one category of *K* as a vector with a single 1, by the scores of a softmax.

    A number that is missing thus counts nothing, whatever stands in its place.

    Args:
        blocks: kinds and widths, in order.
        sigma: standard deviation of the numbers, in their units.

    Raises:
        ValueError: no block, an unknown kind, a width that its kind cannot have, or *sigma* not positive and finite.
    """

    blocks: tuple[tuple[str, int], ...]
    sigma: float = 0.5**0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple((str(kind), int(width)) for kind, width in self.blocks))
        if not self.blocks or not all(_can_be(*block) for block in self.blocks):
            raise ValueError(f"Mixed takes blocks of {', '.join(KINDS)} with their widths; it got {self.blocks}.")
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"Mixed's numbers have a positive, finite standard deviation; it is {self.sigma}.")

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return sum(width for _, width in self.blocks)

    def _parts(self, *rows: Tensor) -> list[tuple[str, list[Tensor]]]:
        widths = [width for _, width in self.blocks]
        split = [row.split(widths, -1) for row in rows]
        return [(kind, [parts[i] for parts in split]) for i, (kind, _) in enumerate(self.blocks)]

    def check(self, x: Tensor) -> None:
        """Raise a ValueError unless *x* can be: finite numbers, bits in [0, 1], categories that sum to 1."""
        if x.shape[-1] != self.width:
            raise ValueError(f"Mixed takes rows of {self.width} numbers; these have {x.shape[-1]}.")
        if not x.isfinite().all():
            raise ValueError(f"Mixed takes finite numbers; {int((~x.isfinite()).sum())} of these are not.")
        for kind, (part,) in self._parts(x):
            if kind == "missing":
                Bernoulli().check(part.chunk(2, -1)[1])
            elif kind != "gaussian":
                Bernoulli().check(part)
            if kind == "categorical" and (part.sum(-1) - 1).abs().max() > 1e-3:
                raise ValueError("Mixed takes categories as numbers that sum to 1, a single 1 for one that is certain.")

    def terms(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Minus the log probability of each column, in nats, (B, columns) or (k, B, columns).

        Columns are in the order of the blocks: one for each number, bit, or category.

        Raises:
            ValueError: the shapes do not fit together.
        """
        check_trailing_shape(parameters, x, "Mixed")
        found = []
        for kind, (given, part) in self._parts(parameters, x.expand_as(parameters)):
            if kind == "gaussian":
                found.append(self._gaussian(given, part))
            elif kind == "missing":
                (mean, odds), (value, missing) = given.chunk(2, -1), part.chunk(2, -1)
                told = F.binary_cross_entropy_with_logits(odds, missing, reduction="none")
                found.append((1 - missing) * self._gaussian(mean, value) + told)
            elif kind == "bernoulli":
                found.append(F.binary_cross_entropy_with_logits(given, part, reduction="none"))
            else:
                found.append(-(part * given.log_softmax(-1)).sum(-1, keepdim=True))
        return torch.cat(found, -1)

    def _gaussian(self, mean: Tensor, x: Tensor) -> Tensor:
        return (x - mean).square() / (2 * self.sigma**2) + 0.5 * math.log(2 * math.pi * self.sigma**2)

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Log probability of each row, in nats: (B,) or, for parameters with an axis of samples before it, (k, B)."""
        return -self.terms(parameters, x).sum(-1)

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Minus the log probability, averaged over the batch: nats per example, a scalar."""
        return -self.log_prob(parameters, x).mean()

    def mean(self, parameters: Tensor) -> Tensor:
        """Numbers, and probabilities of bits and categories, of the shape of *parameters*."""
        found = []
        for kind, (part,) in self._parts(parameters):
            if kind == "missing":
                mean, odds = part.chunk(2, -1)
                part = torch.cat([mean, odds.sigmoid()], -1)
            elif kind == "bernoulli":
                part = part.sigmoid()
            elif kind == "categorical":
                part = part.softmax(-1)
            found.append(part)
        return torch.cat(found, -1)

    def sample(self, parameters: Tensor) -> Tensor:
        """Rows drawn, of the shape of *parameters*: numbers around their means, bits, and single categories."""
        found = []
        for kind, (part,) in self._parts(self.mean(parameters)):
            if kind == "gaussian":
                part = part + self.sigma * torch.randn_like(part)
            elif kind == "missing":
                mean, missing = part.chunk(2, -1)
                part = torch.cat([mean + self.sigma * torch.randn_like(mean), missing.bernoulli()], -1)
            elif kind == "bernoulli":
                part = part.bernoulli()
            else:
                drawn = torch.multinomial(part.flatten(0, -2), 1)[:, 0].view(part.shape[:-1])
                part = F.one_hot(drawn, part.shape[-1]).to(part.dtype)
            found.append(part)
        return torch.cat(found, -1)

    def output(self) -> nn.Module:
        """:meth:`mean` as a layer."""
        return _Mean(self)
