"""A column names its best and those that are level with it, by the spread over seeds."""

from dataclasses import replace
from pathlib import Path

import pytest

from aelib.records.claims import SINGLE_RUN, Claim, Claims, load
from aelib.records.columns import COLUMNS, Column, column

GIVEN = {"dataset": "D", "metric": "error", "unit": "per image", "higher_is_better": False, "protocol": "p"}


def claim(model: str, *values: float, **changes: object) -> Claim:
    return Claim("error", model, **GIVEN | changes, values=list(values), seeds=list(range(len(values))))  # type: ignore[arg-type]


def names(claims: list[Claim]) -> list[str]:
    return [one.model for one in claims]


def test_the_best_is_least_or_largest() -> None:
    claims = (claim("A", 3.0, 3.1), claim("B", 1.0, 1.1), claim("C", 2.0, 2.1))
    assert names(Column("error", claims).ranked) == ["B", "C", "A"]
    assert names(Column("error", claims).best) == ["B"]
    assert names(Column("error", tuple(replace(one, higher_is_better=True) for one in claims)).best) == ["A"]


def test_models_are_level_within_the_spread_of_both() -> None:
    a, b = claim("A", 1.0, 3.0), claim("B", 2.0, 4.0)  # means 2 and 3, deviations √2 each: level up to 2
    assert names(Column("error", (a, b)).best) == ["A", "B"]
    assert names(Column("error", (a, claim("B", 3.1, 5.1))).best) == ["A"]


def test_one_seed_has_the_spread_that_is_typical() -> None:
    several = [claim(name, 10.0 - s, 10.0 + s) for name, s in (("A", 0.1), ("B", 0.2), ("C", 3.0))]
    single = claim("D", 20.0)
    found = Column("error", (*several, single)).spread(single)
    assert found == pytest.approx(20 * 0.2 * 2**0.5 / 10)  # the median of relative deviations
    assert Column("error", (single,)).spread(single) == SINGLE_RUN * 20
    accuracy = claim("E", 50.0, unit="%", trials=100)
    assert Column("error", (accuracy,)).spread(accuracy) == pytest.approx(5.0)  # √(50 · 50 / 100)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="one measure on one set of data; 'error' has 2"):
        Column("error", (claim("A", 1.0), claim("B", 1.0, dataset="other")))


def test_a_column_is_found_in_the_columns_of_a_chapter_before_its_claims(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("AELIB_PROFILE", "full")
    monkeypatch.delenv("RANK", raising=False)
    for folder, value in ((tmp_path / "columns", 1.0), (tmp_path, 2.0)):
        record = Claims("11_x", folder)
        record.add("error", model="A", **GIVEN, values=[value], seeds=[0], explained_in="01_y")
        record.save()
    found = column("11_x", "error", tmp_path)
    assert found is not None
    assert [(one.ours, one.explained_in) for one in found.claims] == [(1.0, "01_y")]
    assert column("11_x", "other", tmp_path) is None


@pytest.mark.parametrize("path", sorted(COLUMNS.glob("*.json")), ids=lambda path: path.stem)
def test_the_books_columns_can_be_compared_and_lead_to_chapters(path: Path) -> None:
    claims = load(path)
    sources = {source.stem for source in (COLUMNS.parents[1] / "notebooks").glob("*.py")}
    models = {one.model for one in claims}
    for name in {one.claim for one in claims}:
        found = Column(name, tuple(one for one in claims if one.claim == name))
        assert {one.model for one in found.claims} == models
        assert {one.explained_in for one in found.claims} <= sources
