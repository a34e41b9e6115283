"""The figures of the book. Every function returns a closed matplotlib figure: a notebook shows it once, a script not.

Colors are those of Okabe & Ito, told apart by readers who are color-blind; a model keeps its color throughout.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor, nn

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GRAY = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800", "#7F7F7F",
)  # fmt: skip
COLORS = {
    "PCA": GRAY,
    "Logistic PCA": YELLOW,
    "Autoencoder": BLUE,
    "RBM-pretrained": PINK,
    "Random start": RED,
    "Modern": BLUE,
    "SR": ORANGE,
    "Conv": GREEN,
    "Stacked": SKY,
}
DIGITS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C7A00", "#000000", "#7B3FA0", "#999999")

plt.rcParams.update(
    {"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
     "axes.axisbelow": True, "legend.frameon": False, "font.size": 10, "figure.constrained_layout.use": True}
)  # fmt: skip


def _show(axis: Axes, image: Tensor, title: str = "", signed: bool = False) -> None:
    limit = float(image.abs().max()) or 1.0
    low, high, colors = (-limit, limit, "RdBu_r") if signed else (0.0, 1.0, "gray")
    axis.imshow(image.squeeze().numpy(), cmap=colors, vmin=low, vmax=high)
    axis.set_title(title, fontsize=8)
    axis.set_axis_off()


def image_grid(images: Tensor, columns: int = 10, titles: Sequence[str] = ()) -> Figure:
    """Images of shape (N, 1, H, W), in [0, 1], row by row."""
    _check_images(images)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    size = 0.75 if not titles else 0.85
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, size * rows), squeeze=False)
    for i, axis in enumerate(axes.flat):
        if i < len(images):
            _show(axis, images[i], titles[i] if titles else "")
        else:
            axis.set_axis_off()
    return _done(figure)


def reconstruction_rows(originals: Tensor, rows: Mapping[str, Tensor], errors: bool = True) -> Figure:
    """Originals over each model's reconstructions, with the squared error of each image under it.

    Args:
        originals: shape (N, 1, H, W).
        rows: label to reconstructions of that shape.
        errors: whether to print the squared error, summed over pixels, above each reconstruction.
    """
    _check_images(originals)
    n = len(originals)
    figure, axes = plt.subplots(1 + len(rows), n, figsize=(0.85 * n + 0.9, 0.95 * (1 + len(rows))), squeeze=False)
    for line, (label, images) in zip(axes, {"original": originals, **rows}.items(), strict=True):
        for axis, image, original in zip(line, images, originals, strict=True):
            error = (image - original).square().sum().item()
            _show(axis, image, f"{error:.1f}" if errors and label != "original" else "")
        line[0].text(-0.25, 0.5, label, transform=line[0].transAxes, ha="right", va="center", fontsize=9)
    return _done(figure)


def filters(weights: Tensor, shape: tuple[int, int], columns: int = 10) -> Figure:
    """Rows of a weight matrix (units, H·W) as images, each on its own scale; blue is negative, red positive."""
    if weights.ndim != 2 or weights.shape[1] != shape[0] * shape[1]:
        raise ValueError(f"filters needs weights (units, {shape[0] * shape[1]}); they are {tuple(weights.shape)}.")
    rows = -(-len(weights) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(0.7 * columns, 0.7 * rows), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, weight in zip(axes.flat, weights, strict=False):
        _show(axis, weight.detach().view(shape), signed=True)
    return _done(figure)


def learning_curves(
    histories: Mapping[str, pd.DataFrame], ylabel: str, term: str = "loss", scale: float = 1.0, log: bool = True
) -> Figure:
    """The term of each history against epochs: a line for training, dashes for validation where there is one.

    Args:
        histories: label to the history that ``fit`` returned.
        ylabel: what the term is, with its unit.
        term: which term.
        scale: what to multiply it by, e.g. 1/784 for a mean over pixels.
        log: whether the vertical axis is logarithmic.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.6))
    for i, (label, history) in enumerate(histories.items()):
        rows = history[history.term == term]
        if rows.empty:
            raise ValueError(f"The history {label!r} has no term {term!r}, only {sorted(history.term.unique())}.")
        color = color_of(label, i)
        for split, style in (("train", "-"), ("validation", "--")):
            part = rows[rows.split == split]
            if len(part):
                name = label if split == "train" else f"{label}, validation"
                axis.plot(part.epoch, part.value * scale, style, color=color, label=name, marker=".")
    axis.set(xlabel="epoch", ylabel=ylabel, yscale="log" if log else "linear")
    axis.legend()
    return _done(figure)


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
    return _done(figure)


