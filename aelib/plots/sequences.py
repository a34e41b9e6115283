"""Sentences drawn: where a decoder looks, and codes colored by a property of the sentence."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from torch import Tensor

from aelib.plots.style import color_of, finish


def attention_map(weights: Tensor, read: Sequence[str], written: Sequence[str]) -> Figure:
    """Attention weights (written, read) as a gray map: a row for each word written, a column for each word read.

    Raises:
        ValueError: the weights' shape is not that of the words.
    """
    if tuple(weights.shape) != (len(written), len(read)):
        raise ValueError(
            f"The map has a row for each of {len(written)} words written and a column for each of {len(read)} read; "
            f"the weights are {tuple(weights.shape)}."
        )
    figure, axis = plt.subplots(figsize=(0.32 * len(read) + 2, 0.26 * len(written) + 1.4))
    image = axis.imshow(weights.detach().numpy(), cmap="gray_r", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(read)), read, rotation=90)
    axis.set_yticks(range(len(written)), written)
    axis.set(xlabel="word read, in the order of reading", ylabel="word written")
    axis.grid(visible=False)
    figure.colorbar(image, ax=axis, label="attention weight")
    return finish(figure)


def code_scatter(
    codes: Tensor, groups: Sequence[str], title: str = "", axis: Axes | None = None, ordered: bool = False
) -> Figure:
    """The first two principal components of codes (N, latent), a color a group: up to 8 groups, or more if ordered."""
    if codes.ndim != 2 or len(codes) != len(groups) or len(codes) < 2:
        raise ValueError(
            f"code_scatter takes codes (N, latent) and N groups; it got {tuple(codes.shape)}, {len(groups)}."
        )
    fitted = PCA(2).fit(codes.numpy())
    points, share = fitted.transform(codes.numpy()), fitted.explained_variance_ratio_
    figure = axis.get_figure() if axis is not None else None
    if axis is None or not isinstance(figure, Figure):
        figure, axis = plt.subplots(figsize=(5, 4))
    names = list(dict.fromkeys(groups))
    names = sorted(names, key=lambda name: (len(name), name)) if ordered else names
    for i, name in enumerate(names):
        chosen = [group == name for group in groups]
        color = plt.get_cmap("viridis")(i / max(1, len(names) - 1)) if ordered else color_of(name, i)
        axis.scatter(points[chosen, 0], points[chosen, 1], s=8, alpha=0.7, color=color, linewidth=0, label=name)
    xlabel, ylabel = (f"principal component {i + 1} ({share[i]:.0%} of the variance)" for i in range(2))
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axis.legend(markerscale=2.5, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return finish(figure)
