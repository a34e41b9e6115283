r"""The importance-weighted bound: the network of :mod:`aelib.models.vae`, a tighter bound on the likelihood.

Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016. With more samples the bound is tighter,
but the encoder's gradient drowns in its own noise (Rainforth et al., "Tighter variational bounds are not necessarily
better", ICML 2018). Two estimators mend that: Roeder, Wu & Duvenaud, "Sticking the landing", NeurIPS 2017; Tucker,
Lawson, Gu & Maddison, "Doubly reparameterized gradient estimators for Monte Carlo objectives", ICLR 2019.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from aelib.data import Batch
from aelib.likelihoods import importance_weighted_bound, log_weights
from aelib.models.vae import VAEOutput

ESTIMATORS = ("iwae", "stl", "dreg")


@dataclass(frozen=True)
class IWAE:
    r"""Minus the importance-weighted bound of *k* samples, in nats per image: the smaller, the tighter.

    .. math:: -\mathbb{E}\left[\log \frac1k \sum_{i=1}^{k} w_i\right]

    Burda et al. (2016), equation 8. Calls ``nets["vae"]``. With one sample its mean is the
    :class:`~aelib.models.vae.ELBO`'s. Reports ``"elbo"``, minus the evidence lower bound on the same samples.

    The bound's value and the decoder's gradient are the same for all three estimators of the encoder's gradient. With
    :math:`\tilde w_i = w_i / \sum_j w_j`, held fixed, and :math:`z_i = z(\phi, \varepsilon_i)`, it is minus

    .. math::
        \text{iwae: } \sum_i \tilde w_i \frac{d \log w_i}{d \phi}, \qquad
        \text{stl: } \sum_i \tilde w_i \frac{\partial \log w_i}{\partial z_i} \frac{d z_i}{d \phi}, \qquad
        \text{dreg: } \sum_i \tilde w_i^2 \frac{\partial \log w_i}{\partial z_i} \frac{d z_i}{d \phi}

    "iwae" (Burda et al. 2016, equation 14) and "dreg" (Tucker et al. 2019, equation 8) are unbiased. "stl", Roeder
    et al.'s (2017) gradient, is unbiased for one sample only, where it is "dreg". Where q is the posterior, the last
    two are zero for every draw.

    Args:
        samples: *k*, codes drawn for each image.
        estimator: ``"iwae"``, ``"stl"`` or ``"dreg"``.

    Raises:
        ValueError: fewer than one sample, or another estimator.
    """

    samples: int = 50
    estimator: Literal["iwae", "stl", "dreg"] = "iwae"

    def __post_init__(self) -> None:
        if self.samples < 1 or self.estimator not in ESTIMATORS:
            raise ValueError(
                f"IWAE takes 1 sample or more and an estimator of {', '.join(map(repr, ESTIMATORS))}; "
                f"it got {self.samples} and {self.estimator!r}."
            )

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        out: VAEOutput = nets["vae"](batch.x, self.samples)
        log_w = log_weights(out, batch.x, path=self.estimator != "iwae")  # (k, B)
        if self.estimator == "dreg" and out.z.requires_grad:
            normalized = log_w.detach().softmax(0)[..., None]  # (k, B, 1)
            # The bound's own gradient has one factor of the weights at z; what goes on to the encoder gets the second.
            out.z.register_hook(lambda gradient: gradient * normalized)
        return {"loss": -importance_weighted_bound(log_w).mean(), "elbo": -log_w.detach().mean()}
