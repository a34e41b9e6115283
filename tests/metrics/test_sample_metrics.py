"""The Fréchet distance, precision and recall, fitted Gaussians, rounded codes: known answers, scipy as the judge."""

import math

import numpy as np
import pytest
import torch
from blobs import blobs
from scipy.linalg import sqrtm
from torch import nn

from aelib.metrics import (
    Rounded,
    code_grids,
    codes,
    error_under,
    frechet_distance,
    gaussian_frechet,
    generated,
    noise,
    overview,
    per_pixel,
    precision_recall,
)
from aelib.metrics import reconstructions as reconstructed
from aelib.models.pca import pca
from aelib.models.quantizers import FSQ
from aelib.models.vqvae import small_vqvae
from aelib.priors import FittedGaussian, draw


def covariance(size: int, rank: int, seed: int) -> torch.Tensor:
    """A random covariance of the given rank, in double precision."""
    a = torch.randn(size, rank, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return a @ a.T


@pytest.mark.parametrize(("rank_a", "rank_b"), [(6, 6), (6, 2), (2, 3)])
def test_the_frechet_distance_agrees_with_scipys_matrix_root(rank_a, rank_b):
    mean_a, mean_b = torch.randn(2, 6, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    cov_a, cov_b = covariance(6, rank_a, 1), covariance(6, rank_b, 2)
    root = sqrtm((cov_a @ cov_b).numpy())
    expected = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * np.trace(root).real
    # scipy's root of a singular product is itself good to half the digits only.
    assert gaussian_frechet(mean_a, cov_a, mean_b, cov_b) == pytest.approx(expected.item(), rel=1e-5)


def test_the_frechet_distance_of_gaussians_that_commute_is_known():
    zero, one = torch.zeros(4), torch.ones(4)
    unit = torch.eye(4)
    assert gaussian_frechet(zero, unit, zero, unit) == pytest.approx(0, abs=1e-12)
    assert gaussian_frechet(zero, unit, 3 * one, unit) == pytest.approx(36)  # means alone: 4 · 3²
    assert gaussian_frechet(zero, unit, zero, 9 * unit) == pytest.approx(16)  # deviations 1 and 3: 4 · (3 - 1)²
    assert gaussian_frechet(zero, 0 * unit, zero, unit) == pytest.approx(4)  # a point against a Gaussian
    a, b = torch.tensor([1.0, 4, 9, 16]), torch.tensor([4.0, 4, 1, 0])
    assert gaussian_frechet(zero, a.diag(), zero, b.diag()) == pytest.approx(1 + 0 + 4 + 16)


def test_the_frechet_distance_is_symmetric_and_turns_with_the_features():
    a, b = torch.randn(2, 500, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    b = 2 * b + 1
    turn = torch.linalg.qr(covariance(5, 5, 3)).Q
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(frechet_distance(a, b), rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + 2) == pytest.approx(5 * 4, rel=1e-9)


def test_few_examples_make_the_frechet_distance_too_large():
    x = torch.randn(20_000, 8, generator=torch.Generator().manual_seed(0))
    few = sum(frechet_distance(x[i : i + 50], x[10_000:]) for i in range(0, 1000, 50)) / 20
    assert few > 5 * frechet_distance(x[:10_000], x[10_000:])


@pytest.mark.parametrize(
    ("a", "b"), [((5, 3), (5, 4)), ((1, 3), (5, 3)), ((5,), (5,)), ((5, 3), (0, 3))], ids=lambda shape: str(shape)
)
def test_features_that_cannot_be_compared_are_refused(a, b):
    with pytest.raises(ValueError, match="compares features"):
        frechet_distance(torch.zeros(a), torch.zeros(b))
    with pytest.raises(ValueError, match="compare features"):
        precision_recall(torch.zeros(a), torch.zeros(b), k=1)


def test_moments_that_are_not_gaussians_are_refused():
    with pytest.raises(ValueError, match=r"for one F; these have \[\(2,\), \(2, 2\), \(3,\), \(3, 3\)\]"):
        gaussian_frechet(torch.zeros(2), torch.eye(2), torch.zeros(3), torch.eye(3))
    with pytest.raises(ValueError, match="not finite"):
        gaussian_frechet(torch.zeros(2), torch.eye(2), torch.tensor([0.0, math.nan]), torch.eye(2))


def line(*places: float) -> torch.Tensor:
    return torch.tensor(places, dtype=torch.float32)[:, None]


def test_precision_and_recall_on_a_line_are_counted_by_hand():
    real, made = line(0, 1, 2, 10, 11, 12), line(0.5, 1.5, 1.2, 5, 6, 7)
    # With k = 1 every real ball has radius 1: they cover [-1, 3] and [9, 13], so three of the six made ones.
    # The made balls are 0.5 ± 0.7, 1.5 ± 0.3, 1.2 ± 0.3, 5 ± 1, 6 ± 1, 7 ± 1: of the real ones they hold 0 and 1.
    assert precision_recall(real, made, k=1) == pytest.approx((3 / 6, 2 / 6))


def test_precision_and_recall_of_the_same_set_are_one_and_of_distant_sets_zero():
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    assert precision_recall(x, x) == (1, 1)
    assert precision_recall(x, x + 100) == (0, 0)


def test_one_good_example_over_and_over_has_precision_and_no_recall():
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    precision, recall = precision_recall(x, x[:1].expand(300, 4))
    assert precision == 1
    assert recall == pytest.approx(1 / 300)  # it reaches itself alone


def test_samples_of_half_the_data_have_half_the_recall():
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(400, 3, generator=generator) + at for at in (0, 50))
    half = torch.randn(800, 3, generator=generator)
    precision, recall = precision_recall(torch.cat([one, other]), half)
    assert precision > 0.85
    assert 0.4 < recall <= 0.5


def test_batches_of_distances_do_not_change_the_answer(monkeypatch):
    a, b = torch.randn(2, 120, 3, generator=torch.Generator().manual_seed(0))
    whole = precision_recall(a, b + 0.5)
    monkeypatch.setattr("aelib.metrics.manifold.CHUNK", 7)
    assert precision_recall(a, b + 0.5) == whole


@pytest.mark.parametrize("k", [0, 5])
def test_a_neighbor_that_is_not_there_is_refused(k):
    with pytest.raises(ValueError, match=f"and k is {k}"):
        precision_recall(torch.zeros(5, 2), torch.zeros(5, 2), k=k)


def test_a_fitted_gaussian_draws_codes_of_the_same_mean_and_covariance():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2000, 3, generator=generator) @ torch.tensor([[2.0, 1, 0], [0, 1, 0], [0, 0, 0]]) + 5
    torch.manual_seed(0)
    prior = FittedGaussian.fit(z)
    torch.testing.assert_close(prior.root @ prior.root, z.T.cov(), atol=1e-4, rtol=1e-4)
    drawn = draw(prior, 50_000)
    torch.testing.assert_close(drawn.mean(0), z.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), z.T.cov(), atol=0.1, rtol=0)
    assert drawn[:, 2].std() < 1e-3  # the third number never changes
    assert frechet_distance(drawn, z) < 0.01


