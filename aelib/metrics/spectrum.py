"""In how many directions codes vary."""

import torch
from torch import Tensor


def participation_ratio(z: Tensor) -> float:
    r"""The effective number of directions in which codes vary, from the eigenvalues of their covariance:

    .. math:: \frac{\bigl(\sum_i \lambda_i\bigr)^2}{\sum_i \lambda_i^2}

    The number of latents if the codes vary alike in all directions, 1 if they lie on a line. It changes neither with
    the scale of the whole code nor with a rotation, but with the scale of a single latent.

    Args:
        z: codes (N, latent), two or more.

    Raises:
        ValueError: fewer codes, another shape, or codes that are all the same.
    """
    if z.ndim != 2 or len(z) < 2:
        raise ValueError(f"participation_ratio takes two or more codes (N, latent); it got {tuple(z.shape)}.")
    covariance = torch.atleast_2d(z.double().T.cov())
    # The trace of C is the sum of its eigenvalues, its squared Frobenius norm the sum of their squares.
    total, squares = covariance.trace().item(), covariance.square().sum().item()
    if not squares > 0:
        raise ValueError("The codes do not vary: they have no direction.")
    return total**2 / squares
