"""Pictures in rows: grids, originals over reconstructions, filters."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from aelib.plots.style import finish


def image_grid(images: Tensor, columns: int = 10, titles: Sequence[str] = ()) -> Figure:
    """Images of shape (N, C, H, W), in [0, 1], row by row."""
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
    return finish(figure)


def image_rows(rows: Mapping[str, Tensor], titles: Mapping[str, Sequence[str]] | None = None) -> Figure:
    """Images of shape (N, C, H, W), in [0, 1], a row for each label; *titles* stand above a label's images."""
    n = max(map(len, rows.values()))
    figure, axes = plt.subplots(len(rows), n, figsize=(0.85 * n + 0.9, 0.95 * len(rows)), squeeze=False)
    for line, (label, images) in zip(axes, rows.items(), strict=True):
        _check_images(images)
        above = (titles or {}).get(label, [""] * n)
        for axis, image, title in zip(line, images, above, strict=True):
            _show(axis, image, title)
        line[0].text(
            -0.25, 0.5, label, transform=line[0].transAxes, ha="right", va="center", fontsize=9, parse_math=False
        )
    return finish(figure)


def reconstruction_rows(originals: Tensor, rows: Mapping[str, Tensor], errors: bool = True) -> Figure:
    """Originals over each model's reconstructions, with the squared error of each image above it.

    Args:
        originals: shape (N, C, H, W).
        rows: label to reconstructions of that shape.
        errors: whether to print the squared error, summed over pixels, above each reconstruction.
    """
    above = {
        label: [f"{error:.1f}" for error in (images - originals).square().flatten(1).sum(1).tolist()]
        for label, images in rows.items()
    }
    return image_rows({"original": originals, **rows}, above if errors else None)


def filters(weights: Tensor, shape: tuple[int, int], columns: int = 10, labels: Sequence[str] = ()) -> Figure:
    """Rows of a weight matrix (units, H·W) as images, each on its own scale; blue is negative, red positive.

    Args:
        weights: shape (units, H·W).
        shape: (H, W).
        columns: images in a row.
        labels: what to write at the left of each row of images.
    """
    if weights.ndim != 2 or weights.shape[1] != shape[0] * shape[1]:
        raise ValueError(f"filters needs weights (units, {shape[0] * shape[1]}); they are {tuple(weights.shape)}.")
    rows = -(-len(weights) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(0.7 * columns, 0.7 * rows), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, weight in zip(axes.flat, weights, strict=False):
        _show(axis, weight.detach().view(shape), signed=True)
    for axis, label in zip(axes[:, 0], labels, strict=False):
        axis.text(-0.25, 0.5, label, transform=axis.transAxes, ha="right", va="center", fontsize=9)
    return finish(figure)


def _show(axis: Axes, image: Tensor, title: str = "", signed: bool = False) -> None:
    limit = float(image.abs().max()) or 1.0
    low, high, colors = (-limit, limit, "RdBu_r") if signed else (0.0, 1.0, "gray")
    pixels = image.movedim(0, -1).squeeze(-1) if image.ndim == 3 else image
    axis.imshow(pixels.numpy(), cmap=colors, vmin=low, vmax=high)
    axis.set_title(title, fontsize=8)
    axis.set_axis_off()


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(
            f"The plot takes gray or colored images (N, 1 or 3, H, W), at least one; it got {tuple(images.shape)}."
        )
