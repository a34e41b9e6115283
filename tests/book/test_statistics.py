"""Statistics, benchmarks and choices: bars to scale, targets marked, units in words, advice by the columns."""

import re
from dataclasses import replace

import pytest
from bars import END, Bar, axis_of, bars, plain
from book_choose import LEVEL, notes, reason, sentence
from book_statistics import measured, measures_html, split, target_of

from aelib.records.claims import Claim
from aelib.records.columns import Column


@pytest.mark.parametrize(
    ("value", "text"),
    [(1336.17, "1,336"), (2.352, "2.35"), (0.0127, "0.0127"), (0.00000327, "0.0000033"), (99.96, "100"), (0, "0")],
)
def test_numbers_are_written_without_exponents(value: float, text: str) -> None:
    assert plain(value).rstrip(".") == text


@pytest.mark.parametrize(
    ("text", "bound", "number", "verdicts"),
    [
        ("≤ 1.03", "≤", 1.03, ("met", "missed")),
        ("≥ 1.7", "≥", 1.7, ("missed", "met")),
        ("≤ 1.5 ms", "≤", 1.5, ("met", "missed")),
        ("linear: 2 ×", "", 2.0, ("", "")),
        ("at best .5 ×", "", 0.5, ("", "")),
    ],
)
def test_a_target_is_a_bound_or_a_number_for_comparison(
    text: str, bound: str, number: float, verdicts: tuple[str, str]
) -> None:
    target = target_of(text)
    assert target is not None
    assert (target.bound, target.number) == (bound, number)
    assert (target.verdict(number - 0.1), target.verdict(number + 0.1)) == verdicts
    assert target_of("") is None
    with pytest.raises(ValueError, match="it is 'fast'"):
        target_of("fast")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("VAE: an epoch by fit", ("an epoch by fit", "VAE")),
        ("intro: first answer after (0.5 MB)", ("first answer after", "intro (0.5 MB)")),
        ("memory for each further image", ("", "memory for each further image")),
    ],
)
def test_a_measure_is_split_into_what_and_on_what(name: str, parts: tuple[str, str]) -> None:
    assert split(name) == parts


def test_bars_are_to_scale_and_a_missed_target_is_marked() -> None:
    one = {"median": 1.0, "least": 0.5, "most": 2.0, "unit": "×", "target": "≤ 1.5"}
    drawn = measures_html({"a: x": one, "b: x": one | {"median": 1.6}, "c: y": one | {"unit": "s"}})
    assert drawn.count('<ul class="bars">') == 2  # another unit, another axis
    assert [float(width) for width in re.findall(r'amount" width="(.+?)%"', drawn)] == pytest.approx(
        [END / 2, 0.8 * END, END / 2]
    )
    assert re.findall(r'<li class="(\w*)">', drawn) == ["met", "missed", "met"]
    assert "1.60 ×" in drawn


def test_dots_have_air_on_both_sides_and_bars_begin_at_zero() -> None:
    rows = [Bar("a", 10.0, 9.0, 11.0, ""), Bar("b", 20.0, 20.0, 20.0, "", limit=30.0)]
    assert axis_of(rows, from_zero=True) == (0.0, 30.0)
    low, high = axis_of(rows, from_zero=False)
    assert low < 9.0
    assert high > 30.0
    assert bars(rows).count("whisker") == 1


def test_a_number_in_the_text_is_the_records() -> None:
    ((node,), problems) = measured("measured", "", "scaling | memory for each further image", 0, None)
    assert re.fullmatch(r"[\d,]+\N{NO-BREAK SPACE}bytes", node.astext())
    assert not problems
    with pytest.raises(ValueError, match="has no measure 'speed'"):
        measured("measured", "", "scaling | speed", 0, None)


def claim(model: str, *values: float, **changes: object) -> Claim:
    given = {"dataset": "D", "metric": "error", "unit": "%", "higher_is_better": False, "protocol": "Five epochs."}
    return Claim("error", model, **given | changes, values=list(values), seeds=list(range(len(values))))  # type: ignore[arg-type]


PCA, GOOD, NEAR = claim("PCA", 9.0), claim("Good", 1.0, 1.2, 1.1), claim("Near", 1.1, 1.3, 1.2)


def test_advice_names_the_best_the_next_and_pca() -> None:
    bad = claim("Bad", 5.0, 5.1, 5.2)
    said = sentence(Column("error", (PCA, GOOD, bad)))
    assert said.startswith("<b>Good</b> is best, by more than the spread over seeds. Next is Bad with 5.10 ± 0.10 %.")
    assert "PCA, the line to beat, has 9 %." in said
    assert reason(Column("error", (GOOD, bad))) == "Error: 1.1 %; the next, Bad, has 5.1."


def test_a_new_record_changes_the_advice() -> None:
    better = claim("Other", 0.1, 0.1, 0.12)
    assert sentence(Column("error", (PCA, GOOD, better))).startswith("<b>Other</b> is best")
    flipped = tuple(replace(one, higher_is_better=True) for one in (PCA, GOOD, better))
    assert sentence(Column("error", flipped)).startswith("<b>PCA</b> is best")


def test_ties_are_said_and_many_decide_nothing() -> None:
    assert sentence(Column("error", (GOOD, NEAR, PCA))).startswith("<b>Good</b> and <b>Near</b> are level")
    many = [replace(NEAR, model=f"M{i}") for i in range(LEVEL)]
    assert sentence(Column("error", (GOOD, *many))).startswith(f"Not decided: {LEVEL} of {LEVEL + 1} models")
    assert sentence(Column("error", (GOOD,))).startswith("Only <b>Good</b> was measured")


def test_one_seed_is_said_and_so_is_what_only_some_models_had() -> None:
    odd = claim("Odd", 0.5, protocol="Five epochs. Trained with the noise of the test.")
    column = Column("error", (odd, GOOD, NEAR))
    assert notes(column) == {"Trained with the noise of the test.": ["Odd"]}
    assert sentence(column).endswith("One seed only: Odd. Odd: Trained with the noise of the test.")
