"""Claims: verdicts are computed, records are whole, longer runs are kept, tables escape what they show."""

import json

import pytest
import torch

from aelib.records.claims import Claim, Claims, load, load_all, table_html, with_spread


def claim(**changes) -> Claim:
    given = dict(
        claim="test error", model="AE", dataset="MNIST test", metric="squared error", unit="per image",
        higher_is_better=False, values=[2.0], seeds=[0], protocol="As published.",
    )  # fmt: skip
    return Claim(**given | changes)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, ""),
        ({"target": 2.5}, "target met"),
        ({"target": 1.5}, "target missed"),
        ({"target": 1.5, "higher_is_better": True}, "target met"),
        ({"paper": 3.0}, "better"),
        ({"paper": 1.0}, "worse"),
        ({"paper": 1.0, "higher_is_better": True}, "better"),
        ({"paper": 1.9, "values": [1.8, 2.2, 2.0], "seeds": [0, 1, 2]}, "equal"),
        ({"paper": 2.2, "tolerance": 0.15}, "reproduced"),
        ({"paper": 2.5, "tolerance": 0.15}, "not reproduced"),
        ({"paper": 2.2, "tolerance": 0.15, "target": 1.0}, "reproduced"),
    ],
)
def test_the_verdict_follows_from_the_numbers(changes, verdict):
    assert claim(**changes).verdict == verdict


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (0.03461, 0.0174, "0.035 ± 0.017"), (79.0712, 5.31, "79.1 ± 5.3"), (0.15, 0.0053, "0.1500 ± 0.0053"),
        (1234.6, 43.21, "1235 ± 43"), (-0.07, 0.1, "-0.07 ± 0.10"), (7.5, 0.0, "7.5 ± 0"), (2.0, None, "2"),
    ],
)  # fmt: skip
def test_a_mean_has_the_digits_that_its_spread_allows(mean, std, text):
    assert with_spread(mean, std) == text


def test_ours_is_the_mean_over_seeds_with_its_standard_deviation():
    three = claim(values=[1.0, 2.0, 3.0], seeds=[0, 1, 2])
    assert (three.ours, three.ours_std) == (2.0, 1.0)
    assert claim().ours_std is None
    with pytest.raises(ValueError, match="one value a seed; it has 2 and 1 seeds"):
        claim(values=[1.0, 2.0])


@pytest.fixture
def cpu(monkeypatch):
    monkeypatch.setenv("AELIB_PROFILE", "cpu")
    monkeypatch.delenv("RANK", raising=False)


GIVEN = dict(dataset="MNIST test", metric="error", unit="per image", higher_is_better=False, protocol="p")


def test_a_record_survives_the_round_trip(cpu, tmp_path):
    claims = Claims("01_test", tmp_path)
    claims.add("error", model="AE", **GIVEN, values=[2.0, 3.0], seeds=[0, 1], paper=3.0, paper_source="Table 1")
    (added,) = claims.measured
    claims.save()
    (read,) = load_all(tmp_path)
    assert read == added
    row = json.loads((tmp_path / "01_test.cpu.json").read_text())[0]
    wanted = {"claim", "model", "dataset", "metric", "unit", "higher_is_better", "paper", "paper_source", "ours",
              "ours_std", "seeds", "target", "protocol", "hardware", "seconds", "commit", "date"}  # fmt: skip
    assert wanted <= set(row)
    assert (row["ours"], row["date"]) == (2.5, added.date)
    assert [p.name for p in tmp_path.iterdir()] == ["01_test.cpu.json"]


def test_a_run_of_one_seed_does_not_replace_a_record_of_three(cpu, tmp_path):
    for seeds, value in ([0, 1, 2], 2.0), ([0], 9.0):
        claims = Claims("01_test", tmp_path)
        claims.add("error", model="AE", **GIVEN, values=[value] * len(seeds), seeds=seeds)
        claims.save()
    (kept,) = load(tmp_path / "01_test.cpu.json")
    assert kept.seeds == [0, 1, 2]
    assert "this page: 9" in claims._repr_html_()
    claims = Claims("01_test", tmp_path)
    claims.add("error", model="AE", **GIVEN, values=[1.0] * 3, seeds=[0, 1, 2])
    claims.save()
    assert load(tmp_path / "01_test.cpu.json")[0].ours == 1.0


def test_smoke_and_other_processes_write_nothing(cpu, tmp_path, monkeypatch):
    for name, value in (("AELIB_PROFILE", "smoke"), ("RANK", "1")):
        monkeypatch.setenv(name, value)
        claims = Claims("01_test", tmp_path)
        claims.add("error", model="AE", **GIVEN, values=[2.0], seeds=[0])
        claims.save()
        assert list(tmp_path.iterdir()) == []


def test_a_claim_is_added_once(cpu, tmp_path):
    claims = Claims("01_test", tmp_path)
    claims.add("error", model="AE", **GIVEN, values=[2.0], seeds=[0])
    with pytest.raises(ValueError, match="added before"):
        claims.add("error", model="AE", **GIVEN, values=[3.0], seeds=[0])


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"claim": "x"}]', "<html>"])
def test_a_damaged_record_is_named(tmp_path, text):
    path = tmp_path / "01_test.cpu.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"01_test.cpu.json is no record of claims"):
        load(path)


def test_the_table_escapes_what_it_shows():
    table = table_html([claim(model="<script>alert(1)</script>", protocol='"quoted"', paper=3.0, paper_source="a & b")])
    assert "<script>" not in table
    assert "&lt;script&gt;" in table
    assert "&quot;quoted&quot;" in table
    assert "a &amp; b" in table


def test_the_published_records_are_in_order():
    """Every record of the repository reads, is finite, and says what it was measured on."""
    for recorded in load_all():
        assert torch.tensor(recorded.values).isfinite().all(), recorded.key
        assert recorded.hardware
        assert recorded.commit
        assert recorded.protocol
        assert recorded.profile in ("cpu", "gpu")
        assert recorded.paper is None or recorded.paper_source, recorded.key
