"""Codes as points in the plane, and how densely they lie there."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor

from aelib.plots.style import DIGITS, finish, panel


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
    names = {
        None: ("code 1", "code 2"),
        "pca": ("principal component 1", "principal component 2"),
        "t-sne": ("t-SNE 1", "t-SNE 2"),
    }[project]
    figure, axis = panel(axis, 5.2, 4.6)
    look: dict[str, Any] = dict(s=9, alpha=0.75, linewidth=0)
    axis.scatter(z[:, 0], z[:, 1], c=[DIGITS[digit] for digit in labels.tolist()], **look)  # as they come: none on top
    for digit in labels.unique().tolist():
        axis.scatter([], [], color=DIGITS[digit], label=str(digit), **look)
    axis.set(xlabel=names[0], ylabel=names[1], title=title)
    axis.legend(title="digit", markerscale=2.5, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return finish(figure)


def density_maps(ratios: Mapping[str, Tensor]) -> Figure:
    """Density of codes over the prior's, one square a model: white where equal, red where too dense, blue in holes.

    Args:
        ratios: label to what :func:`aelib.metrics.matching.density_ratio` returned. Colors end at a fourth and at
            four times the prior's density.
    """
    figure, axes = plt.subplots(1, len(ratios), figsize=(3.4 * len(ratios) + 0.8, 3.4), squeeze=False)
    for axis, (label, ratio) in zip(axes[0], ratios.items(), strict=True):
        log = ratio.clamp(0.25, 4).log2().T.numpy()  # rows of an image run along the second coordinate
        drawn = axis.imshow(log, cmap="RdBu_r", vmin=-2, vmax=2, origin="lower", extent=(0, 1, 0, 1))
        axis.set(title=label, xlabel="prior's quantile, code 1", ylabel="prior's quantile, code 2")
        axis.grid(visible=False)
    bar = figure.colorbar(drawn, ax=axes[0].tolist(), label="density of codes / of the prior")
    bar.set_ticks([-2, -1, 0, 1, 2], labels=["≤ 1/4", "1/2", "1", "2", "≥ 4"])
    return finish(figure)
