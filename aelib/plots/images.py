"""Pictures in rows: grids, originals over reconstructions, filters."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from aelib.plots.style import finish


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
    return finish(figure)


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
    return finish(figure)


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
    return finish(figure)


def _show(axis: Axes, image: Tensor, title: str = "", signed: bool = False) -> None:
    limit = float(image.abs().max()) or 1.0
    low, high, colors = (-limit, limit, "RdBu_r") if signed else (0.0, 1.0, "gray")
    axis.imshow(image.squeeze().numpy(), cmap=colors, vmin=low, vmax=high)
    axis.set_title(title, fontsize=8)
    axis.set_axis_off()


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 1 or len(images) == 0:
        raise ValueError(f"The plot takes images of shape (N, 1, H, W), at least one; it got {tuple(images.shape)}.")
