"""The participation ratio: known answers."""

import math

import pytest
import torch

from aelib.metrics import participation_ratio


def with_deviations(*deviations):
    """Codes whose covariance is exactly diagonal: the corners of a box, with these half edges."""
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * len(deviations))
    return corners.view(-1, len(deviations)) * torch.tensor(deviations)


@pytest.mark.parametrize(
    ("deviations", "ratio"),
    [((3.0, 3.0, 3.0, 3.0), 4), ((5.0, 0.0, 0.0), 1), ((1.0, 1.0, 0.0), 2), ((2.0, 1.0), 25 / 17), ((7.0,), 1)],
)
def test_it_is_the_square_of_the_sum_over_the_sum_of_squares(deviations, ratio):
    z = with_deviations(*deviations)
    assert participation_ratio(z) == pytest.approx(ratio)
    assert participation_ratio(1000 * z + 5) == pytest.approx(ratio)


def test_a_rotation_changes_nothing_and_one_stretched_latent_leaves_one_direction():
    z = torch.randn(500, 6, generator=torch.Generator().manual_seed(0))
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1))).Q
    assert participation_ratio(z @ turn) == pytest.approx(participation_ratio(z), rel=1e-4)
    z[:, 2] *= 1000
    assert participation_ratio(z) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("z", [torch.zeros(1, 3), torch.zeros(4), torch.ones(4, 2), torch.full((4, 2), math.nan)])
def test_codes_without_a_direction_are_refused(z):
    with pytest.raises(ValueError, match=r"two or more codes|no direction"):
        participation_ratio(z)
