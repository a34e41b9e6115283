"""Trackers see the history: TensorBoard's own reader finds the same numbers in the event file."""

from pathlib import Path

import pytest
import torch
from accelerate.tracking import GeneralTracker, TensorBoardTracker
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from aelib.data import ImageSet
from aelib.models.autoencoder import Autoencoder, CrossEntropy
from aelib.training import Phase, fit


def train(data: ImageSet, **options: object):
    torch.manual_seed(0)
    ae = Autoencoder((64, 20, 3), nn.Sigmoid, (1, 8, 8))
    return fit({"ae": ae}, Phase(CrossEntropy()), data, epochs=3, batch_size=50, validation=20, **options)


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def as_written(history) -> dict[str, list[tuple[int, float]]]:
    series: dict[str, list[tuple[int, float]]] = {}
    for row in history.itertuples():
        series.setdefault(f"{row.split}/{row.phase}/{row.term}", []).append((row.epoch, pytest.approx(row.value)))
    return series


@pytest.mark.parametrize("named", [True, False], ids=["by name", "with a place and a name of its own"])
def test_tensorboard_gets_the_history(named, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    history = train(small, log_with="tensorboard" if named else TensorBoardTracker("first", "logs"))
    found = read(tmp_path / ("runs/ae" if named else "logs/first"))
    assert found == as_written(history)
    assert set(found) == {f"{s}/CrossEntropy/{t}" for s in ("train", "validation") for t in ("loss", "squared error")}


def test_without_a_tracker_nothing_is_written(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(small)
    assert list(tmp_path.iterdir()) == []


class Remembering(GeneralTracker):
    """A tracker of one's own."""

    name, requires_logging_directory = "remembering", False

    def __init__(self) -> None:
        super().__init__()
        self.run, self.steps, self.finished = {}, [], 0

    @property
    def tracker(self) -> list:
        return self.steps

    def store_init_configuration(self, values: dict) -> None:
        self.run = values

    def log(self, values: dict, step: int | None = None, **options: object) -> None:
        self.steps.append((step, values))

    def finish(self) -> None:
        self.finished += 1


def test_any_tracker_gets_the_settings_and_is_finished_also_after_an_error(small):
    tracker = Remembering()
    train(small, log_with=tracker)
    assert tracker.run == {"epochs": 3, "batch_size": 50, "seed": 0, "validation": 20, "examples": 120}
    assert [step for step, _ in tracker.steps] == [1, 2, 3]
    assert tracker.finished == 1

    def interrupt(end) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small, log_with=tracker, callbacks=[interrupt])
    assert tracker.finished == 2


def test_a_tracker_that_is_missing_or_unknown_is_named(small, monkeypatch):
    with pytest.raises(ValueError, match="No aim is installed here"):
        train(small, log_with=["tensorboard", "aim"])
    with pytest.raises(ValueError, match="Unsupported logging capability: tensorbord"):
        train(small, log_with="tensorbord")
