"""Between a table and numbers that a network takes: fitted on training rows, and undone on the way out.

Scaling and categories are scikit-learn's. What is learned of the columns is plain JSON, so that it can be kept with
the model.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pandas.api import types
from torch import Tensor, nn

from aelib.extras import extra

KINDS = ("number", "date", "yes/no", "category")
MISSING, OTHER = "(missing)", "(other)"
MOST = 100  # categories of a column that is not said to be one
ISO = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?"
EPOCH = pd.Timestamp("1970-01-01")


class Column(NamedTuple):
    """What is known of a column, in the order in which the blocks of a row stand."""

    name: str
    kind: str  # one of KINDS
    missing: bool = False  # whether there were missing numbers or dates in training: then there is a bit for it
    whole: bool = False  # numbers without a fraction, dates without a time of day: rounded on the way out
    center: float = 0.0
    scale: float = 1.0
    values: tuple[Any, ...] = ()  # the two of a yes/no, or the categories, in the order of their numbers


class Columns:
    """The columns of a table, as :func:`aelib.data.table` learned them from its training rows.

    A row becomes, in this order: numbers and dates, standardized; those with missing ones, at the mean where they are
    missing, followed by a bit for each that says so; yes-or-no answers as bits; each category as a vector with a single
    1. A category that was missing in training is one of its own, and there is always one for all that was not seen.

    Args:
        columns: as :func:`learned` finds them.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        if not columns:
            raise ValueError("A table needs a column to learn; there is none.")
        self.columns = tuple(columns)
        self._plain = [c for c in columns if c.kind in ("number", "date") and not c.missing]
        self._gaps = [c for c in columns if c.kind in ("number", "date") and c.missing]
        self._bits = [c for c in columns if c.kind == "yes/no"]
        self._categories = [c for c in columns if c.kind == "category"]
        self.columns = (*self._plain, *self._gaps, *self._bits, *self._categories)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in the order of a row's blocks, which is that of the terms of a ``Mixed`` likelihood."""
        return tuple(c.name for c in self.columns)

    @property
    def blocks(self) -> tuple[tuple[str, int], ...]:
        """Kinds and widths, as :class:`aelib.likelihoods.Mixed` takes them."""
        found = [("gaussian", len(self._plain)), ("missing", 2 * len(self._gaps)), ("bernoulli", len(self._bits))]
        found += [("categorical", len(c.values)) for c in self._categories]
        return tuple((kind, width) for kind, width in found if width)

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return sum(width for _, width in self.blocks)

    # Into the network

    def raw(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """A table as numbers before they are scaled, (N, columns): NaN for what is missing, categories by number.

        Raises:
            ValueError: a column is not there, or holds what its kind cannot.
        """
        if absent := [c.name for c in self.columns if c.name not in frame]:
            raise ValueError(f"The table has no column {absent[0]!r}; its columns are {list(map(str, frame.columns))}.")
        return np.stack([_raw(frame[c.name], c) for c in self.columns], 1)

    def transform(self, frame: pd.DataFrame) -> Tensor:  # -> (N, width) float32
        """A table's rows as the network takes them; ValueError as for :meth:`raw`."""
        return self.layer()(torch.from_numpy(self.raw(frame))).float()

    def layer(self) -> nn.Module:
        """What leads from raw numbers, (N, columns) float64, to rows, (N, width), as a layer without weights."""
        return FromRaw(self)

    # Out of it

    def inverse(self, x: Tensor) -> pd.DataFrame:
        """Rows as a table with the values and types of the one that was learned; what is missing stays so.

        Bits are taken as true from one half on, and of a category's probabilities the largest counts. A number comes
        back to about 1e-7 of its distance from the mean, dates to the second or, if all were, to the day.

        Raises:
            ValueError: the rows have another width.
        """
        if x.ndim != 2 or x.shape[1] != self.width:
            raise ValueError(f"Rows of this table have {self.width} numbers; these are {tuple(x.shape)}.")
        rows = x.detach().cpu().double().numpy()
        at, found = 0, dict[str, Any]()
        for column in self._plain:
            found[column.name] = _numbers(rows[:, at], column, np.zeros(len(rows), bool))
            at += 1
        for i, column in enumerate(self._gaps):
            missing = rows[:, at + len(self._gaps) + i] >= 0.5
            found[column.name] = _numbers(rows[:, at + i], column, missing)
        at += 2 * len(self._gaps)
        for column in self._bits:
            found[column.name] = np.array(column.values, dtype=object)[(rows[:, at] >= 0.5).astype(int)]
            found[column.name] = pd.Series(found[column.name]).infer_objects()
            at += 1
        for column in self._categories:
            chosen = rows[:, at : at + len(column.values)].argmax(1)
            known = [None if value == MISSING else value for value in column.values]
            found[column.name] = pd.Series(np.array(known, dtype=object)[chosen]).infer_objects()
            at += len(column.values)
        return pd.DataFrame(found)[list(self.names)]

    # To keep

    def state(self) -> list[dict[str, Any]]:
        """All that there is to keep, as JSON."""
        return [{**c._asdict(), "values": list(c.values)} for c in self.columns]

    @classmethod
    def from_state(cls, state: Sequence[Mapping[str, Any]]) -> "Columns":
        """The columns that gave this :meth:`state`."""
        return cls([Column(**{**one, "values": tuple(one["values"])}) for one in state])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and self.columns == other.columns

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return f"Columns({', '.join(f'{c.name}: {c.kind}' for c in self.columns)})"


class FromRaw(nn.Module):
    """Raw numbers, (N, columns), as rows, (N, width): in the arithmetic of what comes in."""

    def __init__(self, columns: Columns) -> None:
        super().__init__()
        numbers = [c for c in columns.columns if c.kind in ("number", "date")]
        self.plain, self.gaps, self.bits = len(columns._plain), len(columns._gaps), len(columns._bits)
        self.sizes = [len(c.values) for c in columns._categories]
        self.register_buffer("center", torch.tensor([c.center for c in numbers], dtype=torch.float64), persistent=False)
        self.register_buffer("scale", torch.tensor([c.scale for c in numbers], dtype=torch.float64), persistent=False)

    def forward(self, raw: Tensor) -> Tensor:
        count = self.plain + self.gaps
        missing = raw[:, :count].isnan()
        center, scale = self.get_buffer("center").to(raw.dtype), self.get_buffer("scale").to(raw.dtype)
        numbers = torch.where(missing, torch.zeros_like(raw[:, :count]), (raw[:, :count] - center) / scale)
        parts = [numbers, missing[:, self.plain :].to(raw.dtype), raw[:, count : count + self.bits]]
        for i, size in enumerate(self.sizes):
            number = raw[:, count + self.bits + i, None]
            parts.append((number == torch.arange(size, device=raw.device)).to(raw.dtype))
        return torch.cat(parts, 1)


def learned(frame: pd.DataFrame, kinds: Mapping[str, str]) -> Columns:
    """What the training rows say of their columns.

    Args:
        frame: the training rows.
        kinds: of columns whose kind is not to be found out: ``"number"``, ``"date"``, ``"yes/no"`` or ``"category"``.

    Raises:
        ValueError: a column that is not there, or cannot be of its kind, or whose kind is not clear; the message says
            what to do.
    """
    with extra("data"):
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

    for name, kind in kinds.items():
        if name not in frame or kind not in KINDS:
            raise ValueError(f"kinds gives columns of the table one of {KINDS}; it has {name!r}: {kind!r}.")
    found = []
    for name in frame.columns:
        values = frame[name]
        kind = kinds.get(name) or _kind(values)
        if values.isna().all():
            raise ValueError(f"The column {name!r} has no value in the training rows: leave it out.")
        if kind in ("number", "date"):
            column = Column(str(name), kind, missing=bool(values.isna().any()))
            numbers = _raw(values, column)
            scaler = StandardScaler().fit(numbers[:, None])  # it passes over what is missing
            center, scale = float(scaler.mean_[0]), float(scaler.scale_[0])
            there = numbers[~np.isnan(numbers)]
            whole = bool((there % 86400 == 0).all()) if kind == "date" else types.is_integer_dtype(values.dtype)
            found.append(column._replace(center=center, scale=scale, whole=whole))
        elif kind == "yes/no":
            found.append(Column(str(name), kind, values=_two(values)))
        else:
            known = values[values.notna()].map(_plain)
            kept = OneHotEncoder(sparse_output=False).fit(known.to_numpy(dtype=object)[:, None]).categories_[0].tolist()
            kept += [MISSING] if values.isna().any() else []
            found.append(Column(str(name), "category", values=(*kept, OTHER)))
    return Columns(found)


def _kind(values: pd.Series) -> str:
    there = values.dropna()
    if types.is_bool_dtype(values.dtype) or (len(there) and there.map(lambda v: isinstance(v, bool | np.bool_)).all()):
        return "category" if values.isna().any() else "yes/no"
    if types.is_datetime64_any_dtype(values.dtype):
        return "date"
    if types.is_numeric_dtype(values.dtype) or types.is_timedelta64_dtype(values.dtype):
        two = types.is_integer_dtype(values.dtype) and set(there.unique()) == {0, 1}
        return "yes/no" if two and not values.isna().any() else "number"
    if len(there) and there.map(lambda v: isinstance(v, datetime.date)).all():
        return "date"
    if not there.map(lambda v: isinstance(v, str)).all() and not isinstance(values.dtype, pd.CategoricalDtype):
        kinds = sorted({type(v).__name__ for v in there})
        raise ValueError(
            f"The column {values.name!r} holds {' and '.join(kinds)}: make it numbers, texts, dates or booleans, or "
            "leave it out."
        )
    if len(there) and there.astype(str).str.fullmatch(ISO).all():
        return "date"
    if there.nunique() > min(MOST, max(2, len(there) // 2)):
        raise ValueError(
            f"The column {values.name!r} has {there.nunique()} different texts in {len(there)} rows, which is no "
            f'category: leave it out, or say kinds={{{values.name!r}: "category"}}.'
        )
    return "category"


def _two(values: pd.Series) -> tuple[Any, Any]:
    seen = sorted({_plain(v) for v in values.dropna()}, key=lambda v: (str(type(v)), v))
    if len(seen) > 2 or values.isna().any():
        raise ValueError(f"The column {values.name!r} is no yes/no: it has {len(seen)} values{_some_missing(values)}.")
    if len(seen) < 2:
        if seen[0] not in (0, 1):
            raise ValueError(f"The column {values.name!r} has one value alone, {seen[0]!r}: leave it out.")
        seen = [type(seen[0])(0), type(seen[0])(1)]
    return seen[0], seen[1]


def _some_missing(values: pd.Series) -> str:
    return ", and some are missing" if values.isna().any() else ""


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, bool | int | float | str) else str(value)


def _raw(values: pd.Series, column: Column) -> NDArray[np.float64]:
    """A column as float64, NaN where a number or date is missing, the number of a category or a bit."""
    if column.kind in ("number", "date"):
        return _days(values, column.name) if column.kind == "date" else _floats(values, column.name)
    number = {value: i for i, value in enumerate(column.values)}
    if column.kind == "yes/no":
        found = values.map(lambda v: number.get(_plain(v), np.nan) if pd.notna(v) else np.nan).to_numpy(np.float64)
        if np.isnan(found).any():
            row = int(np.isnan(found).argmax())
            had = _plain(values.iloc[row])
            raise ValueError(f"The column {column.name!r} is one of {list(column.values)}; row {row} has {had!r}.")
        return found
    other = number[OTHER]
    missing = number.get(MISSING, other)
    codes = [missing if pd.isna(value) else number.get(_plain(value), other) for value in values]
    return np.array(codes, np.float64)


def _floats(values: pd.Series, name: str) -> NDArray[np.float64]:
    if types.is_timedelta64_dtype(values.dtype):
        values = values.dt.total_seconds()
    found = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = (np.isnan(found) & values.notna().to_numpy()) | np.isinf(found)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"The column {name!r} is of finite numbers; row {row} has {_plain(values.iloc[row])!r}.")
    return found


def _days(values: pd.Series, name: str) -> NDArray[np.float64]:
    """Dates as seconds since 1970."""
    form = None if types.is_datetime64_any_dtype(values.dtype) else "ISO8601"
    found = pd.to_datetime(values, errors="coerce", utc=True, format=form)
    bad = (found.isna() & values.notna()).to_numpy()
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"The column {name!r} is of dates such as 2024-01-31; row {row} has {_plain(values.iloc[row])!r}."
        )
    seconds = (found.dt.tz_localize(None) - EPOCH) / pd.Timedelta(seconds=1)
    return np.asarray(seconds, np.float64)


def _numbers(scaled: NDArray[np.float64], column: Column, missing: NDArray[np.bool_]) -> pd.Series:
    """Standardized numbers as they were."""
    found = scaled * column.scale + column.center
    if column.kind == "date":
        unit = 86400 if column.whole else 1
        dates = pd.Series(EPOCH + pd.to_timedelta(np.rint(found / unit) * unit, unit="s"))
        return dates.mask(missing)
    if column.whole:
        whole = pd.Series(np.rint(found).astype(np.int64))
        return whole.astype("Int64").mask(missing) if column.missing else whole
    return pd.Series(np.where(missing, np.nan, found))
