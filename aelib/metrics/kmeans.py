"""Whether a code falls into groups by itself, and whether these are the classes."""

from typing import NamedTuple

from torch import Tensor

from aelib.extras import extra
from aelib.metrics.probes import _check


class Clustering(NamedTuple):
    """How well the clusters agree with the labels; 1 is perfect for both, 0 is what chance gives (on average)."""

    nmi: float  # normalized mutual information, by the arithmetic mean of the entropies
    ari: float  # adjusted Rand index


def clustering(z: Tensor, y: Tensor, k: int = 10, seed: int = 0) -> Clustering:
    """k-means on the codes as they are, ten starts, compared with the labels that it did not see.

    Args:
        z, y: codes (N, latent) and labels (N,).
        k: number of clusters.
        seed: of the starts.

    Raises:
        ValueError: the shapes do not fit together, codes are not finite, or there are fewer codes than clusters.
    """
    with extra("metrics"):
        from sklearn.cluster import KMeans
        from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    _check(z, y, "clustered")
    if len(z) < k:
        raise ValueError(f"{k} clusters need {k} codes or more; there are {len(z)}.")
    found = KMeans(k, n_init=10, random_state=seed).fit_predict(z.numpy())
    return Clustering(normalized_mutual_info_score(y.numpy(), found), adjusted_rand_score(y.numpy(), found))
