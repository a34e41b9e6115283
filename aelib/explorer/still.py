"""The still pictures of explorers, for print and for readers without JavaScript."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from aelib.plots import fewer_colors, image_rows

SHADES = 32  # colors of the palette: a third of the bytes


def planes(
    codes: Mapping[str, Tensor],
    labels: Tensor,
    colors: Sequence[str],
    windows: Mapping[str, tuple[Sequence[float], float]],
) -> bytes:
    """Codes (N, 2) of each model as dots, in the window that the explorer shows: label to (center, half a side)."""
    figure, axes = plt.subplots(1, len(codes), figsize=(3.2 * len(codes), 3.4), squeeze=False)
    for axis, (name, z) in zip(axes[0], codes.items(), strict=True):
        center, half = windows[name]
        axis.scatter(z[:, 0], z[:, 1], s=3, c=np.array(colors)[labels], linewidths=0)
        axis.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
        axis.set_title(name, parse_math=False)
        axis.set(xlim=(center[0] - half, center[0] + half), ylim=(center[1] - half, center[1] + half))
    return _png(figure)


def rows(images: Mapping[str, Tensor]) -> bytes:
    """Images (N, C, H, W) in [0, 1], a row for each label."""
    return _png(image_rows(images))


def text(lines: Sequence[str]) -> bytes:
    """Lines of text below one another."""
    figure = plt.figure(figsize=(7, 0.3 * len(lines) + 0.2))
    for i, line in enumerate(lines):
        figure.text(0.02, 1 - (i + 0.5) / len(lines), line, va="center", fontsize=9, parse_math=False)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=80, facecolor="white")
    plt.close(figure)
    return fewer_colors(drawn.getvalue(), SHADES)
