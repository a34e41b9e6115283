"""Recorded runs: loaded where there is a record, trained where there is none."""

import pandas as pd
import pytest
import torch
from torch import nn

from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.denoising import TiedAutoencoder
from aelib.models.recurrent import Seq2Seq
from aelib.records.runs import recorded
from aelib.training import Phase, fit


@pytest.fixture
def cpu(monkeypatch):
    monkeypatch.setenv("AELIB_PROFILE", "cpu")
    monkeypatch.delenv("AELIB_RECORD", raising=False)


def model(latent: int = 2) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder((64, 10, latent), nn.ReLU, (1, 8, 8))


def train(ae: nn.Module, small) -> pd.DataFrame:
    history = fit({"ae": ae}, Phase(SquaredError()), small, epochs=2)
    history.attrs["test error"] = 1.5
    return history


def never() -> pd.DataFrame:
    raise AssertionError("trained although there is a record")


def test_without_a_record_it_trains_and_leaves_no_file(cpu, small, tmp_path):
    ae = model()
    assert len(recorded("run", ae, lambda: train(ae, small), folder=tmp_path)) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_record_gives_back_weights_and_history(cpu, small, tmp_path, monkeypatch):
    first, second = model(), model()
    monkeypatch.setenv("AELIB_RECORD", "1")
    history = recorded("run", first, lambda: train(first, small), folder=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["run.cpu.safetensors"]
    monkeypatch.delenv("AELIB_RECORD")
    loaded = recorded("run", second, never, folder=tmp_path)
    pd.testing.assert_frame_equal(loaded, history)
    assert loaded.attrs["seconds"] == history.attrs["seconds"]
    assert loaded.attrs["test error"] == 1.5
    assert loaded.attrs["hardware"]
    x = small.images()
    torch.testing.assert_close(second(x).x_hat, first(x).x_hat, rtol=0, atol=2e-3)  # half precision
    assert not second.training


def test_layers_that_share_their_weights_are_recorded(cpu, tmp_path, monkeypatch):
    """As an LSTM that is both encoder and decoder: two names, one memory."""
    monkeypatch.setenv("AELIB_RECORD", "1")
    tied, other = (Seq2Seq(6, 3, 4, tied=True) for _ in range(2))
    history = pd.DataFrame({"epoch": [1], "split": ["train"], "phase": ["p"], "term": ["loss"], "value": [1.0]})
    recorded("tied", tied, lambda: history, folder=tmp_path)
    recorded("tied", other, never, folder=tmp_path)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(value, tied.state_dict()[name], rtol=0, atol=2e-3)
    assert other.decoder is other.encoder


def test_tied_weights_are_recorded_once(cpu, tmp_path, monkeypatch):
    history = pd.DataFrame([], columns=["epoch", "split", "phase", "term", "value"])
    torch.manual_seed(0)
    first, second = (TiedAutoencoder(50, (1, 8, 8)) for _ in range(2))
    monkeypatch.setenv("AELIB_RECORD", "1")
    recorded("run", first, lambda: history, folder=tmp_path)
    assert (tmp_path / "run.cpu.safetensors").stat().st_size < 2 * 1.5 * 50 * 64
    recorded("run", second, never, folder=tmp_path)
    x = torch.rand(5, 1, 8, 8)
    torch.testing.assert_close(second(x).x_hat, first(x).x_hat, rtol=0, atol=5e-3)
    with torch.no_grad():
        second.encoder[1].weight.zero_()  # still one matrix
    assert not second.decoder[0].up.weight.any()


def test_a_history_can_be_recorded_without_weights(cpu, small, tmp_path, monkeypatch):
    monkeypatch.setenv("AELIB_RECORD", "1")
    ae = model()
    recorded("run", ae, lambda: train(ae, small), weights=False, folder=tmp_path)
    monkeypatch.delenv("AELIB_RECORD")
    other = model()
    before = other.encoder[1].weight.clone()
    assert recorded("run", other, never, weights=False, folder=tmp_path).attrs["test error"] == 1.5
    assert torch.equal(other.encoder[1].weight, before)


def test_smoke_always_trains(cpu, small, tmp_path, monkeypatch):
    monkeypatch.setenv("AELIB_PROFILE", "smoke")
    monkeypatch.setenv("AELIB_RECORD", "1")
    ae = model()
    recorded("run", ae, lambda: train(ae, small), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_does_not_fit_is_named(cpu, small, tmp_path, monkeypatch):
    monkeypatch.setenv("AELIB_RECORD", "1")
    ae = model()
    recorded("run", ae, lambda: train(ae, small), folder=tmp_path)
    monkeypatch.delenv("AELIB_RECORD")
    with pytest.raises(ValueError, match=r"(?s)run.cpu.safetensors is no record of this Autoencoder.*AELIB_RECORD=1"):
        recorded("run", model(3), never, folder=tmp_path)
    (tmp_path / "run.cpu.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="is no record of this Autoencoder"):
        recorded("run", model(), never, folder=tmp_path)


def test_variances_too_large_for_half_precision_are_kept_and_lost_weights_are_refused(cpu, tmp_path, monkeypatch):
    monkeypatch.setenv("AELIB_RECORD", "1")
    history = pd.DataFrame({"epoch": [1]})
    net, other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    net[1].running_var.fill_(1e6)
    recorded("wide", net, lambda: history, folder=tmp_path)
    recorded("wide", other, never, folder=tmp_path)
    assert other[1].running_var.tolist() == [1e6] * 3
    net[0].weight.data.fill_(1e6)
    with pytest.raises(FloatingPointError, match=r"0\.weight would hold numbers that are not finite"):
        recorded("lost", net, lambda: history, folder=tmp_path)