def lines(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """One line a label through its points, e.g. error against code size: label to (horizontal, vertical) values."""
    figure, axis = plt.subplots(figsize=(6.2, 3.6))
    for i, (label, (xs, ys)) in enumerate(curves.items()):
        axis.plot(list(xs), list(ys), marker="o", color=color_of(label, i), label=label)
    axis.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log_y else "linear")
    if log_x:
        ticks = sorted({x for xs, _ in curves.values() for x in xs})
        axis.set_xscale("log")
        axis.set_xticks(ticks, [f"{x:g}" for x in ticks])
        axis.xaxis.minorticks_off()
    axis.legend()
    return _done(figure)


def histogram(values: Mapping[str, Tensor], xlabel: str, bins: int = 60) -> Figure:
    """Distributions on shared bins, up to the 99.5th percentile of them all: label to values of shape (N,)."""
    figure, axis = plt.subplots(figsize=(6.2, 3.2))
    limit = float(torch.cat(list(values.values())).quantile(0.995))
    palette = [color_of(label, i) for i, label in enumerate(values)]
    arrays = {label: one.numpy() for label, one in values.items()}
    sns.histplot(arrays, bins=bins, binrange=(0, limit), palette=palette, element="step", ax=axis)
    axis.set(xlabel=xlabel, ylabel="images")
    return _done(figure)


def trade_off(points: Mapping[str, tuple[float, float]], xlabel: str, ylabel: str) -> Figure:
    """A point a label ("model, variant"), logarithmic axes: the model gives the color, the variant the marker."""
    figure, axis = plt.subplots(figsize=(6.2, 3.8))
    variants = list(dict.fromkeys(label.partition(", ")[2] for label in points))
    for i, (label, (x, y)) in enumerate(points.items()):
        marker = "osD^v"[variants.index(label.partition(", ")[2]) % 5]
        axis.scatter(x, y, s=60, marker=marker, color=color_of(label, i))
        axis.annotate(label, (x, y), xytext=(7, 3), textcoords="offset points", fontsize=8)
    axis.set(xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log")
    axis.margins(x=0.25, y=0.15)
    return _done(figure)


def architecture(model: nn.Module, shape: tuple[int, ...] = (1, 28, 28)) -> Figure:
    """The model drawn from itself: a bar for each layer with weights (or each resizing), its output's size high.

    Args:
        model: has an ``encoder`` and a ``decoder``, both ``nn.Sequential``.
        shape: of one input image.
    """
    stages: list[tuple[str, tuple[int, ...], str]] = [("input", tuple(shape), GRAY)]
    with torch.inference_mode():
        value = torch.zeros(1, *shape, device=next(model.parameters()).device)
        for part, color in ((model.encoder, BLUE), (model.decoder, ORANGE)):
            for layer in part:  # type: ignore[union-attr]
                value = layer.eval()(value)
                if next(layer.parameters(), None) is not None and value.ndim in (2, 4) and not _is_norm(layer):
                    stages.append((type(layer).__name__, tuple(value.shape[1:]), color))
                elif isinstance(layer, nn.Upsample):
                    stages.append(("Resize", tuple(value.shape[1:]), color))
    figure, axis = plt.subplots(figsize=(0.85 * len(stages), 2.9))
    sizes = [math.prod(size) for _, size, _ in stages]
    axis.bar(range(len(stages)), sizes, color=[color for *_, color in stages], width=0.6)
    for i, (_, size, _) in enumerate(stages):
        axis.text(i, sizes[i] * 1.15, "×".join(map(str, size)), ha="center", fontsize=8)
    axis.set_xticks(
        range(len(stages)), [name.replace("Transpose", "T").replace("2d", "") for name, *_ in stages], fontsize=8
    )
    axis.set(yscale="log", ylabel="numbers in the output", ylim=(min(sizes) / 3, max(sizes) * 2.5))
    axis.grid(visible=False, axis="x")
    return _done(figure)


def _is_norm(layer: nn.Module) -> bool:
    return isinstance(layer, nn.BatchNorm2d)


def color_of(label: str, position: int = 0) -> str:
    """The color of the model whose name starts the label, else one by position."""
    found = [name for name in COLORS if label.startswith(name)]
    return COLORS[max(found, key=len)] if found else (BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GRAY)[position % 8]


class _Plain(LogFormatter):
    """0.004 on a logarithmic axis, where matplotlib writes 4 × 10⁻³."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def _done(figure: Figure) -> Figure:
    for plot in figure.axes:
        for axis, scale in ((plot.xaxis, plot.get_xscale()), (plot.yaxis, plot.get_yscale())):
            if scale == "log" and isinstance(axis.get_major_formatter(), LogFormatter):
                axis.set_major_formatter(_Plain())
                axis.set_minor_formatter(_Plain(minor_thresholds=(2, 0.5)))
    plt.close(figure)  # the figure lives on; pyplot, which would show it a second time, forgets it
    return figure


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 1 or len(images) == 0:
        raise ValueError(f"The plot takes images of shape (N, 1, H, W), at least one; it got {tuple(images.shape)}.")
