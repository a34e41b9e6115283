"""The exact posterior on a grid: against closed forms of a linear model, and the identity log p = L + KL."""

import math

import pytest
import torch
from torch import distributions as D
from torch import nn

from aelib.likelihoods import Gaussian
from aelib.metrics import log_likelihood
from aelib.models.exact_posterior import exact_posterior, posterior_gaps
from aelib.models.vae import VAE, DenseVAE

SHAPE = (1, 2, 2)


def bits() -> tuple[DenseVAE, torch.Tensor]:
    torch.manual_seed(3)
    vae = DenseVAE((4, 8, 2), nn.Tanh, SHAPE).double()
    with torch.no_grad():
        for parameter in vae.decoder.parameters():
            parameter.mul_(3)
    return vae, torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4).view(16, *SHAPE)


def linear() -> tuple[VAE, torch.Tensor, torch.Tensor]:
    """x = Wz + b + noise: everything is a Gaussian."""
    torch.manual_seed(0)
    decoder = nn.Linear(2, 4).double()
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 4).double())
    vae = VAE(encoder, nn.Sequential(decoder, nn.Unflatten(1, SHAPE)), SHAPE, Gaussian(0.5))
    return vae, decoder.weight.detach(), decoder.bias.detach()


def test_the_likelihood_is_that_of_a_linear_gaussian_model():
    vae, w, b = linear()
    x = torch.randn(6, *SHAPE, dtype=torch.float64)
    exact = exact_posterior(vae, x)
    model = D.MultivariateNormal(b, w @ w.T + 0.25 * torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(exact.log_likelihood, model.log_prob(x.flatten(1)), atol=1e-8, rtol=0)
    assert (exact.error < 1e-8).all()
    # Its posterior is N(S Wᵀ(x - b) / σ², S) with S = (I + WᵀW / σ²)⁻¹.
    s = torch.linalg.inv(torch.eye(2, dtype=torch.float64) + w.T @ w / 0.25)
    grid = torch.cartesian_prod(exact.axis, exact.axis)
    for density, image in zip(exact.log_density, x.flatten(1), strict=True):
        expected = D.MultivariateNormal(s @ w.T @ (image - b) / 0.25, s).log_prob(grid)
        torch.testing.assert_close(density.flatten(), expected, atol=1e-7, rtol=0)


def test_posteriors_are_densities_and_all_images_together_are_certain():
    vae, x = bits()
    exact = exact_posterior(vae, x)
    step = (exact.axis[1] - exact.axis[0]).item()
    torch.testing.assert_close(exact.log_density.exp().sum((1, 2)) * step**2, torch.ones(16, dtype=torch.float64))
    assert exact.log_likelihood.exp().sum().item() == pytest.approx(1, rel=1e-8)


def test_the_likelihood_is_the_bound_and_the_divergence_from_the_true_posterior():
    for vae, x in (bits(), (linear()[0], torch.rand(5, *SHAPE, dtype=torch.float64))):
        gaps = posterior_gaps(vae, x)
        torch.testing.assert_close(gaps.elbo + gaps.kl, gaps.log_likelihood, atol=1e-6, rtol=0)
        assert (gaps.kl > 0).all()
    vae, x = bits()
    torch.manual_seed(0)
    out = vae(x, 40_000)
    sampled = vae.likelihood.log_prob(out.logits, x).mean(0)
    prior = D.kl_divergence(D.Normal(out.mu, (out.logvar / 2).exp()), D.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(sampled - prior, posterior_gaps(vae, x).elbo, atol=0.03, rtol=0)


def test_importance_sampling_agrees_with_the_grid(small):
    torch.manual_seed(0)
    vae = DenseVAE((64, 16, 2), nn.Tanh, (1, 8, 8))
    few = small[:5]
    exact = exact_posterior(vae, few.images()).log_likelihood
    torch.testing.assert_close(log_likelihood(vae, few, 5000).float(), exact, atol=0.02, rtol=0)


def test_a_grid_that_is_too_coarse_says_so():
    vae, *_ = linear()
    sharp = VAE(vae.encoder, vae.decoder, SHAPE, Gaussian(0.02))
    x = vae.decode(torch.full((1, 2), 0.123, dtype=torch.float64)).detach()
    assert exact_posterior(sharp, x, points=21).error > 0.1
    assert exact_posterior(sharp, x, points=1601, reach=4).error < 1e-3


def test_one_latent_is_a_line_and_more_than_two_are_refused():
    torch.manual_seed(0)
    vae, x = DenseVAE((4, 3, 1), nn.Tanh, SHAPE).double(), torch.ones(2, *SHAPE, dtype=torch.float64)
    assert exact_posterior(vae, x, points=301).log_density.shape == (2, 301)
    gaps = posterior_gaps(vae, x)
    torch.testing.assert_close(gaps.elbo + gaps.kl, gaps.log_likelihood)
    with pytest.raises(ValueError, match="one or two latents; this model has 3"):
        exact_posterior(DenseVAE((4, 3, 3), nn.Tanh, SHAPE), x.float())
    with pytest.raises(ValueError, match="odd number"):
        exact_posterior(vae, x, points=200)
    assert math.isfinite(gaps.kl[0])
