"""PCA and logistic PCA."""

import pytest
import torch
from sklearn.decomposition import PCA

from aelib.metrics import codes, per_image, per_pixel, reconstructions
from aelib.models.pca import LogisticPCA, pca


def test_pca_is_scikit_learns(images):
    x = images.images()
    model = pca(x, 7)
    theirs = PCA(7, svd_solver="full").fit(x.flatten(1).double().numpy())
    restored = torch.from_numpy(theirs.inverse_transform(theirs.transform(x.flatten(1).double().numpy()))).float()
    torch.testing.assert_close(reconstructions(model, images).flatten(1), restored, rtol=0, atol=1e-4)
    assert codes(model, images).shape == (200, 7)


def test_no_linear_code_of_its_size_has_a_smaller_error_than_pca(images):
    x = images.images()
    best = per_pixel(reconstructions(pca(x, 3), images), x)
    flat = x.flatten(1) - x.flatten(1).mean(0)
    torch.manual_seed(0)
    for _ in range(20):
        q, _ = torch.linalg.qr(torch.randn(784, 3))
        assert (flat - flat @ q @ q.T).square().mean().item() > best


def test_pca_refuses_more_components_than_there_are(images):
    with pytest.raises(ValueError, match="has 1 to 5 components, not 6"):
        pca(images[:5].images(), 6)


def test_logistic_pca_beats_pca_on_binary_images(images):
    x = (images.images() > 0.5).float()
    linear = pca(x, 2)
    with torch.no_grad():
        error = per_image(linear.decode(linear.encode(x)).clamp(0, 1), x)
    found = LogisticPCA(2, iterations=60).fit(x).reconstruct(x)
    assert found.shape == x.shape
    assert per_image(found, x) < 0.8 * error
