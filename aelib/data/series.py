"""A reader's own series: windows of one or many channels, and their scores back on the time axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aelib.extras import extra
from aelib.interfaces import Batch

Values = Any  # (T,), (T, channels), a DataFrame or Series, or a list of these


@dataclass(frozen=True, eq=False, repr=False)
class Windows:
    """Windows of series, cut out when they are asked for: however much they overlap, the series are held once."""

    values: Tensor  # (T, channels), all series one after the other, scaled
    starts: Tensor  # (N,) int64, where the windows begin in it
    window: int
    lengths: tuple[int, ...]  # of the series

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return f"{len(self):,} windows ({self.window}, {self.values.shape[1]}) of {len(self.lengths)} series"

    def to(self, device: torch.device | str) -> "Windows":
        """The same windows on another device."""
        return Windows(self.values.to(device), self.starts.to(device), self.window, self.lengths)

    def batch(self, index: Tensor | None = None) -> Batch:
        """The windows at *index* (all by default), (B, window, channels), without labels."""
        starts = self.starts if index is None else self.starts[index]
        steps = torch.arange(self.window, device=starts.device)
        return Batch(self.values[starts[:, None] + steps], None)

    def on_axis(self, scores: Tensor | NDArray[Any]) -> list[NDArray[np.float64]]:
        """Scores of windows as scores of time steps: at each step the mean over all windows that hold it.

        Args:
            scores: (N,), one for each window, or (N, window), one for each of its steps.

        Returns:
            An array (T,) for each series; NaN where no window is.

        Raises:
            ValueError: other shapes.
        """
        told = torch.as_tensor(scores).detach().cpu().double()
        if told.shape not in ((len(self),), (len(self), self.window)):
            raise ValueError(
                f"Scores are ({len(self)},), one a window, or ({len(self)}, {self.window}); these are "
                f"{tuple(told.shape)}."
            )
        told = told[:, None].expand(-1, self.window) if told.ndim == 1 else told
        steps = (self.starts.cpu()[:, None] + torch.arange(self.window)).flatten()
        total = torch.zeros(len(self.values), dtype=torch.float64).index_add_(0, steps, told.flatten())
        count = torch.zeros(len(self.values), dtype=torch.float64).index_add_(0, steps, torch.ones(len(steps)).double())
        return [part.numpy() for part in (total / count).split(list(self.lengths))]  # 0 / 0 is NaN


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """Windows of the training and of the test part, and how they were scaled."""

    train: Windows
    test: Windows
    scaling: "Scaling"

    def __repr__(self) -> str:
        return f"training: {self.train!r}; test: {self.test!r}"


@dataclass(frozen=True)
class Scaling:
    """What takes series to mean 0 and variance 1, channel by channel, as the training part has them."""

    center: tuple[float, ...]
    scale: tuple[float, ...]
    window: int

    def windows(self, values: Values, stride: int = 1, fill: int = 0) -> Windows:
        """Windows of other series, scaled alike; arguments and errors as for :func:`series`."""
        many = _series(values, len(self.center))
        return _windows([self.scaled(_filled(one, fill)) for one in many], self.window, stride, [0] * len(many), None)

    def scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T, channels) in the units of the network."""
        return (values - np.array(self.center)) / np.array(self.scale)

    def inverse(self, x: Tensor) -> Tensor:
        """(..., channels) in the units of the series again."""
        return x * torch.tensor(self.scale, dtype=x.dtype, device=x.device) + torch.tensor(
            self.center, dtype=x.dtype, device=x.device
        )

    def layer(self) -> nn.Module:
        """What leads from raw windows, (N, window, channels), to those of the network, as a layer without weights."""
        return Standard(self)

    def state(self) -> dict[str, Any]:
        """All that there is to keep, as JSON."""
        return {"center": list(self.center), "scale": list(self.scale), "window": self.window}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Scaling":
        """The scaling that gave this :meth:`state`."""
        return cls(tuple(state["center"]), tuple(state["scale"]), state["window"])


class Standard(nn.Module):
    """(x - center) / scale, channel by channel, in the arithmetic of what comes in."""

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self.register_buffer("center", torch.tensor(scaling.center, dtype=torch.float64), persistent=False)
        self.register_buffer("scale", torch.tensor(scaling.scale, dtype=torch.float64), persistent=False)

    def forward(self, raw: Tensor) -> Tensor:
        center, scale = self.get_buffer("center").to(raw.dtype), self.get_buffer("scale").to(raw.dtype)
        return (raw - center) / scale


