r"""How strange a row, picture or window is to an autoencoder, in nats."""

from typing import Any

from torch import Tensor

from aelib.likelihoods.bernoulli import Bernoulli
from aelib.likelihoods.gaussian import gaussian_kl_terms


def surprise(model: Any, x: Tensor) -> Tensor:
    r"""Minus the log likelihood of each example given its code and, of a variational model, its code's divergence:

    .. math:: s(x) = -\log p(x \mid z) \quad\text{or}\quad
        s(x) = -\log p(x \mid \mu(x)) + \mathrm{KL}(q(z \mid x) \,\|\, N(0, I))

    The second is the bound on :math:`-\log p(x)` at the mean of the code instead of a draw: the same number each time.

    Args:
        model: with ``encode`` and ``decoder``, and a ``likelihood`` (a Bernoulli if it is None); one with ``posterior``
            is variational.
        x: shape (B, ...).

    Returns:
        Shape (B,).

    Raises:
        TypeError: the model has no likelihood.
    """
    if not hasattr(model, "likelihood") or not hasattr(model, "decoder") or not hasattr(model, "encode"):
        raise TypeError(
            f"surprise takes a model with encode, decoder and likelihood; {type(model).__name__} lacks one."
        )
    likelihood = model.likelihood or Bernoulli()
    if not hasattr(model, "posterior"):
        return -likelihood.log_prob(model.decoder(model.encode(x)), x)
    mu, logvar = model.posterior(x)
    return -likelihood.log_prob(model.decoder(mu), x) + gaussian_kl_terms(mu, logvar).sum(1)
