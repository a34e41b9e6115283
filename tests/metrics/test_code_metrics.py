"""Damage to images and clusters of codes: exact cases, seeds, agreement with what stands beside them."""

import math

import pytest
import torch
from torch import nn

from aelib.data import ImageSet
from aelib.metrics import clustering, damaged, error_under, interpolation, journey, missing_patch, noise, shift
from aelib.models.quantizers import FSQ
from aelib.models.vqvae import small_vqvae


class Copy(nn.Module):
    """Gives back what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return z


def gray(n: int = 200, level: int = 102, size: int = 12) -> ImageSet:
    return ImageSet(torch.full((n, 1, size, size), level, dtype=torch.uint8), torch.zeros(n, dtype=torch.int64))


def test_noise_has_its_variance_and_stays_in_range():
    x = damaged(gray(), noise(0.1)).images()
    assert (x - 0.4).square().mean().item() == pytest.approx(0.01, rel=0.05)
    assert 0 <= damaged(gray(), noise(3.0)).images().min() <= damaged(gray(), noise(3.0)).images().max() <= 1
    assert torch.equal(damaged(gray(), noise(0.0)).x, gray().x)


def test_a_shift_moves_every_image_one_way_and_all_ways_occur():
    images = gray()
    images.x.zero_()
    images.x[:, 0, 5, 6] = 255
    places = damaged(images, shift(2)).x[:, 0].nonzero()[:, 1:]
    assert len(places) == 200
    assert {tuple(place) for place in places.tolist()} == {(3, 6), (7, 6), (5, 4), (5, 8)}


def test_what_leaves_the_image_is_lost_and_black_comes_in():
    x = damaged(gray(), shift(3)).x
    assert (x == 0).float().mean().item() == pytest.approx(3 / 12)


def test_a_patch_is_a_black_square_inside():
    black = damaged(gray(), missing_patch(5)).x == 0
    assert (black.flatten(1).sum(1) == 25).all()
    assert (black.any(2).sum(2) == 5).all() and (black.any(3).sum(2) == 5).all()
    assert black.any(0).all()  # every pixel is hit in some image, corners included


def test_damage_depends_on_its_seed_alone():
    torch.manual_seed(0)
    one = damaged(gray(), noise(0.2), seed=1).x
    torch.manual_seed(7)
    assert torch.equal(one, damaged(gray(), noise(0.2), seed=1).x)
    assert not torch.equal(one, damaged(gray(), noise(0.2), seed=2).x)


def test_a_copy_follows_and_repairs_nothing():
    assert error_under(Copy(), gray(), missing_patch(6), "damaged") == 0
    assert error_under(Copy(), gray(), missing_patch(6), "clean") == pytest.approx(0.16 * 36 / 144, rel=1e-5)


def test_separate_clusters_are_found_and_noise_is_not():
    torch.manual_seed(0)
    y = torch.arange(300) % 3
    found = clustering(torch.eye(3)[y] * 10 + torch.randn(300, 3), y, k=3)
    assert found.nmi == pytest.approx(1) and found.ari == pytest.approx(1)
    found = clustering(torch.randn(3000, 3), torch.arange(3000) % 3, k=3)
    assert abs(found.ari) < 0.01 and found.nmi < 0.01


def test_a_copy_cross_fades_in_equal_steps():
    a, b = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    way = interpolation(Copy(), a, b, steps=5)
    torch.testing.assert_close(way[:, 0, 0, 0, 0], torch.tensor([0, 0.25, 0.5, 0.75, 1]))
    found = journey(way, torch.cat([a, b]))
    assert found == pytest.approx((1, 2, 0))  # half-way each of 16 pixels is 0.5 from black and from white
    assert journey(a.expand(5, 2, 1, 4, 4), a) == (1, 0, 0)


def test_one_jump_is_as_uneven_as_can_be():
    way = torch.zeros(5, 2, 1, 4, 4)
    way[3:] = 1
    assert journey(way, way[0]).unevenness == pytest.approx(4)


def test_a_quantizer_is_interpolated_before_it_quantizes():
    torch.manual_seed(0)
    model = small_vqvae(FSQ((3,)), width=4)
    a, b = torch.rand(2, 3, 1, 28, 28)
    way = interpolation(model, a, b, steps=3)
    middle = model.quantizer.lookup(model.quantizer.indices((model.grid(a) + model.grid(b)) / 2))
    torch.testing.assert_close(way[1], model.decode(middle).detach())
    torch.testing.assert_close(way[0], model(a).x_hat.detach())


def test_clear_errors():
    with pytest.raises(ValueError, match="two points or more"):
        interpolation(Copy(), torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), steps=1)
    with pytest.raises(ValueError, match="three or more steps"):
        journey(torch.zeros(2, 1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    with pytest.raises(ValueError, match="4 clusters need"):
        clustering(torch.zeros(3, 2), torch.zeros(3), k=4)
    with pytest.raises(ValueError, match="not finite"):
        clustering(torch.full((9, 2), math.nan), torch.zeros(9), k=2)
    with pytest.raises(ValueError, match="'clean' or 'damaged'"):
        error_under(Copy(), gray(), noise(0.1), "both")
    with pytest.raises(ValueError, match="nothing to damage"):
        damaged(gray(0), noise(0.1))