def series(
    values: Values, window: int, stride: int = 1, *, train: float | Sequence[int] = 0.7, fill: int = 0
) -> Series:
    """One series or several, cut into windows of *window* steps, *stride* steps apart.

    The first part of each is for training, the rest for testing, and no window reaches from one into the other. Each
    channel is scaled by scikit-learn's ``StandardScaler``, fitted on the training part. A window with a gap in it (NaN
    or None in any channel) is left out; gaps of up to *fill* steps are bridged by straight lines before.

    Args:
        values: (T,) or (T, channels), as an array, a tensor, or a pandas ``Series`` or ``DataFrame`` whose rows are
            equally spaced; or a list of these, of any lengths.
        window: steps of a window.
        stride: steps from one window to the next.
        train: the fraction of each series that is for training, or how many steps of each are.
        fill: steps of the longest gap that is bridged.

    Raises:
        TypeError: values that are no numbers.
        ValueError: shapes or numbers that cannot be, infinite values, or no whole window to train on.
    """
    with extra("data"):
        from sklearn.preprocessing import StandardScaler

    if window < 1 or stride < 1 or fill < 0:
        raise ValueError(f"window and stride are 1 or more, fill 0 or more; they are {window}, {stride} and {fill}.")
    many = [_filled(one, fill) for one in _series(values)]
    if isinstance(train, int | float):
        if not 0 < train <= 1:
            raise ValueError(f"train is a fraction above 0, at most 1, or a number of steps for each; it is {train}.")
        ends = [int(train * len(one)) for one in many]
    else:
        ends = [int(end) for end in train]
        if len(ends) != len(many) or any(not 0 <= end <= len(one) for end, one in zip(ends, many, strict=True)):
            raise ValueError(
                f"train has a number of steps for each series, of {[len(one) for one in many]}; it is {ends}."
            )
    first = np.concatenate([one[:end] for one, end in zip(many, ends, strict=True)])
    if np.isnan(first).all(0).any():
        raise ValueError("A channel has no value in the training part: leave it out, or make the part larger.")
    scaler = StandardScaler().fit(first)
    scaling = Scaling(tuple(scaler.mean_.tolist()), tuple(scaler.scale_.tolist()), window)
    scaled = [scaling.scaled(one) for one in many]
    parts = [
        _windows(scaled, window, stride, [0] * len(many), ends),
        _windows(scaled, window, stride, ends, None),
    ]
    if not len(parts[0]):
        raise ValueError(
            f"No window of {window} steps without a gap is in the training part, {ends} steps of "
            f"{[len(one) for one in many]}: take a shorter one, or fill the gaps."
        )
    return Series(parts[0], parts[1], scaling)


def _series(values: Values, channels: int | None = None) -> list[NDArray[np.float64]]:
    """The series as arrays (T, channels)."""
    many = list(values) if isinstance(values, list | tuple) and values and np.ndim(values[0]) > 0 else [values]
    found = []
    for one in many:
        try:
            array = one.to_numpy(dtype=object) if isinstance(one, pd.DataFrame | pd.Series) else np.asarray(one, object)
            array = np.where(pd.isna(array), np.nan, array).astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"A series is of numbers, with NaN or None for gaps: {error}.") from error
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not array.size or (channels is not None and array.shape[1] != channels):
            wanted = f" of {channels} channels" if channels else ""
            raise ValueError(f"A series is (T,) or (T, channels){wanted}; one is {array.shape}.")
        channels = array.shape[1]
        if np.isinf(array).any():
            step, channel = np.argwhere(np.isinf(array))[0]
            raise ValueError(f"A series is finite; step {step} of channel {channel} is {array[step, channel]}.")
        found.append(array)
    return found


def _filled(values: NDArray[np.float64], fill: int) -> NDArray[np.float64]:
    """Gaps of up to *fill* steps bridged by straight lines; longer ones, and those at the ends, stay as they are."""
    if not fill:
        return values
    whole = values.copy()
    for channel in whole.T:
        gaps = np.isnan(channel)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], gaps.astype(int), [0]])))
        for begin, end in edges.reshape(-1, 2):
            if end - begin <= fill and begin > 0 and end < len(channel):
                channel[begin:end] = np.interp(np.arange(begin, end), [begin - 1, end], channel[[begin - 1, end]])
    return whole


def _windows(
    many: Sequence[NDArray[np.float64]],
    window: int,
    stride: int,
    begins: Sequence[int],
    ends: Sequence[int] | None,
) -> Windows:
    """The windows of each series between its beginning and its end, but for those with a gap."""
    starts, offset = [], 0
    for number, one in enumerate(many):
        end = len(one) if ends is None else ends[number]
        found = np.arange(begins[number], end - window + 1, stride)
        before = np.concatenate([[0], np.isnan(one).any(1).cumsum()])  # gaps before each step
        starts.append(found[before[found + window] == before[found]] + offset)
        offset += len(one)
    values = torch.from_numpy(np.concatenate(many)).float()
    whole = torch.from_numpy(np.concatenate(starts).astype(np.int64))
    return Windows(values, whole, window, tuple(len(one) for one in many))
