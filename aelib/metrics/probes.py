"""What a code knows about the class: classifiers trained on codes, by scikit-learn.

Each probe standardizes or scales as its docstring says, trains on the training codes and reports the accuracy
on the test codes once. Nothing is tuned on the test set.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from aelib.extras import extra

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin


class Accuracy(NamedTuple):
    r"""An accuracy *p* on *n* examples with its standard error :math:`\sqrt{p(1-p)/n}`, both in percent."""

    percent: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.percent:.2f} ± {self.standard_error:.2f} %"


def retrieval_precision(z: Tensor, y: Tensor, z_test: Tensor, y_test: Tensor, retrieved: Sequence[int]) -> list[float]:
    """How many of the *k* nearest training codes have the query's class: the mean fraction, for each *k*.

    Args:
        z, y: training codes (N, latent) and labels (N,).
        z_test, y_test: queries.
        retrieved: the values of *k*, each at most N.
    """
    with extra("metrics"):
        from sklearn.neighbors import NearestNeighbors

    _check(z, y, "training")
    _check(z_test, y_test, "test")
    _check_neighbors(z, z_test, retrieved)
    neighbors = NearestNeighbors(n_neighbors=max(retrieved)).fit(z.numpy()).kneighbors(z_test.numpy())[1]
    hits = y[torch.from_numpy(neighbors)] == y_test[:, None]
    return [hits[:, :k].float().mean().item() for k in retrieved]


def _check(codes: Tensor, labels: Tensor, name: str) -> None:
    if codes.ndim != 2 or labels.shape != codes.shape[:1] or codes.numel() == 0:
        raise ValueError(
            f"A probe takes codes (N, latent) and labels (N,); the {name} ones are "
            f"{tuple(codes.shape)} and {tuple(labels.shape)}."
        )
    if not codes.isfinite().all():
        raise ValueError(f"The {name} codes hold values that are not finite; the model may have diverged.")


def _check_neighbors(z: Tensor, queries: Tensor, counts: Sequence[int]) -> None:
    if z.shape[1] != queries.shape[1] or not counts or not 1 <= min(counts) <= max(counts) <= len(z):
        raise ValueError(
            f"Queries of {queries.shape[1]} numbers ask for {list(counts)} neighbors among {len(z)} codes of "
            f"{z.shape[1]} numbers; the sizes must agree, and each k be from 1 to {len(z)}."
        )


def _probe(classifier: "ClassifierMixin", z: Tensor, y: Tensor, z_test: Tensor, y_test: Tensor) -> Accuracy:
    _check(z, y, "training")
    _check(z_test, y_test, "test")
    if z.shape[1] != z_test.shape[1]:
        raise ValueError(f"Training codes have {z.shape[1]} numbers, test codes {z_test.shape[1]}; they must agree.")
    classifier.fit(z.numpy(), y.numpy())
    p = float(classifier.score(z_test.numpy(), y_test.numpy()))
    return Accuracy(100 * p, 100 * (p * (1 - p) / len(y_test)) ** 0.5)


def svm(z: Tensor, y: Tensor, z_test: Tensor, y_test: Tensor, c: float = 10.0, width: float = 1.0) -> Accuracy:
    r"""Support vector machine with the kernel :math:`e^{-\gamma \lVert z - z' \rVert^2}`, on the codes as they are.

    :math:`\gamma` is *width* times scikit-learn's ``gamma="scale"``, one over the codes' size times their variance.
    """
    with extra("metrics"):
        from sklearn.svm import SVC

    gamma = "scale" if width == 1 else width / (z.shape[1] * z.double().var(correction=0).item())
    return _probe(SVC(C=c, gamma=gamma, cache_size=1000), z, y, z_test, y_test)


def linear_svm(z: Tensor, y: Tensor, z_test: Tensor, y_test: Tensor, c: float = 0.01) -> Accuracy:
    """Linear support vector machine, one class against the rest, on standardized codes."""
    with extra("metrics"):
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import LinearSVC

    return _probe(make_pipeline(StandardScaler(), LinearSVC(C=c, dual=True, random_state=0)), z, y, z_test, y_test)


def logistic_regression(z: Tensor, y: Tensor, z_test: Tensor, y_test: Tensor, c: float = 1.0) -> Accuracy:
    """Multinomial logistic regression on standardized codes: what a linear read-out finds."""
    with extra("metrics"):
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

    return _probe(make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)), z, y, z_test, y_test)


def knn(z: Tensor, y: Tensor, z_test: Tensor, y_test: Tensor, k: int = 5) -> Accuracy:
    """The majority among the *k* nearest training codes in Euclidean distance."""
    with extra("metrics"):
        from sklearn.neighbors import KNeighborsClassifier

    _check(z, y, "training")
    _check(z_test, y_test, "test")
    _check_neighbors(z, z_test, [k])
    return _probe(KNeighborsClassifier(k), z, y, z_test, y_test)


def one_class(z: Tensor, y: Tensor, made: Tensor, k: int = 5) -> float:
    """How many of some made-up codes or images lie in one class: the fraction whose *k* nearest neighbors all agree.

    Args:
        z, y: real codes or images (N, ...) and their labels (N,).
        made: what is judged, (M, ...).
        k: neighbors, in Euclidean distance.
    """
    with extra("metrics"):
        from sklearn.neighbors import NearestNeighbors

    if min(z.ndim, made.ndim) < 2:
        raise ValueError(
            f"one_class takes codes or images (N, ...); they are {tuple(z.shape)} and {tuple(made.shape)}."
        )
    _check(z.flatten(1), y, "training")
    _check(made.flatten(1), torch.zeros(len(made)), "made-up")
    _check_neighbors(z.flatten(1), made.flatten(1), [k])
    found = NearestNeighbors(n_neighbors=k).fit(z.flatten(1).numpy()).kneighbors(made.flatten(1).numpy())[1]
    classes = y[torch.from_numpy(found)]  # (M, k)
    return (classes == classes[:, :1]).all(1).float().mean().item()
