"""Claims: verdicts are computed, records are whole, longer runs are kept, tables escape what they show."""

import json

import pytest

from aelib.records.claims import Claim, Claims, beside_paper, load, load_all, table_html, times, with_spread


def claim(**changes) -> Claim:
    given = dict(
        claim="test error",
        model="AE",
        dataset="MNIST test",
        metric="squared error",
        unit="per image",
        higher_is_better=False,
        values=[2.0],
        seeds=[0],
        protocol="As published.",
    )
    return Claim(**given | changes)


THREE = {"seeds": [0, 1, 2]}


@pytest.mark.parametrize(
    ("changes", "paper", "target"),
    [
        ({}, "", ""),
        ({"target": 2.5}, "", "met"),
        ({"target": 1.5}, "", "missed"),
        ({"target": 1.5, "higher_is_better": True}, "", "met"),
        ({"paper": 3.0}, "better", ""),
        ({"paper": 1.0}, "worse", ""),
        ({"paper": 1.0, "higher_is_better": True}, "better", ""),
        ({"paper": 1.0, "target": 2.5}, "worse", "met"),  # a target of our own hides nothing
        ({"paper": 1.0, "budget": (15, 200, "epochs")}, "not comparable: smaller scale", ""),
        ({"paper": 1.0, "budget": (200, 200, "epochs")}, "worse", ""),
        ({"paper": 3.0, "budget": (15, 200, "epochs")}, "better", ""),
        ({"paper": 2.2, "tolerance": 0.15}, "reproduced", ""),
        ({"paper": 2.5, "tolerance": 0.15}, "better", ""),
        ({"paper": 2.2, "tolerance": 0.15, "target": 1.0}, "reproduced", "missed"),
        # one run says nothing finer than its own error
        ({"paper": 1.91}, "reproduced", ""),
        ({"paper": 1.90}, "worse", ""),
        ({"paper": 1.9, "error": 0.06}, "reproduced", ""),
        ({"paper": 1.9, "error": 0.04}, "worse", ""),
        ({"paper": 1.75, "unit": "%", "trials": 10_000}, "reproduced", ""),  # 2 % of 10,000: 0.14 points
        ({"paper": 1.70, "unit": "%", "trials": 10_000}, "worse", ""),
        # several: two standard errors of their mean, or those of the examples that they share
        ({"paper": 1.9, "values": [1.8, 2.2, 2.0], **THREE}, "reproduced", ""),
        ({"paper": 1.9, "values": [1.99, 2.01, 2.0], **THREE}, "worse", ""),
        ({"paper": 1.9, "values": [1.99, 2.01, 2.0], **THREE, "unit": "%", "trials": 10_000}, "reproduced", ""),
        # contrasts
        ({"contrast": True, "target": 0.0, "higher_is_better": True}, "", "undecided"),
        ({"contrast": True, "target": 0.0, "higher_is_better": True, "values": [1.0, 2.0, 3.0], **THREE}, "", "met"),
        (
            {"contrast": True, "target": 0.0, "higher_is_better": True, "values": [-1.0, 3.0, 1.0], **THREE},
            "",
            "undecided",
        ),
        ({"contrast": True, "target": 0.0, "values": [1.0, 2.0, 3.0], **THREE}, "", "missed"),
        ({"contrast": True, "target": 0.0, "values": [-1.0, -2.0, -3.0], **THREE}, "", "met"),
    ],
)
def test_the_verdicts_follow_from_the_numbers(changes, paper, target):
    found = claim(**changes)
    assert (found.against_paper, found.against_target) == (paper, target)


@pytest.mark.parametrize("changes", [{"trials": 100}, {"trials": 0, "unit": "%"}, {"contrast": True}])
def test_a_claim_that_cannot_be_judged_is_refused(changes):
    with pytest.raises(ValueError, match=r"so its unit is %|needs a target"):
        claim(**changes)


@pytest.mark.parametrize(
    ("unit", "target", "higher"),
    [("%", 0.0, True), ("%", 100.0, False), ("0 to 1", 0.0, True), ("of 50", 50.0, False), ("of 1", 1.5, False)],
)
def test_a_target_that_no_value_misses_is_refused(unit, target, higher):
    with pytest.raises(ValueError, match="met by all values"):
        claim(unit=unit, target=target, higher_is_better=higher)
    assert claim(unit=unit, target=0.5, higher_is_better=higher).against_target
    assert claim(unit="points", target=target, higher_is_better=higher).against_target


