"""Priors to draw codes from: Gaussians, fitted or not, a flower of them, a Swiss roll, and vectors with a single one.

A prior consists of equally likely parts (petals, pieces of the roll), so that a chapter may send each class to its own.
The shapes are those of Makhzani et al., "Adversarial Autoencoders" (2016), figures 2 and 4.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from aelib.interfaces import Prior


def draw(prior: Prior, n: int, device: torch.device | str = "cpu") -> Tensor:
    """*n* codes from *prior*, each from a part chosen at random: shape (n, latent)."""
    return prior.sample(torch.randint(prior.parts, (n,), device=device))


@dataclass(frozen=True)
class IsotropicGaussian:
    """The prior :math:`N(0, s^2 I)` of *latent* dimensions and standard deviation *s* = *std*."""

    latent: int = 2
    std: float = 1.0
    parts: int = 1

    def sample(self, part: Tensor) -> Tensor:  # (N,) -> (N, latent)
        """One code an entry of *part*, which is not looked at."""
        return self.std * torch.randn(len(part), self.latent, device=part.device)


@dataclass(frozen=True, eq=False)
class FittedGaussian:
    r"""The Gaussian with the mean and the covariance of given codes: a prior for a model that was trained without one.

    Ghosh et al., "From variational to deterministic autoencoders" (2020), section 4, fit densities to the codes of a
    finished autoencoder; this is the simplest. Made by :meth:`fit`.
    """

    mean: Tensor  # (latent,)
    root: Tensor  # (latent, latent), symmetric; its square is the covariance
    parts: int = 1

    @classmethod
    def fit(cls, z: Tensor) -> "FittedGaussian":
        """Fit to codes (N, latent); raises ValueError unless these are two or more, and finite."""
        if z.ndim != 2 or len(z) < 2 or not z.isfinite().all():
            raise ValueError(
                f"A Gaussian is fitted to two or more finite codes (N, latent); they are {tuple(z.shape)}."
            )
        values, vectors = torch.linalg.eigh(z.T.double().cov().view(z.shape[1], -1))
        root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T  # also where the covariance is singular
        return cls(z.mean(0), root.to(z.dtype))

    def sample(self, part: Tensor) -> Tensor:  # (N,) -> (N, latent)
        """One code an entry of *part*, which is not looked at."""
        noise = torch.randn(len(part), len(self.mean), device=part.device, dtype=self.mean.dtype)
        return self.mean.to(part.device) + noise @ self.root.to(part.device)


@dataclass(frozen=True)
class GaussianMixture:
    r"""Petals of a flower: *parts* Gaussians in the plane, their centers evenly on a circle, long axes outwards.

    Part *k* is the Gaussian with center :math:`(r, 0)` and standard deviations *along* and *across*, turned by
    :math:`2 \pi k / \text{parts}`: Makhzani et al. (2016), figure 2.
    """

    parts: int = 10
    radius: float = 2.0
    along: float = 0.5
    across: float = 0.15

    def sample(self, part: Tensor) -> Tensor:  # (N,) -> (N, 2)
        """One code from each of the Gaussians named by *part*."""
        petal = torch.randn(len(part), 2, device=part.device)
        outwards, sidewards = self.radius + self.along * petal[:, 0], self.across * petal[:, 1]
        turn = 2 * math.pi * part / self.parts
        cos, sin = turn.cos(), turn.sin()
        return torch.stack([outwards * cos - sidewards * sin, outwards * sin + sidewards * cos], 1)


@dataclass(frozen=True)
class SwissRoll:
    r"""A spiral :math:`r(\varphi) = \text{radius} \cdot \varphi / \varphi_\text{max}` in the plane, slightly noisy.

    The angle runs to :math:`\varphi_\text{max} = 2 \pi \cdot \text{turns}` as the root of a uniform variable, so that
    codes lie about evenly along the curve. Part *k* is the *k*-th piece from the inside.
    """

    parts: int = 10
    turns: float = 2.0
    radius: float = 3.0
    noise: float = 0.05

    def sample(self, part: Tensor) -> Tensor:  # (N,) -> (N, 2)
        """One code from each of the pieces named by *part*."""
        along = ((part + torch.rand(len(part), device=part.device)) / self.parts).sqrt()  # φ/φ_max
        angle = 2 * math.pi * self.turns * along
        curve = self.radius * along * torch.stack([angle.cos(), angle.sin()])  # (2, N)
        return curve.T + self.noise * torch.randn(len(part), 2, device=part.device)


@dataclass(frozen=True)
class Categorical:
    """Vectors with a single one among *parts* numbers, each place equally likely."""

    parts: int = 10

    def sample(self, part: Tensor) -> Tensor:  # (N,) -> (N, parts)
        """The vector with its one at each entry of *part*."""
        return F.one_hot(part, self.parts).float()
