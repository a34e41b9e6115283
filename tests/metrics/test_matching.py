"""How well codes fill a prior: holes, the divergence in cells, and the two-sample distance."""

import math

import pytest
import torch

from aelib.metrics.matching import density_ratio, hole_fraction, jensen_shannon, mmd


def test_codes_drawn_from_the_prior_leave_no_hole_and_half_a_prior_leaves_half():
    torch.manual_seed(0)
    z = 5 * torch.randn(40_000, 2)
    ratio = density_ratio(z, std=5.0, cells=20)
    assert ratio.mean().item() == pytest.approx(1)
    assert hole_fraction(ratio) == 0
    assert 0 < jensen_shannon(ratio) < 2 * 400 / (8 * 40_000)  # chance alone: about half of that
    half = density_ratio(torch.stack([z[:, 0].abs(), z[:, 1]], 1), std=5.0)
    assert hole_fraction(half) == 0.5
    assert (half[:10] == 0).all()  # the first axis is the first coordinate
    # The ratio is 0 on one half and 2 on the other.
    known = 0.5 * (0.5 * math.log(2) + 0.5 * math.log(2 / 3)) + 0.5 * math.log(4 / 3)
    assert jensen_shannon(half) == pytest.approx(known, abs=0.004)
    with pytest.raises(ValueError, match="codes of two numbers"):
        density_ratio(torch.rand(5, 3))


def test_codes_at_one_point_are_as_far_from_the_prior_as_can_be():
    ratio = density_ratio(torch.full((1000, 2), 0.3), cells=100)
    assert jensen_shannon(ratio) == pytest.approx(math.log(2), abs=0.001)
    assert hole_fraction(ratio) == pytest.approx(1, abs=0.001)


def test_mmd_has_the_known_value_for_two_gaussians():
    """For N(0, 1) and N(m, 1) and a kernel of width w, E k = w / √(w² + 2) · exp(−m² / (2w² + 4))."""
    torch.manual_seed(0)
    a, b = torch.randn(4000, 1), 1.5 + torch.randn(4000, 1)
    expected = 2 / math.sqrt(3) * (1 - math.exp(-(1.5**2) / 6))
    assert mmd(a, b) == pytest.approx(expected, rel=0.05)
    same = [mmd(torch.randn(300, 2), torch.randn(300, 2)) for _ in range(20)]
    assert min(same) < 0 < max(same)  # unbiased
    assert abs(sum(same)) / 20 < 0.001
    with pytest.raises(ValueError, match="two or more"):
        mmd(a[:1], b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mmd_is_the_same_far_from_the_origin(dtype):
    torch.manual_seed(0)
    a, b = torch.randint(-8, 9, (500, 2)).to(dtype) / 4, 1 + torch.randint(-8, 9, (400, 2)).to(dtype) / 4
    here, there = mmd(a, b), mmd(a + 1000, b + 1000)  # quarters: the shift itself rounds nothing
    assert here.dtype == dtype
    torch.testing.assert_close(there, here, rtol=0, atol=1e-7)


def test_mmd_is_gretton_et_als_third_equation_and_has_a_gradient():
    torch.manual_seed(0)
    a, b = torch.randn(7, 3, dtype=torch.float64, requires_grad=True), torch.randn(5, 3, dtype=torch.float64)

    def k(x, y):
        return math.exp(-(x - y).square().sum().item() / (2 * 1.3**2))

    first = sum(k(a[i], a[j]) for i in range(7) for j in range(7) if i != j) / (7 * 6)
    second = sum(k(b[i], b[j]) for i in range(5) for j in range(5) if i != j) / (5 * 4)
    both = sum(k(x, y) for x in a for y in b) / 35
    assert mmd(a, b, 1.3).item() == pytest.approx(first + second - 2 * both, rel=1e-12)
    assert torch.autograd.gradcheck(lambda x: mmd(x, b, 1.3), a)
    assert torch.autograd.gradcheck(lambda y: mmd(a.detach(), y, 1.3), b.requires_grad_())


def test_mmd_as_a_loss_moves_a_sample_onto_another():
    torch.manual_seed(0)
    target, z = torch.randn(300, 2), (3 + 0.3 * torch.randn(300, 2)).requires_grad_()
    before, optimizer = mmd(z, target).item(), torch.optim.Adam([z], 0.1)
    for _ in range(150):
        optimizer.zero_grad()
        mmd(z, target, 2.0).backward()
        optimizer.step()
    assert mmd(z, target).item() < 0.05 * before
