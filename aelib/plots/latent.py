"""Codes as points in the plane."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor

from aelib.plots.style import DIGITS, finish


def latent_scatter(
    codes: Tensor, labels: Tensor, title: str = "", project: str | None = None, axis: Axes | None = None, seed: int = 0
) -> Figure:
    """Codes as points colored by digit; codes of more than two numbers are projected.

    Args:
        codes: shape (N, latent).
        labels: shape (N,), digits 0 to 9.
        project: ``"pca"`` or ``"t-sne"`` (perplexity 30) for codes of more than two numbers.
        axis: draw here rather than in a new figure.
    """
    z = codes.detach().numpy()
    if z.ndim != 2 or len(z) != len(labels) or len(z) == 0:
        raise ValueError(f"latent_scatter takes codes (N, latent) and N labels; it got {z.shape} and {len(labels)}.")
    project = project or ("pca" if z.shape[1] > 2 else None)
    projections: dict[str, Callable[[], object]] = {
        "pca": lambda: PCA(2).fit_transform(z),
        "t-sne": lambda: TSNE(2, perplexity=min(30, (len(z) - 1) / 3), init="pca", random_state=seed).fit_transform(z),
    }
    if project is not None:
        if project not in projections:
            raise ValueError(f"project is 'pca' or 't-sne'; it is {project!r}.")
        z = np.asarray(projections[project]())
    names = {None: ("code 1", "code 2"), "pca": ("principal component 1", "principal component 2"),
             "t-sne": ("t-SNE 1", "t-SNE 2")}[project]  # fmt: skip
    figure = axis.get_figure() if axis is not None else None
    if axis is None or not isinstance(figure, Figure):
        figure, axis = plt.subplots(figsize=(5.2, 4.6))
    palette = dict(enumerate(DIGITS))
    sns.scatterplot(x=z[:, 0], y=z[:, 1], hue=labels.numpy(), palette=palette, s=9, alpha=0.75, linewidth=0, ax=axis)
    axis.set(xlabel=names[0], ylabel=names[1], title=title)
    axis.legend(title="digit", markerscale=2.5, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return finish(figure)
