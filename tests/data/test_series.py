"""A reader's own series: windows without gaps, scaled by the training part, and scores back where they belong."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from aelib.data import Scaling, series


def waves(steps: int = 300, channels: int = 2) -> np.ndarray:
    t = np.arange(steps)[:, None]
    return np.sin(t / 7 + np.arange(channels)) * (1 + np.arange(channels)) + 5


def test_windows_are_pieces_of_the_scaled_series() -> None:
    values = waves()
    found = series(values, 20, 3, train=0.5)
    assert found.train.batch().x.shape == (44, 20, 2) and found.train.starts.tolist() == list(range(0, 131, 3))
    assert found.test.starts[0] == 150 and found.test.starts[-1] + 20 <= 300
    mean, std = values[:150].mean(0), values[:150].std(0)
    wanted = torch.from_numpy((values[3:23] - mean) / std).float()
    torch.testing.assert_close(found.train.batch(torch.tensor([1])).x[0], wanted)
    torch.testing.assert_close(
        found.scaling.inverse(wanted.double()), torch.from_numpy(values[3:23]), atol=1e-5, rtol=0
    )
    assert found.train.batch().y is None


def test_no_window_reaches_from_one_part_into_the_other() -> None:
    for train in (0.3, 0.7, [101]):
        found = series(waves(), 20, train=train)
        end = 101 if isinstance(train, list) else int(train * 300)
        assert found.train.starts.max() + 20 <= end <= found.test.starts.min()
        assert len(found.train) == end - 19 and len(found.test) == 300 - end - 19


def test_the_test_part_says_nothing_of_the_scale() -> None:
    values = waves()
    changed = values.copy()
    changed[210:] *= 100
    assert series(values, 20).scaling == series(changed, 20).scaling


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor, pd.Series])
def test_one_channel_of_any_kind(kind) -> None:
    values = np.sin(np.arange(100) / 5).tolist()
    found = series(kind(values), 10)
    assert found.train.batch().x.shape == (61, 10, 1)
    torch.testing.assert_close(found.train.batch().x, series(np.array(values), 10).train.batch().x)


def test_several_of_uneven_lengths() -> None:
    many = [waves(50), waves(31), waves(5), waves(80)]
    found = series(many, 10, train=[50, 31, 5, 0])
    assert found.train.lengths == (50, 31, 5, 80)
    assert len(found.train) == 41 + 22 and len(found.test) == 71
    assert found.test.starts.tolist() == list(range(86, 86 + 71))
    frames = [pd.DataFrame(one, columns=["a", "b"]) for one in many]
    assert torch.equal(series(frames, 10, train=[50, 31, 5, 0]).train.values, found.train.values)
    scores = found.test.on_axis(torch.arange(71.0))
    assert [len(one) for one in scores] == [50, 31, 5, 80] and np.isnan(np.concatenate(scores[:3])).all()


def test_gaps_are_left_out_or_bridged() -> None:
    values = waves(100, 1)
    values[40:43], values[60:70] = np.nan, np.nan
    starts = series(values, 10, train=1.0).train.starts.tolist()
    assert starts == [*range(0, 31), *range(43, 51), *range(70, 91)]
    bridged = series(values, 10, train=1.0, fill=3)
    assert bridged.train.starts.tolist() == [*range(0, 51), *range(70, 91)]
    line = np.interp([40, 41, 42], [39, 43], values[[39, 43], 0])
    whole = bridged.scaling.inverse(bridged.train.values.double())
    np.testing.assert_allclose(whole[40:43, 0], line, atol=1e-5)
    ends = values.copy()
    ends[:2], ends[-2:] = np.nan, np.nan  # a line has to begin somewhere
    assert series(ends, 10, train=1.0, fill=3).train.starts[0] == 2
    assert series([None if np.isnan(v) else v for v in values[:, 0]], 10, train=1.0).train.starts.tolist() == starts


def test_scores_come_back_to_the_steps() -> None:
    found = series(waves(60, 1), 10, 5, train=[20])
    windows = found.test  # at 20, 25, ..., 50
    each = windows.starts[:, None] + torch.arange(10)  # a step's own number as its score
    axis = windows.on_axis(each)[0]
    assert np.isnan(axis[:20]).all()
    np.testing.assert_allclose(axis[20:], np.arange(20, 60))
    spike = torch.zeros(7)
    spike[2] = 1  # the window of 30 to 39, half of which is in the one before, half in the one after
    np.testing.assert_allclose(windows.on_axis(spike)[0][20:], [0] * 10 + [0.5] * 10 + [0] * 20)
    np.testing.assert_allclose(windows.on_axis(spike.numpy())[0], windows.on_axis(spike)[0])
    with pytest.raises(ValueError, match=r"Scores are \(7,\), one a window, or \(7, 10\); these are \(6,\)"):
        windows.on_axis(torch.zeros(6))


def test_other_series_by_the_same_scaling() -> None:
    found = series(waves(), 20)
    again = Scaling.from_state(json.loads(json.dumps(found.scaling.state())))
    assert again == found.scaling
    windows = again.windows(waves(), stride=2)
    assert torch.equal(windows.values, found.train.values) and len(windows) == 141
    with pytest.raises(ValueError, match="of 2 channels; one is"):
        again.windows(waves(channels=3))


def test_overlap_takes_no_memory() -> None:
    found = series(np.sin(np.arange(10_000)), 500, train=1.0).train
    assert len(found) == 9501 and found.values.numel() == 10_000
    assert found.to("cpu").batch(torch.tensor([0, 9500])).x.shape == (2, 500, 1)


@pytest.mark.parametrize(
    ("values", "options", "kind", "message"),
    [
        (waves(), {"window": 0}, ValueError, "1 or more, fill 0 or more; they are 0, 1 and 0"),
        (waves(), {"train": 0.0}, ValueError, "a fraction above 0"),
        (waves(), {"train": [301]}, ValueError, r"of \[300\]; it is \[301\]"),
        (waves(15), {}, ValueError, "No window of 20 steps without a gap is in the training part"),
        (waves() * np.nan, {}, ValueError, "A channel has no value in the training part"),
        (np.where(waves() > 5.99, np.inf, waves()), {}, ValueError, r"step \d+ of channel \d is inf"),
        (["a", "b"], {}, TypeError, "A series is of numbers, with NaN or None for gaps"),
        (np.zeros((3, 4, 5)), {}, ValueError, r"one is \(3, 4, 5\)"),
        ([waves(40, 2), waves(40, 3)], {}, ValueError, r"of 2 channels; one is \(40, 3\)"),
        (np.zeros(0), {}, ValueError, r"one is \(0, 1\)"),
    ],
)
def test_what_cannot_be(values, options, kind, message: str) -> None:
    with pytest.raises(kind, match=message):
        series(values, **({"window": 20} | options))
