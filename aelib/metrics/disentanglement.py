r"""Disentanglement: does each latent stand for one factor of variation? Four scores that do not mean the same.

They need data whose factors are known. :func:`mig` and :func:`dci` compare codes with the factors of the same images;
:func:`beta_vae_score` and :func:`factor_vae_score` intervene: they ask for codes of images that share one factor.
All are 1 for codes that are the factors themselves.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from aelib.extras import extra
from aelib.metrics.probes import logistic_regression

Represent = Callable[[Tensor], Tensor]
"""Factors (B, K), int64 values counted from 0, to the codes (B, latent) of images that have them."""

DEAD = 0.05  # a latent whose standard deviation over the data is smaller carries nothing


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness, each from 0 to 1."""

    disentanglement: float
    completeness: float
    informativeness: float
    importance: Tensor  # (latent, K), each factor's column sums to 1 (to 0 where no latent tells anything)


def mutual_information(z: Tensor, factors: Tensor, bins: int = 20) -> Tensor:
    r"""Mutual information :math:`I(z_j; v_k)` of each latent and each factor, in nats.

    A latent is cut into *bins* of equal width over its range. The estimate is too high by about
    :math:`(\text{bins} - 1)(V - 1) / 2N` for a factor of *V* values.

    Args:
        z: codes (N, latent).
        factors: int64 values (N, K) of the same images.

    Returns:
        Shape (latent, K). A latent that never changes has 0.

    Raises:
        ValueError: codes and factors do not belong together, or a code is not finite.
    """
    _check(z, factors)
    low, high = z.min(0).values, z.max(0).values
    cells = ((z - low) / (high - low).clamp(min=1e-30) * bins).long().clamp(max=bins - 1)
    with extra("metrics"):
        from sklearn.metrics import mutual_info_score

    pairs = [[mutual_info_score(v, c) for v in factors.T.numpy()] for c in cells.T.numpy()]
    return torch.tensor(pairs, dtype=torch.float32)


def mig(z: Tensor, factors: Tensor, bins: int = 20) -> Tensor:
    r"""Mutual information gap of each factor; their mean is the score called MIG.

    .. math:: \frac{I(z_{j_1}; v_k) - I(z_{j_2}; v_k)}{H(v_k)}

    where :math:`j_1` and :math:`j_2` are the latents that know most, and second most, of factor *k*. Chen et al.
    (2018), equation 6, with the histogram of :func:`mutual_information` in place of their densities.

    Args:
        z: codes (N, latent), at least two latents: means of the posterior, or samples from it (the paper's choice).
        factors: int64 values (N, K); each factor takes two values at least.

    Returns:
        Shape (K,), from 0 to 1.

    Raises:
        ValueError: codes and factors do not belong together, a factor never changes, or there is one latent only.
    """
    with extra("metrics"):
        from sklearn.metrics import mutual_info_score

    information = mutual_information(z, factors, bins)
    if z.shape[1] < 2:
        raise ValueError("mig compares the two best latents of each factor; these codes have only one.")
    entropy = torch.tensor([mutual_info_score(v, v) for v in factors.T.numpy()], dtype=torch.float32)
    if (entropy == 0).any():
        raise ValueError(f"Each factor must take two values at least; factor {int(entropy.argmin())} takes one.")
    best = information.topk(2, dim=0).values
    return (best[0] - best[1]) / entropy


def dci(z: Tensor, factors: Tensor, z_test: Tensor, factors_test: Tensor, trees: int = 10, seed: int = 0) -> DCI:
    r"""Disentanglement, completeness and informativeness of Eastwood & Williams (2018), section 2.

    A random forest predicts each factor from the code. With :math:`R_{jk}` the importance that it gives to latent
    *j* for factor *k*:

    - disentanglement of a latent is :math:`1 - H_K(R_{j \cdot} / \sum_k R_{jk})`: it matters for one factor only.
      The score averages over latents, weighted by :math:`\sum_k R_{jk}`.
    - completeness of a factor is :math:`1 - H_D(R_{\cdot k} / \sum_j R_{jk})`: one latent suffices for it.
    - informativeness is the forest's accuracy on the test codes, averaged over factors.

    :math:`H_K` is the entropy in base *K*. The numbers depend on the predictor: Locatello et al. (2019) use boosted
    trees, so compare within one implementation only.

    Raises:
        ValueError: codes and factors do not belong together, a factor never changes, or there is one latent or one
            factor only: the entropies then have no base.
    """
    with extra("metrics"):
        from sklearn.ensemble import RandomForestClassifier

    _check(z, factors)
    _check(z_test, factors_test)
    if z.shape[1:] != z_test.shape[1:] or factors.shape[1:] != factors_test.shape[1:]:
        raise ValueError(
            f"dci needs training and test codes of one size; they are {tuple(z.shape)} and {tuple(z_test.shape)}, "
            f"with factors {tuple(factors.shape)} and {tuple(factors_test.shape)}."
        )
    if min(z.shape[1], factors.shape[1]) < 2:
        raise ValueError(
            f"dci asks which latent stands for which factor, so it needs two or more of each; "
            f"there are {z.shape[1]} and {factors.shape[1]}."
        )
    if (constant := (factors == factors[0]).all(0)).any():
        raise ValueError(f"Each factor must take two values at least; factor {int(constant.int().argmax())} takes one.")
    columns, accuracies = [], []
    for v, v_test in zip(factors.T.numpy(), factors_test.T.numpy(), strict=True):
        # Leaves of ten images and more: a deeper tree would split on latents that only fit noise.
        forest = RandomForestClassifier(trees, min_samples_leaf=10, random_state=seed, n_jobs=-1, max_features=None)
        forest.fit(z.numpy(), v)
        columns.append(forest.feature_importances_)
        accuracies.append(forest.score(z_test.numpy(), v_test))
    importance = np.stack(columns, axis=1)
    total = importance.sum()
    weight = importance.sum(1) / total if total else importance.sum(1)
    return DCI(
        float((weight * _concentration(importance)).sum()),
        float(_concentration(importance.T).mean()),
        float(np.mean(accuracies)),
        torch.from_numpy(importance).float(),
    )


