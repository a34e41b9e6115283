"""Runs: declared without training, loaded from a record of the same recipe, trained where the profile says so."""

import json

import pytest
import torch
from safetensors import safe_open
from torch import nn

from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.denoising import TiedAutoencoder
from aelib.models.recurrent import Seq2Seq
from aelib.models.stacked import Classifier, LabelCrossEntropy, OnCodes
from aelib.records.description import differences
from aelib.records.record_file import read_weights, write
from aelib.records.runs import NotRecorded, Run
from aelib.training import Call, Derived, Fit, Measured, Phase
from aelib.training.optimizers import adam, sgd

NONE = r"There is no record of the run '99-run'\. `python scripts/record.py --only 99`.*AELIB_PROFILE=quick.*train=True"


@pytest.fixture(autouse=True)
def full(monkeypatch):
    monkeypatch.setenv("AELIB_PROFILE", "full")
    monkeypatch.delenv("AELIB_RECORD", raising=False)


def error_of(nets):
    return {"size": sum(p.numel() for p in nets["ae"].parameters()), "rows": [torch.ones(2), 3]}


def declared(small, seed=0, rate=1e-3, callbacks=(), **options) -> Run:
    torch.manual_seed(seed)
    ae = Autoencoder((64, 10, 2), nn.ReLU, (1, 8, 8))
    phase = Phase(SquaredError(), adam(rate))
    step = Fit({"ae": ae}, phase, small, epochs=2, batch_size=32, seed=seed, callbacks=callbacks)
    return Run("99-run", {"ae": ae}, [step], **{"measure": error_of} | options)


def stack(small, rate=1e-2) -> Run:
    """A layer, a layer on its codes, a classifier on both: steps that share modules, and one that is no training."""
    torch.manual_seed(0)
    first, second = TiedAutoencoder(20, (1, 8, 8)), TiedAutoencoder(10, (20,))
    encoder = nn.Sequential(*first.encoder, *[*second.encoder][1:])
    classifier = Classifier(encoder, 10)
    phase = Phase(OnCodes(SquaredError()), updates=("ae",))
    steps = [
        Fit({"ae": first}, Phase(SquaredError()), small, epochs=1),
        Fit({"ae": second, "below": first.encoder}, phase, small, epochs=1),
        Call(shrink, classifier.head, 0.5),
        Fit({"classifier": classifier}, Phase(LabelCrossEntropy(), adam(rate)), small, epochs=2, validation=20),
    ]
    return Run("99-stack", {"classifier": classifier}, steps)


def shrink(layer, factor):
    with torch.no_grad():
        layer.bias.add_(torch.rand(10) * factor)


def test_without_a_record_it_says_what_to_do_and_trains_only_if_told(small, tmp_path):
    run = declared(small)
    before = run.modules["ae"].encoder[1].weight.clone()
    with pytest.raises(NotRecorded, match=NONE):
        run.load(folder=tmp_path)
    assert torch.equal(run.modules["ae"].encoder[1].weight, before)
    modules, history = run.load(train=True, folder=tmp_path)
    assert not torch.equal(modules["ae"].encoder[1].weight, before)
    assert len(history) == 2 and not list(tmp_path.iterdir())
    assert run.load(folder=tmp_path).history is history  # once


@pytest.mark.parametrize("profile", ["quick", "smoke"])
def test_small_profiles_train_and_know_no_records(small, tmp_path, monkeypatch, profile):
    declared(small).record(tmp_path)
    monkeypatch.setenv("AELIB_PROFILE", profile)
    monkeypatch.setenv("AELIB_RECORD", "1")
    run = declared(small, rate=1e-2)  # which the record would refuse
    assert len(run.load(folder=tmp_path).history) == 2
    assert not differences(
        json.loads(json.dumps(declared(small).recipe)), head(tmp_path / "99-run.safetensors")["recipe"]
    )


def head(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["run"])


