"""Reconstruction errors in both units, image quality, and probes."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from sklearn.svm import SVC
from torch import nn

from aelib.metrics import (
    codes,
    image_errors,
    knn,
    linear_svm,
    logistic_regression,
    one_class,
    per_image,
    per_pixel,
    psnr,
    reconstructions,
    ssim,
    svm,
)
from aelib.models.autoencoder import Autoencoder


def test_the_two_units_differ_by_the_number_of_pixels():
    x = torch.zeros(3, 1, 28, 28)
    assert per_image(x + 0.1, x) == pytest.approx(7.84, rel=1e-5)
    assert per_pixel(x + 0.1, x) == pytest.approx(0.01, rel=1e-5)
    assert image_errors(x + 0.1, x).shape == (3,)


def test_psnr_is_scikit_images():
    torch.manual_seed(0)
    x, noise = torch.rand(4, 1, 16, 16), 0.05 * torch.randn(4, 1, 16, 16)
    theirs = [peak_signal_noise_ratio(a.numpy(), (a + n).numpy(), data_range=1) for a, n in zip(x, noise, strict=True)]
    assert psnr(x + noise, x) == pytest.approx(np.mean(theirs), rel=1e-4)


def test_ssim_is_one_for_the_same_image_and_falls_with_noise():
    torch.manual_seed(0)
    x = torch.rand(3, 1, 16, 16)
    values = [ssim((x + s * torch.randn_like(x)).clamp(0, 1), x) for s in (0.0, 0.05, 0.3)]
    assert values[0] == pytest.approx(1)
    assert values[0] > values[1] > values[2]


def test_metrics_refuse_other_shapes_and_nothing():
    for metric in (per_image, per_pixel, psnr, ssim):
        with pytest.raises(ValueError, match="one shape"):
            metric(torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 9))
        with pytest.raises(ValueError, match="non-empty"):
            metric(torch.rand(0, 1, 8, 8), torch.rand(0, 1, 8, 8))
    with pytest.raises(ValueError, match="gray images"):
        ssim(torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16))


def test_codes_and_reconstructions_do_not_depend_on_the_batch_size(images):
    model = Autoencoder((784, 20, 3), nn.ReLU)
    torch.testing.assert_close(codes(model, images, 7), codes(model, images))
    torch.testing.assert_close(reconstructions(model, images, 7), reconstructions(model, images))
    with pytest.raises(ValueError, match="empty"):
        codes(model, images[:0])


@pytest.mark.parametrize("probe", [svm, linear_svm, logistic_regression, knn])
def test_probes_find_separable_classes_and_nothing_in_noise(probe):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(400) % 4
    noise = torch.randn(400, 4, generator=generator)
    apart = noise + 8 * nn.functional.one_hot(y, 4)
    found = probe(apart[:300], y[:300], apart[300:], y[300:])
    assert found == (100.0, 0.0)
    blind = probe(noise[:300], y[:300], noise[300:], y[300:])
    assert abs(blind.percent - 25) < 15
    p = blind.percent / 100
    assert blind.standard_error == pytest.approx(100 * (p * (1 - p) / 100) ** 0.5)


def test_probes_refuse_what_they_cannot_use():
    z, y = torch.rand(10, 2), torch.arange(10) % 2
    with pytest.raises(ValueError, match="the test ones"):
        svm(z, y, z, y[:9])
    with pytest.raises(ValueError, match="not finite"):
        svm(z * float("nan"), y, z, y)


def test_what_lies_between_classes_has_neighbors_of_several():
    y = torch.arange(40) % 2
    z = torch.stack([20.0 * y, torch.arange(40) / 100], 1)  # two tight groups, twenty apart
    inside, between = z[:10] + 0.001, torch.tensor([[10.0, 0.2]])
    assert one_class(z, y, inside) == 1
    assert one_class(z, y, between, k=6) == 0
    assert one_class(z, y, torch.cat([inside, between]), k=6) == pytest.approx(10 / 11)
    with pytest.raises(ValueError, match="The made-up codes hold values that are not finite"):
        one_class(z, y, between * float("nan"))


def test_the_kernels_width_is_a_multiple_of_scikit_learns_scale():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(300) % 3
    z = torch.randn(300, 4, generator=generator) + nn.functional.one_hot(y, 4)
    train, test = (z[:200], y[:200]), (z[200:], y[200:])
    assert svm(*train, *test, width=1 + 1e-9) == svm(*train, *test)
    by_hand = SVC(C=10, gamma=3 / (4 * z[:200].numpy().var())).fit(z[:200].numpy(), y[:200].numpy())
    assert svm(*train, *test, width=3).percent == pytest.approx(100 * by_hand.score(z[200:].numpy(), y[200:].numpy()))
    assert svm(*train, *test, width=3) != svm(*train, *test)
