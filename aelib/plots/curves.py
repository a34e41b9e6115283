"""Numbers against numbers: learning curves, sweeps, distributions, trade-offs."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from aelib.plots.style import BLUE, GREEN, ORANGE, PINK, SKY, color_of, finish, panel


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
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend()
    return finish(figure)


def bands(
    runs: Mapping[str, Sequence[tuple[Sequence[float], Sequence[float]]]],
    xlabel: str,
    ylabel: str,
    log_y: bool = False,
    log_x: bool = False,
) -> Figure:
    """Several runs a label, e.g. one a seed: a line through their means, a band from the least to the largest.

    Args:
        runs: label to runs, each (horizontal, vertical) values; the runs of a label share the horizontal ones.
        xlabel, ylabel: what the axes are, with units.
        log_y, log_x: which axes are logarithmic.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.6))
    for i, (label, several) in enumerate(runs.items()):
        xs = list(several[0][0])
        if any(list(one) != xs for one, _ in several):
            raise ValueError(f"The runs of {label!r} do not share their horizontal values.")
        ys, color = torch.tensor([list(map(float, y)) for _, y in several]), color_of(label, i)
        axis.plot(xs, ys.mean(0), color=color, label=label, marker=".")
        axis.fill_between(xs, ys.amin(0), ys.amax(0), color=color, alpha=0.2, linewidth=0)
    axis.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log_y else "linear")
    _horizontal(axis, [x for several in runs.values() for x in several[0][0]], log_x)
    axis.legend()
    return finish(figure)


def lines(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    log_x: bool = False,
    log_y: bool = False,
    axis: Axes | None = None,
) -> Figure:
    """One line a label through its points, e.g. error against code size.

    Args:
        curves: label to (horizontal, vertical) values.
        xlabel, ylabel: what the axes are, with units.
        log_x, log_y: which axes are logarithmic.
        axis: draw here, as one panel of several, rather than in a new figure.
    """
    figure, axis = panel(axis, 6.2, 3.6)
    for i, (label, (xs, ys)) in enumerate(curves.items()):
        axis.plot(list(xs), list(ys), marker="o", color=color_of(label, i), label=label)
    axis.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log_y else "linear")
    _horizontal(axis, [x for xs, _ in curves.values() for x in xs], log_x)
    axis.legend()
    return finish(figure)


def _horizontal(axis: Axes, values: Sequence[float], log: bool) -> None:
    """A logarithmic axis with ticks at the values; or one where things that are counted get no ticks between them."""
    if log:
        ticks = _apart(sorted(set(values)))
        axis.set_xscale("log")
        axis.set_xticks(ticks, [f"{x:g}" for x in ticks])
        axis.xaxis.minorticks_off()
    elif all(float(value).is_integer() for value in values) and max(values) - min(values) > 1:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def histogram(
    values: Mapping[str, Tensor], xlabel: str, bins: int = 60, ylabel: str = "images", log_y: bool = False
) -> Figure:
    """Distributions on shared bins, up to the 99.5th percentile of them all: label to values of shape (N,)."""
    figure, axis = plt.subplots(figsize=(6.2, 3.2))
    limit = float(torch.cat(list(values.values())).quantile(0.995))
    for i, (label, one) in enumerate(values.items()):
        color = color_of(label, i)
        look: dict[str, Any] = dict(histtype="stepfilled", facecolor=(color, 0.25), edgecolor=color)
        axis.hist(one.numpy(), bins, range=(0, limit), label=label, **look)
    axis.legend()
    axis.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log_y else "linear")
    return finish(figure)


def trade_off(points: Mapping[str, tuple[float, float]], xlabel: str, ylabel: str) -> Figure:
    """A point a label ("model, variant"), logarithmic axes: the model gives the color, the variant the marker."""
    figure, axis = plt.subplots(figsize=(6.2, 3.8))
    variants = list(dict.fromkeys(label.partition(", ")[2] for label in points))
    for i, (label, (x, y)) in enumerate(points.items()):
        variant = variants.index(label.partition(", ")[2])
        axis.scatter(x, y, s=60, marker="osD^v"[variant % 5], color=color_of(label, i))
        # Variants of one model lie above each other: labels on two sides keep apart.
        offset, side = ((7, 3), "left") if variant % 2 == 0 else ((-7, -9), "right")
        axis.annotate(label, (x, y), xytext=offset, textcoords="offset points", fontsize=8, ha=side)
    axis.set(xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log")
    axis.margins(x=0.25, y=0.15)
    return finish(figure)


def strips(values: Mapping[str, Sequence[float]], xlabel: str, ylabel: str) -> Figure:
    """A point for each value (a seed, say) over its label, and a bar at the mean."""
    figure, axis = plt.subplots(figsize=(max(4.2, 0.9 * len(values) + 1), 3.4))
    for i, (label, points) in enumerate(values.items()):
        color = color_of(label, i)
        spread = [i + 0.12 * (n - (len(points) - 1) / 2) for n in range(len(points))]
        axis.scatter(spread, list(points), s=36, color=color, zorder=3)
        axis.hlines(sum(points) / len(points), i - 0.3, i + 0.3, color=color, linewidth=2)
    axis.set_xticks(range(len(values)), list(values))
    axis.grid(visible=False, axis="x")
    axis.set(xlabel=xlabel, ylabel=ylabel)
    return finish(figure)


def stacked(values: Mapping[str, Mapping[str, float]], xlabel: str, ylabel: str) -> Figure:
    """A bar for each label, made of its parts: label to part to a value that is not negative."""
    figure, axis = plt.subplots(figsize=(max(4.2, 0.9 * len(values) + 2), 3.4))
    pd.DataFrame(values).T.plot.bar(stacked=True, ax=axis, rot=0, width=0.6, color=[BLUE, ORANGE, GREEN, PINK, SKY])
    axis.grid(visible=False, axis="x")
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return finish(figure)


def _apart(ticks: Sequence[float]) -> list[float]:
    """Without those whose labels would run into the one before, on a logarithmic axis over all of them."""
    least = (ticks[-1] / ticks[0]) ** (1 / 16)
    kept = list(ticks[:1])
    for tick in ticks[1:]:
        if tick >= kept[-1] * least:
            kept.append(tick)
    return kept
