"""A reader's own table: numbers, dates, yes-or-no answers and categories, as rows that a network takes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from aelib.data.columns import Columns, learned
from aelib.data.fetch.sources import DataError
from aelib.data.vectors import Vectors
from aelib.extras import extra


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """A table in two parts, and what leads from one to the other side of the network."""

    train: Vectors
    test: Vectors
    columns: Columns
    train_rows: NDArray[np.int64]  # which rows of the table these are
    test_rows: NDArray[np.int64]
    classes: tuple[str, ...] = ()  # of the labels

    def __repr__(self) -> str:
        rows = f"{len(self.train):,} training and {len(self.test):,} test rows of {self.columns.width} numbers"
        return f"{rows}; {self.columns}"


def table(
    frame: pd.DataFrame | str | os.PathLike[str],
    *,
    kinds: Mapping[str, str] | None = None,
    label: str | None = None,
    leave_out: Sequence[str] = (),
    train: Sequence[bool] | NDArray[np.bool_] | None = None,
    test: float = 0.2,
    seed: int = 0,
) -> Table:
    """A table as standardized numbers, bits and categories, all of it learned from training rows alone.

    The kind of a column is found out: numbers; whole numbers of which there are but 0 and 1, and booleans, are yes or
    no; dates, also as texts such as ``2024-01-31``; texts of few different values are categories, and so are booleans
    some of which are missing. The likelihood that fits is ``Mixed(table.columns.blocks)``.

    Args:
        frame: a ``pandas.DataFrame``, or the path of a CSV (``.csv``, ``.tsv``, or one of these compressed) or Parquet
            file.
        kinds: of columns for which another kind is meant, ``"number"``, ``"date"``, ``"yes/no"`` or ``"category"``.
        label: a column that is not learned, and comes along as the labels.
        leave_out: columns that are not learned.
        train: whether each row is a training row; by default *test* decides.
        test: the fraction of the rows, chosen at random, that is held out.
        seed: of the choice.

    Returns:
        Training and test rows, and the columns with ``transform`` for other tables and ``inverse`` for the way back.

    Raises:
        DataError: the file cannot be read.
        TypeError: no table.
        ValueError: no rows to train on, two columns of one name, or a column that cannot be learned; the message says
            what to do.
    """
    whole = _read(frame)
    if not whole.columns.is_unique:
        twice = whole.columns[whole.columns.duplicated()][0]
        raise ValueError(f"Each column has a name of its own; {twice!r} is there twice.")
    whole = whole.rename(columns=str)
    absent = [name for name in (*leave_out, *([label] if label else [])) if name not in whole]
    if absent:
        raise ValueError(f"The table has no column {absent[0]!r}; its columns are {list(whole.columns)}.")
    y, classes = _labels(whole[label]) if label else (None, ())
    kept = whole.drop(columns=[*leave_out, *([label] if label else [])])
    chosen = _chosen(len(kept), train, test, seed)
    columns = learned(kept[chosen], dict(kinds or {}))
    x = columns.transform(kept)
    parts = [Vectors(x[mask], None if y is None else y[mask]) for mask in map(torch.from_numpy, (chosen, ~chosen))]
    return Table(parts[0], parts[1], columns, chosen.nonzero()[0], (~chosen).nonzero()[0], classes)


def _read(frame: pd.DataFrame | str | os.PathLike[str]) -> pd.DataFrame:
    if isinstance(frame, pd.DataFrame):
        return frame
    if not isinstance(frame, str | os.PathLike):
        raise TypeError(f"table takes a pandas.DataFrame, or the path of a file; it got a {type(frame).__name__}.")
    path = Path(frame).expanduser()
    suffixes = [suffix.lower() for suffix in path.suffixes]
    try:
        if ".parquet" in suffixes:
            with extra("data"):
                import pyarrow  # noqa: F401 (pandas needs it for Parquet)
            return pd.read_parquet(path)
        if ".csv" in suffixes or ".tsv" in suffixes:
            return pd.read_csv(path, sep="\t" if ".tsv" in suffixes else ",")
    except (OSError, ValueError, UnicodeError) as error:  # pandas and pyarrow raise both
        raise DataError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error
    raise DataError(f"{path} is no .csv, .tsv or .parquet file: read it with pandas, and give table the DataFrame.")


def _labels(values: pd.Series) -> tuple[Tensor, tuple[str, ...]]:
    if values.isna().any():
        raise ValueError(f"The label {values.name!r} is missing in row {int(values.isna().to_numpy().argmax())}.")
    codes, classes = pd.factorize(values, sort=True)
    return torch.from_numpy(codes.astype(np.int64)), tuple(map(str, classes))


def _chosen(rows: int, train: Sequence[bool] | NDArray[np.bool_] | None, test: float, seed: int) -> NDArray[np.bool_]:
    """Which rows are training rows."""
    if train is not None:
        chosen = np.asarray(train)
        if chosen.shape != (rows,) or chosen.dtype != bool:
            raise ValueError(
                f"train says of each of the {rows} rows whether it is one; it is {chosen.dtype} of shape "
                f"{chosen.shape}."
            )
    else:
        if not 0 <= test < 1:
            raise ValueError(f"test is the fraction of rows that are held out, from 0 to below 1; it is {test}.")
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed)).numpy()
        chosen = np.ones(rows, bool)
        chosen[order[: round(test * rows)]] = False
    if chosen.sum() < 2:
        raise ValueError(f"A table needs two training rows at least; this one has {int(chosen.sum())} of {rows}.")
    return chosen