def beta_vae_score(
    represent: Represent, sizes: Sequence[int], *, pairs: int = 64, train: int = 1000, test: int = 500, seed: int = 0
) -> float:
    r"""The score of Higgins et al. (2017), section 3, algorithm 1: accuracy at naming the factor that stayed the same.

    For each example a factor *k* is drawn, and *pairs* of images that share its value and nothing else. A linear
    classifier (logistic regression on standardized numbers) has to tell *k* from the mean of
    :math:`|z^{(1)} - z^{(2)}|` over the pairs. Chance is 1/K.

    Args:
        represent: factors to codes.
        sizes: how many values each factor takes.
        pairs, train, test: pairs in an example, and examples.

    Returns:
        The accuracy on the test examples, from 0 to 1.
    """
    generator = torch.Generator().manual_seed(seed)
    k = torch.randint(len(sizes), (train + test,), generator=generator)
    distances = []
    for one in k:
        first, second = _random(sizes, pairs, generator), _random(sizes, pairs, generator)
        second[:, one] = first[:, one]
        both = represent(torch.cat([first, second]))
        distances.append((both[:pairs] - both[pairs:]).abs().mean(0))
    z = torch.stack(distances)
    return logistic_regression(z[:train], k[:train], z[train:], k[train:]).percent / 100


def factor_vae_score(
    represent: Represent,
    sizes: Sequence[int],
    *,
    group: int = 64,
    train: int = 800,
    test: int = 400,
    spread: int = 10_000,
    seed: int = 0,
) -> float:
    r"""The score of Kim & Mnih (2018), section 4: a majority vote in place of the linear classifier.

    For each vote a factor *k* is drawn, and a *group* of images that share its value. The latent that varies least
    in the group, relative to its spread over all data, is taken to stand for *k*. Latents of standard deviation
    below 0.05 are left out. Chance is 1/K.

    Args:
        represent: factors to codes.
        sizes: how many values each factor takes.
        group, train, test: images in a vote, votes to learn the majorities from, and votes to be tested on.
        spread: images that the spread over all data is measured on.

    Returns:
        The accuracy of the majority vote on the test votes, from 0 to 1.
    """
    generator = torch.Generator().manual_seed(seed)
    variance = represent(_random(sizes, spread, generator)).var(0)
    alive = (variance.sqrt() >= DEAD).nonzero()[:, 0]
    k = torch.randint(len(sizes), (train + test,), generator=generator)
    if len(alive) == 0:  # every vote falls on no latent: the vote is for the most frequent factor
        return (k[train:] == k[:train].mode().values).double().mean().item()
    least = []
    for one in k:
        factors = _random(sizes, group, generator)
        factors[:, one] = factors[0, one]
        least.append((represent(factors).var(0) / variance)[alive].argmin())
    j = torch.stack(least)
    votes = torch.zeros(len(alive), len(sizes))
    votes.index_put_((j[:train], k[:train]), torch.ones(train), accumulate=True)
    return (votes.argmax(1)[j[train:]] == k[train:]).double().mean().item()


def _random(sizes: Sequence[int], count: int, generator: torch.Generator) -> Tensor:
    """Factors (count, K), each uniform over its values."""
    return torch.stack([torch.randint(size, (count,), generator=generator) for size in sizes], dim=1)


def _concentration(weights: np.ndarray) -> np.ndarray:
    """One minus the entropy of each row, in base of its length; 0 for a row of zeros."""
    total = weights.sum(1, keepdims=True)
    p = np.divide(weights, total, out=np.full_like(weights, 1 / weights.shape[1]), where=total > 0)
    terms = np.where(p > 0, p * np.log(np.maximum(p, 1e-300)), 0.0)
    return 1 + terms.sum(1) / np.log(weights.shape[1])


def _check(z: Tensor, factors: Tensor) -> None:
    if z.ndim != 2 or factors.ndim != 2 or len(z) != len(factors) or len(z) == 0:
        raise ValueError(
            f"Codes (N, latent) and factors (N, K) of the same images are compared; "
            f"they are {tuple(z.shape)} and {tuple(factors.shape)}."
        )
    if factors.is_floating_point():
        raise ValueError(f"Factors are int64 values counted from 0; these are {factors.dtype}.")
    if not z.isfinite().all():
        raise ValueError("The codes hold values that are not finite; the model may have diverged.")
