"""Tables of numbers as colors."""

from collections.abc import Collection, Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
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
        last = i == len(tables) - 1
        sns.heatmap(
            table.numpy(), ax=axis, vmin=0, vmax=top, cmap="viridis", annot=True, fmt=".1f", annot_kws={"size": 7},
            xticklabels=list(columns), yticklabels=list(rows[title]), cbar=last,
            cbar_kws={"label": unit} if last else None,
        )  # fmt: skip
        axis.set(title=title, ylabel=ylabel if i == 0 else "", xlabel="factor")
        axis.tick_params(axis="x", rotation=60)
        axis.tick_params(axis="y", rotation=0)
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
    written = table.map(lambda value: "" if pd.isna(value) else f"{value:.3g}")
    figure, axis = plt.subplots(figsize=(0.95 * len(table.columns) + 2.2, 0.3 * len(table) + 1.6))
    sns.heatmap(
        best_first.rank(), ax=axis, cmap="Blues_r", vmin=1, vmax=1.25 * len(table), annot=written, fmt="",
        annot_kws={"size": 8}, linewidths=0.5, cbar_kws={"label": "rank, 1 is the best", "ticks": [1, len(table)]},
    )  # fmt: skip
    axis.set(xlabel="measure", ylabel=ylabel)
    axis.tick_params(axis="x", rotation=40, labelsize=9)
    plt.setp(axis.get_xticklabels(), ha="right", rotation_mode="anchor")
    axis.tick_params(axis="y", rotation=0)
    return finish(figure)