@pytest.mark.parametrize("z", [torch.zeros(1, 3), torch.zeros(4), torch.full((4, 2), math.inf)])
def test_a_gaussian_is_not_fitted_to_too_little(z):
    with pytest.raises(ValueError, match="two or more finite codes"):
        FittedGaussian.fit(z)


def test_many_bits_change_nothing_and_one_bit_leaves_two_levels():
    images = blobs()
    model = pca(images.images(), 5)
    fine = per_pixel(reconstructed(Rounded(model, images, 16), images), images.images())
    assert fine == pytest.approx(per_pixel(reconstructed(model, images), images.images()), rel=1e-3)
    z, exact = codes(Rounded(model, images, 1), images), codes(model, images)
    for j in range(5):
        assert z[:, j].unique() == pytest.approx([exact[:, j].min().item(), exact[:, j].max().item()], abs=1e-5)
    assert (codes(Rounded(model, images, 8), images) - exact).abs().amax() <= (
        exact.amax(0) - exact.amin(0)
    ).max() / 510


def test_what_lies_outside_of_the_levels_goes_to_the_nearest():
    images = blobs()
    model = pca(images.images(), 3)
    coarse = Rounded(model, images[:20], 4)
    z = codes(coarse, images)
    inside = codes(model, images[:20])
    assert (z >= inside.amin(0) - 1e-5).all() and (z <= inside.amax(0) + 1e-5).all()


