r"""The Fréchet distance between two clouds of features, each taken for a Gaussian.

Dowson & Landau, "The Fréchet distance between multivariate normal distributions", J. Multivariate Analysis 12 (1982);
as a measure of generated images: Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
equilibrium", NeurIPS 2017. Theirs, the FID, uses the features of one network trained on ImageNet. With other features
it is another number, and must have another name.
"""

import torch
from torch import Tensor


def gaussian_frechet(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    r"""Squared Fréchet (2-Wasserstein) distance between two Gaussians (Dowson & Landau 1982, equation 4).

    .. math:: \lVert m_a - m_b \rVert^2 + \text{Tr}\bigl(\Sigma_a + \Sigma_b - 2 (\Sigma_a \Sigma_b)^{1/2}\bigr)

    The trace of the root is taken from the eigenvalues of :math:`\Sigma_a^{1/2} \Sigma_b \Sigma_a^{1/2}`, which are
    those of the product. The matrix is symmetric: no complex numbers, also where a covariance is singular.

    Args:
        mean_a, mean_b: shape (F,).
        cov_a, cov_b: shape (F, F), symmetric, with no negative eigenvalue.

    Raises:
        ValueError: the shapes do not fit together, or a number is not finite.
    """
    size = len(mean_a)
    shapes = [tuple(t.shape) for t in (mean_a, cov_a, mean_b, cov_b)]
    if shapes != [(size,), (size, size)] * 2:
        raise ValueError(f"Two Gaussians have means (F,) and covariances (F, F), for one F; these have {shapes}.")
    mean_a, cov_a, mean_b, cov_b = (t.double() for t in (mean_a, cov_a, mean_b, cov_b))
    if not all(t.isfinite().all() for t in (mean_a, cov_a, mean_b, cov_b)):
        raise ValueError("A mean or a covariance is not finite; look at the features that it was taken from.")
    values, vectors = torch.linalg.eigh(cov_a)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    product = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0)  # rounding may leave -1e-17 where 0 is meant
    squared = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * product.sqrt().sum()
    return max(squared.item(), 0.0)


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared Fréchet distance between the Gaussians that have the means and covariances of two sets of features.

    It is 0 for equal sets only in the first two moments: sets may differ in all others. With few examples it is too
    large, on average; compare sets of one size.

    Args:
        a, b: features, shapes (n, F) and (m, F), two or more of each.

    Returns:
        In squared units of the features.

    Raises:
        ValueError: the shapes do not fit together, or a set has fewer than two examples.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"A Fréchet distance compares features (n, F) and (m, F), two or more of each; "
            f"they are {tuple(a.shape)} and {tuple(b.shape)}."
        )
    return gaussian_frechet(*_moments(a), *_moments(b))


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    features = features.double()
    return features.mean(0), features.T.cov().view(features.shape[1], -1)
