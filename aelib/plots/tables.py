"""Tables of numbers as colors."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from aelib.plots.style import finish


def heat_maps(
    tables: Mapping[str, Tensor], rows: Mapping[str, Sequence[str]], columns: Sequence[str], unit: str, ylabel: str
) -> Figure:
    """Tables side by side, on one scale from 0, each number written in its cell.

    Args:
        tables: title to numbers of shape (R, C), none negative.
        rows: title to the names of its R rows.
        columns: names of the C columns, the same for all tables.
        unit: what the numbers are, with their unit: the label of the color bar.
        ylabel: what the rows are.
    """
    if any(table.ndim != 2 or table.shape[1] != len(columns) for table in tables.values()):
        shapes = [tuple(table.shape) for table in tables.values()]
        raise ValueError(f"heat_maps takes tables of {len(columns)} columns; they are of the shapes {shapes}.")
    height = 0.28 * max(len(table) for table in tables.values()) + 1.1
    figure, axes = plt.subplots(
        1, len(tables), figsize=(0.62 * len(columns) * len(tables) + 1.6, height), squeeze=False
    )
    top = max(float(table.max()) for table in tables.values())
    for i, (axis, (title, table)) in enumerate(zip(axes[0], tables.items(), strict=True)):
        cells = _cells(axis, table.numpy(), ".1f", rows[title], columns, 7, vmin=0, vmax=top, cmap="viridis")
        if i == len(tables) - 1:
            figure.colorbar(cells, ax=axis, label=unit).outline.set_visible(False)
        axis.set(title=title, ylabel=ylabel if i == 0 else "", xlabel="factor")
        axis.tick_params(axis="x", rotation=60)
    return finish(figure)


def ranked(table: pd.DataFrame, higher_is_better: Collection[str], ylabel: str) -> Figure:
    """A table whose colors are ranks within each column, the best darkest; the numbers are written in.

    Args:
        table: one row a model, one column a measure. A missing number gets no color.
        higher_is_better: the columns in which the largest number is the best; in the others it is the smallest.
        ylabel: what the rows are.

    Raises:
        ValueError: there is no number, or a column is named that the table does not have.
    """
    if table.empty or (unknown := set(higher_is_better) - set(table.columns)):
        raise ValueError(
            f"ranked takes a table with numbers and names of its columns; it has {len(table)} rows"
            + (f" and no column {sorted(unknown)}." if not table.empty else ".")
        )
    best_first = table * [-1 if column in higher_is_better else 1 for column in table.columns]
    figure, axis = plt.subplots(figsize=(0.95 * len(table.columns) + 2.2, 0.3 * len(table) + 1.6))
    ranks, look = best_first.rank().to_numpy(), dict(cmap="Blues_r", vmin=1, vmax=1.25 * len(table), linewidths=0.5)
    cells = _cells(axis, ranks, ".3g", list(table.index), list(table.columns), 8, table.to_numpy(), **look)
    bar = figure.colorbar(cells, ax=axis, label="rank, 1 is the best", ticks=[1, len(table)])
    bar.outline.set_visible(False)
    axis.set(xlabel="measure", ylabel=ylabel)
    axis.tick_params(axis="x", rotation=40, labelsize=9)
    plt.setp(axis.get_xticklabels(), ha="right", rotation_mode="anchor")
    return finish(figure)


def _cells(
    axis: Axes,
    values: NDArray[Any],
    form: str,
    rows: Sequence[object],
    columns: Sequence[object],
    size: float,
    written: NDArray[Any] | None = None,
    **look: Any,
) -> QuadMesh:
    """Colored cells, the first row on top, and in each that has a value its number: white on dark, black on light."""
    cells = axis.pcolormesh(np.ma.masked_invalid(values), edgecolors="white", **({"linewidths": 0} | look))
    axis.set_xticks(np.arange(len(columns)) + 0.5, [str(name) for name in columns])
    axis.set_yticks(np.arange(len(rows)) + 0.5, [str(name) for name in rows])
    axis.invert_yaxis()
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    colors = cells.to_rgba(values)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            number = value if written is None else written[row, column]
            red, green, blue, _ = colors[row, column]
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            text = dict(color="white" if dark else "black", fontsize=size, ha="center", va="center")
            axis.text(column + 0.5, row + 0.5, f"{number:{form}}", **text)  # type: ignore[arg-type]
    return cells
