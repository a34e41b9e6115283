"""The regenerated variations on MNIST: rotations with known answers, noise of the right kind, disjoint parts."""

import pytest
import torch

from aelib.data import ImageSet, Splits, variation
from aelib.data.variations import VARIATIONS, before_noise, rotate


@pytest.fixture
def digits() -> Splits:
    """Images that can be told apart: 300 of noise, the upper left pixels spell the number of the image."""
    x = torch.randint(0, 256, (300, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    number = torch.arange(300)
    x[:, 0, 0, 0], x[:, 0, 0, 1] = (number // 256).to(torch.uint8), (number % 256).to(torch.uint8)
    return Splits(ImageSet(x[:200], number[:200] % 10), ImageSet(x[200:], number[200:] % 10), "a test", official=False)


def test_by_nothing_and_by_right_angles_a_rotation_is_exact(digits):
    x = digits.train.x[:8]
    for quarter in range(5):
        turned = rotate(x, torch.full((8,), 90.0 * quarter))
        assert torch.equal(turned, x.rot90(quarter, (2, 3)))


def test_each_image_is_turned_by_its_own_angle(digits):
    x, degrees = digits.train.x[:3], torch.tensor([0.0, 180.0, 33.0])
    together = rotate(x, degrees)
    for i in range(3):
        assert torch.equal(together[i : i + 1], rotate(x[i : i + 1], degrees[i : i + 1]))


def test_a_rotation_turns_counterclockwise_about_the_center_and_keeps_the_ink(images):
    x = images.x  # blobs on a circle about the center
    turned = rotate(x, torch.full((200,), 36.0))
    grid = torch.stack(torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij"), -1)

    def places(images):
        """Angle of the center of mass about the image's center, in degrees; x is right, y is up."""
        weights = images[:, 0].double()
        mass = weights.sum((1, 2))
        down, right = ((weights[..., None] * grid).sum((1, 2)) / mass[:, None] - 13.5).T
        return torch.rad2deg(torch.atan2(-down, right)), mass

    before, mass = places(x)
    after, turned_mass = places(turned)
    assert ((after - before - 36 + 180) % 360 - 180).abs().max() < 1.0
    torch.testing.assert_close(turned_mass, mass, rtol=0.06, atol=0)  # the blobs' rims cross the image's border


def test_noise_fills_the_range_and_never_hides_a_digit(images):
    x = images.x
    noisy = before_noise(x, torch.Generator().manual_seed(0))
    assert (noisy >= x).all()
    dark = noisy[x == 0].double()
    assert (dark.min(), dark.max()) == (0, 255)
    assert abs(dark.mean() - 127.5) < 1  # the mean of whole numbers drawn from 0 to 255; its standard error is 0.25
    assert torch.bincount(dark.long(), minlength=256).min() > 0


@pytest.mark.parametrize("name", VARIATIONS)
def test_parts_have_their_sizes_share_no_digit_and_come_again(digits, name):
    sizes = (150, 50, 100)
    found, again = (variation(name, sizes, seed=3, digits=digits) for _ in range(2))
    parts = (found.train, found.validation, found.test)
    assert tuple(map(len, parts)) == sizes
    for part, same in zip(parts, (again.train, again.validation, again.test), strict=True):
        assert torch.equal(part.x, same.x)
        assert torch.equal(part.y, same.y)
    assert not torch.equal(variation(name, sizes, seed=4, digits=digits).train.x, found.train.x)
    assert name in found.source


def test_basic_is_a_shuffle_of_the_digits_and_its_labels_go_with_them(digits):
    found = variation("basic", (150, 50, 100), digits=digits)
    x = torch.cat([part.x for part in (found.train, found.validation, found.test)])
    y = torch.cat([part.y for part in (found.train, found.validation, found.test)])
    number = 256 * x[:, 0, 0, 0].long() + x[:, 0, 0, 1].long()
    assert torch.equal(number.sort().values, torch.arange(300))
    assert not torch.equal(number, torch.arange(300))
    assert torch.equal(y, number % 10)


def test_all_variations_hold_the_same_digits_in_the_same_order(digits):
    basic, rot, noisy = (variation(name, (20, 10, 10), digits=digits) for name in ("basic", "rot", "bg-rand"))
    assert torch.equal(basic.test.y, rot.test.y)
    assert torch.equal(basic.test.y, noisy.test.y)
    assert (noisy.test.x >= basic.test.x).all()


def test_what_cannot_be_made_is_refused(digits):
    with pytest.raises(ValueError, match="the photographs are lost"):
        variation("bg-img-rot", digits=digits)
    with pytest.raises(ValueError, match=r"300 together at most; they are \(200, 50, 51\)"):
        variation("rot", (200, 50, 51), digits=digits)
    with pytest.raises(ValueError, match="three positive numbers"):
        variation("rot", (200, 0, 50), digits=digits)
    with pytest.raises(ValueError, match=r"N angles; it got \(4, 1, 28, 28\) and \(3,\)"):
        rotate(digits.train.x[:4], torch.zeros(3))