def test_a_contrast_pairs_its_seeds(tmp_path):
    claims = Claims("01_test", tmp_path)
    given = dict(model="a", dataset="d", metric="error", unit="points", higher_is_better=True, protocol="p")
    claims.contrast("b over a", {0: 3.0, 1: 5.0}, {1: 1.0, 0: 2.0}, **given)
    (added,) = claims.measured
    assert (added.values, added.seeds, added.target) == ([1.0, 4.0], [0, 1], 0.0)
    with pytest.raises(ValueError, match=r"pairs runs of the same seeds; they are \[0\] and \[1\]"):
        claims.contrast("c", {0: 3.0}, {1: 1.0}, **given)


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (0.03461, 0.0174, "0.035 ± 0.017"),
        (79.0712, 5.31, "79.1 ± 5.3"),
        (0.15, 0.0053, "0.1500 ± 0.0053"),
        (1234.6, 43.21, "1235 ± 43"),
        (-0.07, 0.1, "-0.07 ± 0.10"),
        (7.5, 0.0, "7.5 ± 0"),
        (2.0, None, "2"),
    ],
)
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
    monkeypatch.setenv("AELIB_PROFILE", "full")
    monkeypatch.delenv("RANK", raising=False)


GIVEN = dict(dataset="MNIST test", metric="error", unit="per image", higher_is_better=False, protocol="p")


def test_a_record_survives_the_round_trip(cpu, tmp_path):
    claims = Claims("01_test", tmp_path)
    claims.add("error", model="AE", **GIVEN, values=[2.0, 3.0], seeds=[0, 1], paper=3.0, paper_source="Table 1")
    (added,) = claims.measured
    claims.save()
    (read,) = load_all(tmp_path)
    assert read == added
    row = json.loads((tmp_path / "01_test.full.json").read_text())[0]
    wanted = {
        "claim",
        "model",
        "dataset",
        "metric",
        "unit",
        "higher_is_better",
        "paper",
        "paper_source",
        "ours",
        "ours_std",
        "seeds",
        "target",
        "protocol",
        "hardware",
        "seconds",
        "commit",
        "date",
    }
    assert wanted <= set(row)
    assert (row["ours"], row["date"]) == (2.5, added.date)
    assert [p.name for p in tmp_path.iterdir()] == ["01_test.full.json"]


def test_a_run_of_one_seed_does_not_replace_a_record_of_three(cpu, tmp_path):
    for seeds, value in ([0, 1, 2], 2.0), ([0], 9.0):
        claims = Claims("01_test", tmp_path)
        claims.add("error", model="AE", **GIVEN, values=[value] * len(seeds), seeds=seeds)
        claims.save()
    (kept,) = load(tmp_path / "01_test.full.json")
    assert kept.seeds == [0, 1, 2]
    assert "this page: 9" in claims._repr_html_()
    claims = Claims("01_test", tmp_path)
    claims.add("error", model="AE", **GIVEN, values=[1.0] * 3, seeds=[0, 1, 2])
    claims.save()
    assert load(tmp_path / "01_test.full.json")[0].ours == 1.0


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
    path = tmp_path / "01_test.full.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"01_test.full.json is no record of claims"):
        load(path)


def test_the_table_escapes_what_it_shows():
    table = table_html([claim(model="<script>alert(1)</script>", protocol='"quoted"', paper=3.0, paper_source="a & b")])
    assert "<script>" not in table
    assert "&lt;script&gt;" in table
    assert "&quot;quoted&quot;" in table
    assert "a &amp; b" in table


def test_a_ratio_is_of_numbers_of_one_sign():
    assert claim(paper=4.0).ratio == 0.5
    assert claim(values=[-2.0], paper=-4.0).ratio == 0.5
    assert [claim(values=[v], paper=p).ratio for v, p in ((-0.1, 6.3), (0.0, 6.3), (1.0, 0.0), (1.0, None))] == [
        None
    ] * 4
    opposite = claim(values=[-0.1], paper=6.3, higher_is_better=True)
    assert beside_paper(opposite) == "worse"


@pytest.mark.parametrize(
    ("ratio", "text"), [(1.0, "× 1"), (1.0007, "× 1.0007"), (0.9995, "× 0.9995"), (0.6666, "× 0.667"), (9.63, "× 9.63")]
)
def test_a_ratio_near_one_has_more_digits(ratio, text):
    assert times(ratio) == text


def test_a_rows_anchor_is_in_the_chapters_table():
    one = claim(claim="equal budgets: error", model="β-VAE, k = 5")
    assert one.anchor == "claim-β-vae-k-5-equal-budgets-error-mnist-test"
    assert f'<tr id="{one.anchor}"' in table_html([one])
