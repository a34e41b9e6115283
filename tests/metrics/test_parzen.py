"""The Parzen estimate agrees with scikit-learn's, and its bandwidth is the best of those offered."""

import math

import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.neighbors import KernelDensity

from aelib.metrics.parzen import CHUNK, parzen_bandwidth, parzen_log_likelihoods


@pytest.mark.parametrize("bandwidth", [0.05, 0.2, 1.0])
def test_it_is_scikit_learns_kernel_density(bandwidth):
    torch.manual_seed(0)
    samples, x = torch.rand(300, 1, 6, 6), torch.rand(40, 1, 6, 6)
    (ours,) = parzen_log_likelihoods(samples, x, [bandwidth])
    # All samples in one leaf: scikit-learn's bounds on the nodes of a tree are off where kernels underflow.
    kde = KernelDensity(bandwidth=bandwidth, leaf_size=len(samples) + 1)
    theirs = kde.fit(samples.flatten(1).numpy()).score_samples(x.flatten(1).numpy())
    torch.testing.assert_close(ours.double(), torch.from_numpy(theirs), rtol=1e-4, atol=1e-2)


def test_one_sample_makes_a_gaussian():
    x, sample = torch.rand(5, 10), torch.rand(1, 10)
    expected = multivariate_normal(sample[0].numpy(), 0.09).logpdf(x.numpy())
    (found,) = parzen_log_likelihoods(sample, x, [0.3])
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), rtol=1e-5, atol=1e-4)


def test_a_sample_itself_is_never_unlikely():
    """Not even under a tiny bandwidth, whose other terms underflow."""
    torch.manual_seed(0)
    samples = torch.rand(50, 784)
    (found,) = parzen_log_likelihoods(samples, samples, [0.01])
    peak = -0.5 * 784 * math.log(2 * math.pi * 1e-4) - math.log(50)
    torch.testing.assert_close(found, torch.full((50,), peak), rtol=1e-3, atol=0)


def test_images_are_scored_one_by_one_whatever_the_chunk():
    torch.manual_seed(0)
    samples, x = torch.rand(20, 4), torch.rand(CHUNK + 3, 4)
    whole = parzen_log_likelihoods(samples, x, [0.1, 0.3])
    assert whole.shape == (2, CHUNK + 3)
    torch.testing.assert_close(whole[:, -5:], parzen_log_likelihoods(samples, x[-5:], [0.1, 0.3]))


def test_the_bandwidth_of_gaussian_samples_is_found():
    """All samples at one point, images around it with spread 0.3: the best bandwidth is 0.3."""
    torch.manual_seed(0)
    samples, x = torch.zeros(10, 50), 0.3 * torch.randn(500, 50)
    assert parzen_bandwidth(samples, x, [0.1, 0.2, 0.3, 0.4, 0.5]) == 0.3
    with pytest.raises(ValueError, match="at the end of the range"):
        parzen_bandwidth(samples, x, [0.3, 0.4, 0.5])


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="of their shape"):
        parzen_log_likelihoods(torch.rand(3, 4), torch.rand(3, 5), [0.1])
    with pytest.raises(ValueError, match="non-empty"):
        parzen_log_likelihoods(torch.rand(0, 4), torch.rand(3, 4), [0.1])
    with pytest.raises(ValueError, match="positive"):
        parzen_log_likelihoods(torch.rand(3, 4), torch.rand(3, 4), [])
