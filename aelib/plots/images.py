"""Pictures in rows: grids, originals over reconstructions, filters."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from aelib.plots.style import finish


def image_grid(images: Tensor, columns: int = 10, titles: Sequence[str] = ()) -> Figure:
    """Images of shape (N, C, H, W), gray (C = 1) or in color (3), in [0, 1], row by row."""
    _check_images(images, columns=columns)
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


def reconstruction_rows(originals: Tensor, rows: Mapping[str, Tensor], errors: bool = True) -> Figure:
    """Originals over each model's reconstructions, with the squared error of each image under it.

    Args:
        originals: shape (N, 1, H, W).
        rows: label to reconstructions of that shape.
        errors: whether to print the squared error, summed over pixels, above each reconstruction.
    """
    _check_images(originals)
    written = {
        label: [f"{error:.1f}" for error in (images - originals).square().flatten(1).sum(1).tolist()]
        for label, images in rows.items()
    }
    return image_rows({"original": originals, **rows}, written if errors else {})


def image_rows(rows: Mapping[str, Tensor], titles: Mapping[str, Sequence[str]] | None = None) -> Figure:
    """Rows of images, each with its label on the left.

    Args:
        rows: label to images (N, C, H, W), gray or in color, in [0, 1]; the same N in each row.
        titles: label to what is written above each image of that row.
    """
    counts = {len(images) for images in rows.values()}
    if len(counts) != 1:
        raise ValueError(f"Rows of images are equally long; these have {sorted(counts)} images.")
    (n,) = counts
    width = 0.85 * n + 0.1 + 0.1 * max(len(label) for label in rows)
    figure, axes = plt.subplots(len(rows), n, figsize=(width, 0.95 * len(rows)), squeeze=False)
    for line, (label, images) in zip(axes, rows.items(), strict=True):
        _check_images(images)
        for axis, image, title in zip(line, images, (titles or {}).get(label, [""] * n), strict=True):
            _show(axis, image, title)
        line[0].text(
            -0.25, 0.5, label, transform=line[0].transAxes, ha="right", va="center", fontsize=9, parse_math=False
        )
    return finish(figure)


def sheet(images: Tensor, columns: int, xlabel: str, ylabel: str, ticks: Sequence[str] = ()) -> Figure:
    """Images of shape (N, 1, H, W), in [0, 1], edge to edge, row by row from the top: a grid of decoded codes.

    Args:
        images: the first is at the upper left.
        columns: images in a row; N is a multiple of it.
        xlabel, ylabel: what changes along a row, and down a column.
        ticks: labels spread evenly over both axes, the last at the right and at the top.
    """
    _check_images(images, color=False, columns=columns)
    if len(images) % columns:
        raise ValueError(f"A sheet of {columns} columns takes a multiple of {columns} images; it got {len(images)}.")
    height, width = images.shape[2:]
    rows = len(images) // columns
    whole = images.view(rows, columns, height, width).transpose(1, 2).reshape(rows * height, columns * width)
    figure, axis = plt.subplots(figsize=(0.27 * columns + 0.6, 0.27 * rows + 0.5))
    axis.imshow(whole.numpy(), cmap="gray", vmin=0, vmax=1, extent=(0, 1, 0, rows / columns))
    places = [i / (len(ticks) - 1) for i in range(len(ticks))]
    axis.set_xticks(places, ticks)
    axis.set_yticks([place * rows / columns for place in places], ticks)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.grid(visible=False)
    return finish(figure)


def filters(weights: Tensor, shape: tuple[int, int], columns: int = 10, labels: Sequence[str] = ()) -> Figure:
    """Rows of a weight matrix (units, H·W) as images, each on its own scale; blue is negative, red positive.

    Args:
        weights: shape (units, H·W).
        shape: (H, W).
        columns: images in a row.
        labels: what to write on the left of each row, if anything.
    """
    if weights.ndim != 2 or len(weights) == 0 or weights.shape[1] != shape[0] * shape[1] or columns < 1:
        raise ValueError(
            f"filters needs weights (units, {shape[0] * shape[1]}), at least one unit, and a column; they are "
            f"{tuple(weights.shape)} in {columns} columns."
        )
    rows = -(-len(weights) // columns)
    margin = 0.9 if labels else 0.0
    figure, axes = plt.subplots(rows, columns, figsize=(0.7 * columns + margin, 0.7 * rows), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for label, axis in zip(labels, axes[:, 0], strict=False):
        axis.text(-0.25, 0.5, label, transform=axis.transAxes, ha="right", va="center", fontsize=9)
    for axis, weight in zip(axes.flat, weights, strict=False):
        _show(axis, weight.detach().view(shape), signed=True)
    return finish(figure)


def _show(axis: Axes, image: Tensor, title: str = "", signed: bool = False) -> None:
    limit = float(image.abs().max()) or 1.0
    low, high, colors = (-limit, limit, "RdBu_r") if signed else (0.0, 1.0, "gray")
    pixels = image.movedim(0, -1).squeeze(-1) if image.ndim == 3 else image  # (H, W) or (H, W, 3)
    axis.imshow(pixels.numpy(), cmap=colors, vmin=low, vmax=high)
    axis.set_title(title, fontsize=8)
    axis.set_axis_off()


def _check_images(images: Tensor, color: bool = True, columns: int = 1) -> None:
    if columns < 1:
        raise ValueError(f"The plot has one column of images or more; it got columns = {columns}.")
    if images.ndim != 4 or images.shape[1] not in ((1, 3) if color else (1,)) or len(images) == 0:
        raise ValueError(
            f"The plot takes images of shape (N, 1, H, W){', or (N, 3, H, W) in color' if color else ''}, "
            f"at least one; it got {tuple(images.shape)}."
        )
