"""Closed forms: the conditional Gaussian by its definition, the linear denoiser by scikit-learn and Wiener."""

import pytest
import torch
from sklearn.linear_model import Ridge

from aelib.models.linear_baselines import GaussianInpainter, linear_denoiser


def gaussian(n: int = 4000, d: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    root = torch.randn(d, d, dtype=torch.float64) / d**0.5
    return (torch.randn(n, d, dtype=torch.float64) @ root.T + 1).view(n, 1, 3, 3), root @ root.T


def test_missing_pixels_are_the_conditional_mean():
    x, _ = gaussian()
    inpainter = GaussianInpainter.fit(x, ridge=1e-2)
    flat = x.flatten(1)
    c, m = flat.T.cov() + 1e-2 * torch.eye(9, dtype=torch.float64), flat.mean(0)
    missing = torch.zeros(5, 1, 3, 3, dtype=torch.bool)
    missing[:, 0, 1, :2], missing[2] = True, torch.rand(1, 3, 3) < 0.5  # one image has holes of its own
    filled = inpainter.fill(x[:5].masked_fill(missing, torch.nan), missing)  # what is missing is not looked at
    for row, found, h in zip(flat, filled.flatten(1), missing.flatten(1), strict=False):
        expected = m[h] + c[h][:, ~h] @ torch.linalg.solve(c[~h][:, ~h], row[~h] - m[~h])
        torch.testing.assert_close(found[h], expected)
        torch.testing.assert_close(found[~h], row[~h])


def test_no_linear_rule_fills_better_and_nothing_or_all_may_be_missing():
    x, _ = gaussian()
    missing = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    missing[..., 1, 1] = True
    inpainter = GaussianInpainter.fit(x, ridge=1e-6)
    error = (inpainter.fill(x, missing) - x).square().sum((1, 2, 3)).mean().item()
    others, center = x.flatten(1)[:, [0, 1, 2, 3, 5, 6, 7, 8]], x[:, 0, 1, 1]
    rule = Ridge(1e-9).fit(others.numpy(), center.numpy())
    best = ((rule.predict(others.numpy()) - center.numpy()) ** 2).mean()
    assert error == pytest.approx(best, rel=1e-3)
    torch.testing.assert_close(inpainter.fill(x[:2], torch.zeros(1, 1, 3, 3, dtype=torch.bool)), x[:2])
    nothing = inpainter.fill(x[:2], torch.ones(1, 1, 3, 3, dtype=torch.bool))
    torch.testing.assert_close(nothing, x.mean(0).expand(2, 1, 3, 3))
    with pytest.raises(ValueError, match="a bool for each pixel"):
        inpainter.fill(x, missing.float())


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_the_linear_denoiser_is_scikit_learns(ridge):
    clean, _ = gaussian(500)
    noisy = clean + 0.5 * torch.randn_like(clean)
    ours = linear_denoiser(clean, noisy, ridge)
    theirs = Ridge(ridge * 500).fit(noisy.flatten(1).numpy(), clean.flatten(1).numpy())
    torch.testing.assert_close(ours(noisy).flatten(1), torch.from_numpy(theirs.predict(noisy.flatten(1).numpy())))
    assert ours(noisy).shape == clean.shape


def test_with_many_pairs_it_is_the_wiener_filter():
    """For Gaussian images and noise the best map of all is W = C (C + s² I)⁻¹."""
    clean, c = gaussian(200_000)
    noisy = clean + 0.7 * torch.randn_like(clean)
    found = linear_denoiser(clean, noisy)[1].weight
    wiener = c @ torch.linalg.inv(c + 0.49 * torch.eye(9, dtype=torch.float64))
    torch.testing.assert_close(found.detach(), wiener, atol=0.01, rtol=0)


def test_pixels_that_never_vary_do_no_harm_and_bad_pairs_are_refused():
    clean = torch.rand(50, 1, 3, 3)
    clean[:, 0, 0] = 0
    noisy = clean + 0.3 * torch.rand_like(clean)
    noisy[:, 0, 0] = 0
    assert linear_denoiser(clean, noisy)(noisy).isfinite().all()
    assert GaussianInpainter.fit(clean).fill(clean, clean > 0.5).isfinite().all()
    with pytest.raises(ValueError, match="pairs of images"):
        linear_denoiser(clean, noisy[:3])
    with pytest.raises(ValueError, match="two images or more"):
        GaussianInpainter.fit(clean[:1])
