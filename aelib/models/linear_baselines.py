r"""What can be had without training: the conditional Gaussian for missing pixels, and the linear regression for noise.

Closed forms that a network has to beat before its score says anything of it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class GaussianInpainter:
    r"""Missing pixels as their mean given the others, under a Gaussian with the training images' moments.

    .. math::
        \mathbb{E}[x_h \mid x_o] = m_h + C_{ho} C_{oo}^{-1} (x_o - m_o)
        = m_h - \Lambda_{hh}^{-1} \Lambda_{ho} (x_o - m_o)

    with the precision :math:`\Lambda = C^{-1}`; Bishop, "Pattern recognition and machine learning" (2006), equations
    2.73 and 2.82. No linear rule has a smaller squared error. Made by :meth:`fit`.
    """

    mean: Tensor  # (d,), double
    precision: Tensor  # (d, d), double

    @classmethod
    def fit(cls, x: Tensor, ridge: float = 1e-3) -> "GaussianInpainter":
        """Fit to images (N, C, H, W).

        Args:
            ridge: what is added to each pixel's variance; pixels that never vary need it.

        Raises:
            ValueError: fewer than two images, or a ridge that is not positive.
        """
        if len(x) < 2 or not ridge > 0:
            raise ValueError(
                f"A Gaussian is fitted to two images or more, with a positive ridge; got {len(x)}, {ridge}."
            )
        flat = x.flatten(1).double()
        covariance = flat.T.cov() + ridge * torch.eye(flat.shape[1], dtype=torch.float64, device=x.device)
        return cls(flat.mean(0), torch.linalg.inv(covariance))

    def fill(self, x: Tensor, missing: Tensor) -> Tensor:
        """The images with their missing pixels replaced; what was in these is not looked at.

        Args:
            x: (N, C, H, W).
            missing: bool, (N, C, H, W), or (1, C, H, W) for the same pixels in all.

        Raises:
            ValueError: the shapes do not fit, or *missing* is not bool.
        """
        if missing.dtype != torch.bool or x[0].numel() != len(self.mean) or missing.shape[1:] != x.shape[1:]:
            raise ValueError(
                f"fill takes images of {len(self.mean)} pixels and a bool for each pixel; it got {tuple(x.shape)} and "
                f"{missing.dtype} of shape {tuple(missing.shape)}."
            )
        filled = x.flatten(1).double().clone()
        for row, holes in zip(filled, missing.expand_as(x).flatten(1), strict=True):
            off = self.precision[holes][:, ~holes] @ (row[~holes] - self.mean[~holes])
            row[holes] = self.mean[holes] - torch.linalg.solve(self.precision[holes][:, holes], off)
        return filled.to(x.dtype).view_as(x)


def linear_denoiser(clean: Tensor, noisy: Tensor, ridge: float = 0.0) -> nn.Sequential:
    r"""The linear map from noisy images to clean ones with the least squared error (ridge regression).

    .. math:: \min_{W, b} \frac1N \sum_n \lVert x_n - W \tilde x_n - b \rVert^2 + \lambda \lVert W \rVert_F^2,
        \qquad W = C_{x \tilde x} (C_{\tilde x \tilde x} + \lambda I)^{-1}

    Args:
        clean, noisy: (N, C, H, W), pairs.
        ridge: :math:`\lambda`, 0 or more; 0 is least squares, of the least norm where pixels never vary.

    Returns:
        A module from (B, C, H, W) to (B, C, H, W), not clipped.

    Raises:
        ValueError: the shapes differ, there are fewer than two pairs, or *ridge* is negative.
    """
    if clean.shape != noisy.shape or len(clean) < 2 or ridge < 0:
        raise ValueError(
            f"linear_denoiser takes pairs of images, two or more, and a ridge of 0 or more; "
            f"it got {tuple(clean.shape)}, {tuple(noisy.shape)} and {ridge}."
        )
    x, y = noisy.flatten(1).double(), clean.flatten(1).double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    among = (x - x_mean).T @ (x - x_mean) / len(x)
    among.diagonal().add_(ridge)
    across = (x - x_mean).T @ (y - y_mean) / len(x)
    weight = (torch.linalg.pinv(among, hermitian=True) @ across).T
    layer = nn.Linear(weight.shape[1], weight.shape[0], device=clean.device, dtype=clean.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(y_mean - weight @ x_mean)
    return nn.Sequential(nn.Flatten(), layer, nn.Unflatten(1, tuple(clean.shape[1:]))).eval()
