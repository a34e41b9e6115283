"""Likelihoods and divergences, each named for what it is.

What ends in ``nll``, ``error``, ``entropy`` or ``kl`` takes a batch, sums over all dimensions but the first and
averages over the first: nats per example for likelihoods and divergences, squared units per example for
:func:`squared_error`. What ends in ``log_prob`` keeps the batch: nats, a number an example. To turn a sum over *d*
pixels into a mean over pixels, divide by *d*; nothing here does so silently.

A generative model carries its likelihood, :class:`Bernoulli`, :class:`Gaussian` or :class:`Mixed`, so that
what it is trained on and what is measured of it are one.
"""

from aelib.likelihoods.bernoulli import Bernoulli, bernoulli_kl, bernoulli_log_prob, bernoulli_nll, binary_entropy
from aelib.likelihoods.categorical import categorical_nll, code_counts, perplexity, symbols_in_use
from aelib.likelihoods.gaussian import Gaussian, gaussian_kl, gaussian_kl_terms, gaussian_log_prob, squared_error
from aelib.likelihoods.importance import importance_weighted_bound, log_weights
from aelib.likelihoods.mixed import Mixed
from aelib.likelihoods.surprise import surprise

__all__ = [
    "Bernoulli",
    "Gaussian",
    "Mixed",
    "bernoulli_kl",
    "bernoulli_log_prob",
    "bernoulli_nll",
    "binary_entropy",
    "categorical_nll",
    "code_counts",
    "gaussian_kl",
    "gaussian_kl_terms",
    "gaussian_log_prob",
    "importance_weighted_bound",
    "log_weights",
    "perplexity",
    "squared_error",
    "surprise",
    "symbols_in_use",
]
