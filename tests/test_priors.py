"""Priors: their moments, their parts, and the shapes that they draw."""

import math

import pytest
import torch
from scipy.stats import kstest

from aelib.priors import Categorical, FittedGaussian, GaussianMixture, IsotropicGaussian, SwissRoll, draw


def test_the_gaussian_prior_has_its_moments():
    torch.manual_seed(0)
    z = draw(IsotropicGaussian(3, 5.0), 20_000)
    assert z.shape == (20_000, 3)
    torch.testing.assert_close(z.T.cov(), 25 * torch.eye(3), atol=0.8, rtol=0)
    assert all(kstest(z[:, i].numpy() / 5, "norm").pvalue > 0.01 for i in range(3))


def test_each_petal_has_its_center_and_its_spread():
    torch.manual_seed(0)
    prior = GaussianMixture(parts=10, radius=2.0, along=0.5, across=0.15)
    for part in range(10):
        z = prior.sample(torch.full((20_000,), part))
        angle = torch.tensor(2 * math.pi * part / 10)
        outwards, sidewards = torch.stack([angle.cos(), angle.sin()]), torch.stack([-angle.sin(), angle.cos()])
        torch.testing.assert_close(z.mean(0), 2 * outwards, atol=0.02, rtol=0)
        torch.testing.assert_close((z @ outwards).std().item(), 0.5, atol=0.01, rtol=0)
        torch.testing.assert_close((z @ sidewards).std().item(), 0.15, atol=0.01, rtol=0)
    parts = draw(prior, 20_000)
    torch.testing.assert_close(parts.mean(0), torch.zeros(2), atol=0.05, rtol=0)


def test_the_swiss_roll_is_a_spiral_with_even_pieces():
    torch.manual_seed(0)
    prior = SwissRoll(parts=10, turns=2.0, radius=3.0, noise=0.0)
    for part in range(10):
        z = prior.sample(torch.full((2_000,), part))
        reach = z.norm(dim=1) / 3
        assert (part / 10) ** 0.5 - 1e-5 <= reach.min()
        assert reach.max() <= ((part + 1) / 10) ** 0.5 + 1e-5
        angle = torch.atan2(z[:, 1], z[:, 0])
        turned = (angle - 4 * math.pi * reach + math.pi) % (2 * math.pi) - math.pi
        torch.testing.assert_close(turned, torch.zeros(2_000), atol=1e-3, rtol=0)
    assert draw(SwissRoll(noise=1.0), 20_000).var(0).sum() == pytest.approx(2 + 4.5, rel=0.05)  # noise + E[r²]


def test_a_categorical_prior_has_a_single_one_anywhere():
    torch.manual_seed(0)
    z = draw(Categorical(16), 16_000)
    assert torch.equal(z.sum(1), torch.ones(16_000))
    assert torch.equal(z.max(1).values, torch.ones(16_000))
    assert (z.mean(0) * 16 - 1).abs().max() < 0.15


def test_a_fitted_gaussian_has_the_codes_mean_and_covariance_also_where_it_is_singular():
    torch.manual_seed(0)
    z = torch.randn(500, 2) @ torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.5, 1.0]]) + torch.tensor([1.0, -2.0, 0.0])
    prior = FittedGaussian.fit(z)
    torch.testing.assert_close(prior.mean, z.mean(0))
    torch.testing.assert_close(prior.root @ prior.root.T, z.T.cov(), atol=1e-4, rtol=1e-4)
    drawn = draw(prior, 50_000)
    torch.testing.assert_close(drawn.mean(0), z.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), z.T.cov(), atol=0.1, rtol=0)
    torch.testing.assert_close(drawn[:, 2], (drawn[:, 0] - 1) / 2 + 2 * (drawn[:, 1] + 2), atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match="two or more finite codes"):
        FittedGaussian.fit(z[:1])
