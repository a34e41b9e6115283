"""How far a training is, as its objectives are told: in epochs, the running one's part included."""

import pytest
import torch
from blobs import blobs
from torch import nn

from aelib.data import Batch, Binarized
from aelib.models.stacked import OnCodes
from aelib.training import Phase, fit


def listening(training, evaluation=None):
    """An objective that writes down what it is told."""

    def objective(nets, batch):
        if nets["ae"].training:
            assert batch.epoch.shape == ()
            training.append(batch.epoch.item())
        else:
            evaluation.append(batch.epoch)
        return {"loss": nets["ae"](batch.x.flatten(1)).square().mean()}

    return objective


def test_objectives_are_told_the_epochs_that_are_done():
    training, evaluation = [], []
    options = dict(epochs=2, batch_size=10, validation=10)
    fit({"ae": nn.Linear(64, 1)}, Phase(listening(training, evaluation)), blobs(50, 8), **options)
    assert training == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75])
    assert evaluation == [None, None]


def test_a_resumed_training_goes_on_counting(tmp_path):
    whole, parts = [], []

    def stop(end):
        if end.epoch == 2:
            raise KeyboardInterrupt

    def run(told, **options):
        fit({"ae": nn.Linear(64, 1)}, Phase(listening(told)), blobs(50, 8), epochs=3, batch_size=25, **options)

    run(whole)
    with pytest.raises(KeyboardInterrupt):
        run(parts, state_file=tmp_path / "state", callbacks=[stop])
    parts.clear()
    run(parts, state_file=tmp_path / "state")
    assert parts == whole[2:]  # from the epoch whose state was not saved


def test_what_makes_another_batch_hands_the_epoch_on():
    told = []
    batch = Batch(torch.rand(2, 1, 8, 8), None, torch.tensor(1.5))
    nets = {"below": nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), "ae": nn.Linear(3, 1)}
    OnCodes(listening(told))(nets, batch)
    assert told == [1.5]
    assert Binarized(blobs(5, 8)).batch().epoch is None
