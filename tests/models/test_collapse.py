"""The weight at which the code dies: against a correlation matrix, and against curvatures of the exact objective."""

import numpy as np
import pytest
import torch
from torch import Tensor

from aelib.likelihoods import Bernoulli, Gaussian
from aelib.models.collapse import critical_beta


def correlated_bits() -> Tensor:
    torch.manual_seed(0)
    common = torch.randn(400, 1)
    return (0.8 * common + torch.randn(400, 5) > torch.tensor([0.0, 0.5, -0.5, 1.0, 0.2])).double()


def test_for_bits_it_is_the_correlation_matrix_top_eigenvalue():
    x = correlated_bits()
    expected = np.linalg.eigvalsh(np.corrcoef(x.numpy().T))[-1]
    assert critical_beta(x) == pytest.approx(expected)
    never = torch.cat([x, torch.ones(400, 2)], 1)  # pixels that are always on
    assert critical_beta(never.view(400, 1, 7, 1)) == pytest.approx(expected)
    assert critical_beta(x[:, :1]) == pytest.approx(1)  # a bit of its own explains itself
    assert critical_beta(x[:, :1].repeat(1, 9)) == pytest.approx(9)  # nine copies pay nine times


def test_for_gaussian_pixels_it_is_lucas_et_als_condition():
    x = correlated_bits()
    top = np.linalg.eigvalsh(np.cov(x.numpy().T, bias=True))[-1]
    assert critical_beta(x, Gaussian(0.3)) == pytest.approx(top / 0.09)
    assert critical_beta(x, Gaussian(top**0.5)) == pytest.approx(1)  # the variance at which the ELBO itself collapses


def smallest_curvature(x: Tensor, likelihood: Bernoulli | Gaussian, beta: float) -> float:
    """Of the exact objective of a linear VAE of one latent, at the collapsed state; codes by Gauss–Hermite sums."""
    mean = x.mean(0)
    at, weights = (torch.from_numpy(v) for v in np.polynomial.hermite_e.hermegauss(15))
    weights = weights / weights.sum()
    bias = torch.logit(mean) if isinstance(likelihood, Bernoulli) else mean
    d = len(mean)

    def objective(uw: Tensor) -> Tensor:
        mu = (x - mean) @ uw[:d]  # (N,)
        parameters = bias + (mu + at[:, None])[..., None] * uw[d:]  # (nodes, N, d)
        reconstruction = -(weights @ likelihood.log_prob(parameters, x)).mean()
        return reconstruction + beta * 0.5 * mu.square().mean()

    hessian = torch.func.hessian(objective)(torch.zeros(2 * d, dtype=torch.float64))
    return torch.linalg.eigvalsh(hessian)[0].item()


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(0.4)])
def test_the_collapsed_state_is_a_minimum_above_it_and_a_saddle_below(likelihood, monkeypatch):
    monkeypatch.setattr("aelib.likelihoods.bernoulli.reading_is_free", lambda x: False)  # values cannot be read here
    x = correlated_bits()
    beta = critical_beta(x, likelihood)
    assert smallest_curvature(x, likelihood, 0.99 * beta) < -1e-5
    assert smallest_curvature(x, likelihood, 1.01 * beta) > 1e-5


def test_what_it_cannot_know_is_refused():
    with pytest.raises(ValueError, match="two images or more that differ"):
        critical_beta(torch.ones(5, 3))
    with pytest.raises(ValueError, match=r"pixels in \[0, 1\]"):
        critical_beta(torch.randn(5, 3))
    with pytest.raises(TypeError, match="Bernoulli and Gaussian pixels, not object"):
        critical_beta(torch.rand(5, 3), object())