def test_a_record_gives_back_weights_history_and_measures(small, tmp_path, monkeypatch):
    watched = Measured(lambda nets: {"norm": nets["ae"].encoder[1].weight.norm().item()})
    first = declared(small, callbacks=[watched])
    monkeypatch.setenv("AELIB_RECORD", "1")
    first.load(folder=tmp_path)
    monkeypatch.delenv("AELIB_RECORD")
    trained = declared(small, callbacks=[watched]).load(train=True, folder=tmp_path / "elsewhere")
    loaded = declared(small, callbacks=[watched]).load(folder=tmp_path)
    assert [p.name for p in tmp_path.glob("[!.]*")] == ["99-run.safetensors"]
    assert loaded.history.value.tolist() == trained.history.value.tolist()
    assert loaded.history.split.tolist() == ["train", "measured"] * 2
    assert loaded.measures == {"size": 1406, "rows": [[1.0, 1.0], 3]}
    attrs = loaded.history.attrs
    assert len(attrs["seconds"]) == 2 and attrs["step seconds"] == [pytest.approx(sum(attrs["seconds"]))]
    assert attrs["hardware"] and attrs["date"]
    ae, x = loaded.modules["ae"], small.images()
    torch.testing.assert_close(ae(x).x_hat, trained.modules["ae"](x).x_hat, rtol=0, atol=2e-3)  # half precision
    assert not ae.training


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rate": 1e-2}, "step 1: phase 'SquaredError': optimizer: lr was 0.001 there and is 0.01 here"),
        ({"seed": 1}, "step 1: seed was 0 there and is 1 here"),
        ({"measure": None}, "measure was"),
        ({"weights": False}, "kept 'ae' was"),
    ],
)
def test_a_record_of_another_recipe_is_refused_by_the_field(small, tmp_path, monkeypatch, changes, named):
    declared(small).record(tmp_path)
    with pytest.raises(NotRecorded, match=r"99-run.safetensors was trained by another recipe") as refused:
        declared(small, **changes).load(folder=tmp_path)
    assert named in str(refused.value) and "scripts/record.py --only 99" in str(refused.value)
    monkeypatch.setenv("AELIB_RECORD", "1")
    declared(small, **changes).load(folder=tmp_path)  # replaces it
    monkeypatch.delenv("AELIB_RECORD")
    assert declared(small, **changes).lacks(tmp_path) == ""


def test_steps_that_share_modules_are_declared_recorded_and_loaded_as_one(small, tmp_path):
    trained = stack(small).load(train=True).modules["classifier"]
    stack(small).record(tmp_path)
    run = stack(small)
    modules, history = run.load(folder=tmp_path)
    x = small.images()
    torch.testing.assert_close(modules["classifier"](x).logits, trained(x).logits, rtol=0, atol=5e-3)
    assert history.step.unique().tolist() == [1, 2, 4]
    assert len(history.attrs["step seconds"]) == 4
    with pytest.raises(NotRecorded, match=r"step 4: phase .*: optimizer: lr was"):
        stack(small, rate=2e-2).load(folder=tmp_path)


def test_an_interrupted_run_goes_on_and_gives_the_same(small, tmp_path):
    whole = stack(small).load(train=True)

    class Stop(Exception):
        pass

    run = stack(small)
    last = run.steps[-1]
    calls = []

    def stop(self, state_file=None):
        if not calls:
            calls.append(state_file)
            raise Stop
        return Fit.run(self, state_file)

    broken = type("Broken", (Fit,), {"run": stop})
    run.steps[-1] = broken(last.modules, last.phases, last.data, epochs=2, validation=20)
    with pytest.raises(Stop):
        run.record(tmp_path)
    state = tmp_path / ".state" / "99-stack"
    assert sorted(p.name for p in state.iterdir()) == ["recipe.json", "step1.safetensors", "step2.safetensors"]
    stack(small).record(tmp_path)
    assert not state.exists()
    assert stack(small).load(folder=tmp_path).history.value.tolist() == whole.history.value.tolist()


def test_states_of_another_recipe_are_thrown_away(small, tmp_path):
    state = tmp_path / ".state" / "99-run"
    state.mkdir(parents=True)
    (state / "recipe.json").write_text(json.dumps(declared(small, rate=1.0).recipe))
    (state / "step1.safetensors").write_bytes(b"of another recipe")
    declared(small).record(tmp_path)
    assert declared(small).lacks(tmp_path) == ""