class Grid(nn.Module):
    """Its code is a grid: two copies of the image, the second ten times the first."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 10.0]).view(2, 1, 1))

    def encode(self, x):
        return x * self.scale

    def decode(self, z):
        return z[:, 1:] / 10


def test_the_channels_of_a_grid_have_levels_of_their_own_the_same_at_all_places():
    images, model = blobs(), Grid()
    x = images.images()
    coarse = Rounded(model, images, 2)
    expected = (3 * x / x.max()).round()  # four levels from black to the brightest pixel, wherever it is
    assert torch.equal(coarse.levels(x), expected.repeat(1, 2, 1, 1).long())
    torch.testing.assert_close(coarse.encode(x)[:, 1:], expected / 3 * 10 * x.max())
    torch.testing.assert_close(reconstructed(coarse, images), expected / 3 * x.max())
    # Both channels have the same level, so the symbols are 0, 5, 10 and 15 of sixteen.
    assert torch.equal(coarse.indices(x), (5 * expected[:, 0]).long())
    assert torch.equal(code_grids(coarse, images).x, coarse.indices(x))


def test_only_a_grid_has_places_and_a_place_no_more_symbols_than_can_be_counted():
    images = blobs()
    with pytest.raises(ValueError, match=r"grid \(B, dim, h, w\)"):
        Rounded(pca(images.images(), 3), images, 2).indices(images.images())
    with pytest.raises(ValueError, match="62 bits at most"):
        Rounded(Grid(), images, 32).indices(images.images())


def test_a_code_without_bits_and_a_code_of_another_shape_are_refused():
    class Rows(Grid):
        def encode(self, x):
            return x[:, 0]

    with pytest.raises(ValueError, match="1 bit or more; it got 0"):
        Rounded(pca(blobs().images(), 3), blobs(), 0)
    with pytest.raises(ValueError, match=r"codes \(N, latent\) or grids"):
        Rounded(Rows(), blobs(), 8)


def test_the_overview_is_what_its_parts_say():
    images, others = blobs(), blobs(150, seed=1)
    model = pca(images.images(), 6)
    found = overview(model, images, others, quick=100)
    assert found["error"] == pytest.approx(per_pixel(reconstructed(model, others), others.images()))
    assert found["noise"] == pytest.approx(error_under(model, others[:100], noise(0.3)))
    assert found["noise"] > found["error"]
    assert found["error, rounded"] == pytest.approx(found["error"], rel=0.01)
    assert found["probe"] > 90  # ten places, ten labels
    assert 1 <= found["in use"] <= 6
    assert all(isinstance(value, int | float) for value in found.values())  # what a record can hold


def test_a_number_that_never_changes_is_not_in_use():
    images = blobs()
    model = pca(images.images(), 4)
    with torch.no_grad():
        model.encoder[1].weight[2:] = 0
    assert overview(model, images, images, quick=100)["in use"] == 2


def test_generated_images_follow_the_codes_or_the_prior():
    images = blobs()
    model = pca(images.images(), 4)
    before = torch.random.get_rng_state()
    fitted, again = (generated(model, 500, images) for _ in range(2))
    assert torch.equal(fitted, again)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.testing.assert_close(fitted.mean(0), images.images().mean(0), atol=0.1, rtol=0)
    with torch.no_grad():
        z = model.encoder(generated(model, 2000, images, prior=True).clone())  # PCA's decoder is an isometry
    torch.testing.assert_close(z.T.cov(), torch.eye(4), atol=0.15, rtol=0)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_generated_symbols_are_of_the_codebook():
    torch.manual_seed(0)
    model, seen = small_vqvae(FSQ((3, 3))), []
    model.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    assert generated(model, 30, blobs(50)).shape == (30, 1, 28, 28)
    assert set(seen[0].unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert overview(model, blobs(60), blobs(60, seed=1), quick=50)["in use"] <= 49
