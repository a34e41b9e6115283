"""The importance-weighted bound: the network of :mod:`aelib.models.vae`, a tighter bound on the likelihood.

Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from aelib.data import Batch
from aelib.likelihoods import log_weights


@dataclass(frozen=True)
class IWAE:
    r"""Minus the importance-weighted bound of *k* samples, in nats per image: the smaller, the tighter.

    .. math:: -\mathbb{E}\left[\log \frac1k \sum_{i=1}^{k} w_i\right]

    Burda et al. (2016), equation 8. Calls ``nets["vae"]``. With one sample its mean is the :class:`ELBO`'s. Reports
    ``"elbo"``, minus the evidence lower bound on the same samples, beside the loss.

    Args:
        samples: *k*, codes drawn for each image.
    """

    samples: int = 50

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        log_w = log_weights(nets["vae"](batch.x, self.samples), batch.x)  # (k, B)
        bound = log_w.logsumexp(0) - math.log(self.samples)
        return {"loss": -bound.mean(), "elbo": -log_w.detach().mean()}