def test_a_sweep_keeps_no_weights(small, tmp_path):
    declared(small, weights=False).record(tmp_path)
    modules, history = declared(small, weights=False).load(folder=tmp_path)
    assert modules == {} and len(history) == 2
    assert (tmp_path / "99-run.safetensors").stat().st_size < 10_000


def test_a_run_that_fails_is_recorded_as_failed(small, tmp_path):
    def diverging():
        run = declared(small)
        step = run.steps[0]
        run.steps = [Fit(step.modules, Phase(SquaredError(), sgd(1e30)), small, epochs=3)]
        return run

    for attempt in (lambda run: run.record(tmp_path), lambda run: run.load(folder=tmp_path)):
        with pytest.raises(FloatingPointError, match="Phase 'SquaredError': the term 'loss' became"):
            attempt(diverging())
    assert diverging().lacks(tmp_path) == ""
    assert "another recipe" in declared(small).lacks(tmp_path)


def test_data_that_are_derived_are_compared_by_their_source(small, tmp_path):
    def derived(source, scale):
        run = declared(small)
        step = run.steps[0]
        data = Derived(lambda: small[torch.arange(30)], source, scale)
        run.steps = [Fit(step.modules, step.phases, data, epochs=1)]
        return run

    derived("codes of 99-other", 30).record(tmp_path)
    assert derived("codes of 99-other", 30).lacks(tmp_path) == ""
    assert 'source was "codes of 99-other" there' in derived("codes of 99-another", 30).lacks(tmp_path)
    derived(declared(small), 30).record(tmp_path)
    other = declared(small)
    other.load(train=True)  # a trained source is still the same source
    assert derived(other, 30).lacks(tmp_path) == ""
    assert "data: source: recipe: step 1: " in derived(declared(small, rate=1e-2), 30).lacks(tmp_path)
    with pytest.raises(ValueError, match="were to be 31; they are 30"):
        derived("codes", 31).load(train=True)


def test_a_record_that_would_be_too_large_is_refused_before_it_is_trained(tmp_path):
    run = Run("99-large", {"net": nn.Linear(2000, 2000)}, [])
    with pytest.raises(ValueError, match=r"holds 4 MB at most; the run '99-large' would have 8\.0"):
        run.record(tmp_path)


def test_a_damaged_record_is_named_and_replaced(small, tmp_path):
    path = tmp_path / "99-run.safetensors"
    path.write_bytes(b"damaged")
    with pytest.raises(NotRecorded, match=r"99-run.safetensors is no readable record"):
        declared(small).load(folder=tmp_path)
    declared(small).record(tmp_path)
    assert declared(small).lacks(tmp_path) == ""


@pytest.mark.parametrize("make", [lambda: Seq2Seq(6, 3, 4, tied=True), lambda: TiedAutoencoder(50, (1, 8, 8))])
def test_tied_weights_are_recorded_once(tmp_path, make):
    torch.manual_seed(0)
    first, second = make(), make()
    write(tmp_path / "record", {"net": first, "again": first}, {})
    size = sum(p.numel() for p in first.parameters())
    assert (tmp_path / "record").stat().st_size < 2.5 * size + 3000
    read_weights(tmp_path / "record", {"net": second, "again": second})
    for name, value in second.state_dict().items():
        torch.testing.assert_close(value, first.state_dict()[name], rtol=0, atol=2e-3)
    with torch.no_grad():  # still one tensor under all of its names
        for p in second.parameters():
            p.zero_()
    assert not any(v.any() for v in second.state_dict().values())


def test_variances_too_large_for_half_precision_are_kept_and_lost_weights_are_refused(tmp_path):
    net, other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    net[1].running_var.fill_(1e6)
    write(tmp_path / "wide", {"net": net}, {})
    read_weights(tmp_path / "wide", {"net": other})
    assert other[1].running_var.tolist() == [1e6] * 3
    net[0].weight.data.fill_(1e6)
    with pytest.raises(FloatingPointError, match=r"net/0\.weight would hold numbers that are not finite"):
        write(tmp_path / "lost", {"net": net}, {})
    write(tmp_path / "exact", {"net": net}, {}, half=False)
    read_weights(tmp_path / "exact", {"net": other})
    assert torch.equal(other[0].weight, net[0].weight)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["exact", "wide"]
