"""Records of the first edition: loaded under full by name, counted, and never written."""

import json

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from aelib.records.first_edition import recorded


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AELIB_PROFILE", "full")
    monkeypatch.setenv("AELIB_FIRST_EDITION", str(tmp_path / "loaded"))
    torch.manual_seed(0)
    weights = nn.Linear(3, 2).state_dict()
    row = {"epoch": 1, "split": "train", "phase": "p", "term": "loss", "value": 2.0}
    head = {"rows": [row], "attrs": {"seconds": [1.0]}, "hardware": "2 cores", "commit": "c", "date": "2026-01-01"}
    tensors = {"weight": weights["weight"].half(), "bias": weights["bias"]}
    save_file(tensors, tmp_path / "09-run.cpu.safetensors", {"run": json.dumps(head)})
    return tmp_path


def train() -> pd.DataFrame:
    return pd.DataFrame({"epoch": [7]})


def test_a_record_is_loaded_and_noted(folder):
    torch.manual_seed(0)
    expected, model = nn.Linear(3, 2), nn.Linear(3, 2)
    history = recorded("09-run", model, train, folder=folder)
    torch.testing.assert_close(model.weight, expected.weight, rtol=0, atol=1e-3)
    assert history.value.tolist() == [2.0] and history.attrs["hardware"] == "2 cores"
    assert not model.training
    recorded("09-run", nn.Module(), train, weights=False, folder=folder)
    assert (folder / "loaded").read_text() == '"09-run"\n' * 2


@pytest.mark.parametrize(("name", "profile"), [("09-other", "full"), ("09-run", "quick"), ("09-run", "smoke")])
def test_elsewhere_it_trains_and_writes_nothing(folder, monkeypatch, name, profile):
    monkeypatch.setenv("AELIB_PROFILE", profile)
    monkeypatch.setenv("AELIB_RECORD", "1")
    assert recorded(name, nn.Linear(3, 2), train, folder=folder).epoch.tolist() == [7]
    assert [path.name for path in folder.iterdir()] == ["09-run.cpu.safetensors"]


def test_a_record_that_does_not_fit_is_named(folder):
    with pytest.raises(ValueError, match=r"09-run.cpu.safetensors does not hold these modules"):
        recorded("09-run", nn.Linear(4, 2), train, folder=folder)
    (folder / "09-run.cpu.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="is no readable record"):
        recorded("09-run", nn.Linear(3, 2), train, folder=folder)
