"""The still pictures of explorers, for print and for readers without JavaScript."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

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


def pairs(rows: Mapping[str, Tensor]) -> bytes:
    """Images (N, C, H, W) in [0, 1], a row for each label."""
    n = max(map(len, rows.values()))
    figure, axes = plt.subplots(len(rows), n, figsize=(0.7 * n + 1, 0.75 * len(rows)), squeeze=False)
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        line[0].text(-0.2, 0.5, name, transform=line[0].transAxes, ha="right", va="center", parse_math=False)
        for axis, image in zip(line, images, strict=False):
            _show(axis, image)
        for axis in line:
            axis.set_axis_off()
    return _png(figure)


def _show(axis: Axes, image: Tensor) -> None:
    axis.imshow(image.movedim(0, -1).squeeze(-1).numpy(), cmap="gray_r", vmin=0, vmax=1)


def _png(figure: Figure) -> bytes:
    drawn, reduced = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=80, facecolor="white")
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(SHADES, dither=Image.Dither.NONE).save(reduced, "png", optimize=True)
    return reduced.getvalue()
