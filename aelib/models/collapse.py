r"""When a variational autoencoder's code dies: the weight above which no latent pays for itself.

Lucas, Tucker, Grosse & Norouzi, "Don't blame the ELBO! A linear VAE perspective on posterior collapse", NeurIPS 2019,
for Gaussian pixels; Rolínek, Zietlow & Martius, "Variational autoencoders pursue PCA directions (by accident)", CVPR
2019, for the expansion.
"""

import torch
from torch import Tensor

from aelib.interfaces import Likelihood
from aelib.likelihoods import Bernoulli, Gaussian

BITS = Bernoulli()


def critical_beta(x: Tensor, likelihood: Likelihood = BITS) -> float:
    r"""The β of :class:`~aelib.models.vae.ELBO` above which the collapsed state is a minimum of a linear VAE.

    In that state the code is the prior and the decoder gives the mean *m*. Let one latent carry
    :math:`\mu = u^\top (x - m)` and change the pixels' natural parameters (log-odds, or means over σ²) by :math:`w z`.
    To second order in *u* and *w* the objective changes by

    .. math:: -u^\top C w + \tfrac12 w^\top V w + \tfrac{\beta}{2} u^\top C u, \qquad
        V = \operatorname{diag}(m (1 - m)) \text{ for bits}, \quad \sigma^2 I \text{ for Gaussian pixels}

    with the pixels' covariance *C*. With the best *w* it can be lowered exactly if β is below

    .. math:: \beta_c = \lambda_\text{max}\bigl(V^{-1/2} \, C \, V^{-1/2}\bigr).

    For bits this matrix is their correlation matrix; for Gaussian pixels the condition is Lucas et al.'s (2019), that
    :math:`\beta \sigma^2` exceeds the covariance's largest eigenvalue. A deep network starts near such a state, if its
    first layers are near linear there, and then :math:`\beta_c` is where training leaves it or does not.

    Args:
        x: images (N, C, H, W), or vectors (N, d). Pixels that never vary are left out.
        likelihood: :class:`~aelib.likelihoods.Bernoulli` or :class:`~aelib.likelihoods.Gaussian`.

    Raises:
        ValueError: fewer than two images, or none that differs from the others.
        TypeError: another likelihood.
    """
    if not isinstance(likelihood, Bernoulli | Gaussian):
        raise TypeError(f"critical_beta knows Bernoulli and Gaussian pixels, not {type(likelihood).__name__}.")
    flat = x.flatten(1).double()
    flat = flat[:, (flat != flat[:1]).any(0)]
    if len(flat) < 2 or flat.shape[1] == 0:
        raise ValueError(f"critical_beta takes two images or more that differ; it got {tuple(x.shape)}.")
    mean = flat.mean(0)
    if isinstance(likelihood, Bernoulli):
        likelihood.check(x)
        scale = (mean * (1 - mean)).sqrt()
    else:
        scale = torch.full_like(mean, likelihood.sigma)
    covariance = (flat - mean).T @ (flat - mean) / len(flat)
    return torch.linalg.eigvalsh(covariance / scale / scale[:, None])[-1].item()
