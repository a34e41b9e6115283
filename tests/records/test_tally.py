"""A tally counts every claim once by each of its verdicts."""

import pytest

from aelib.records import tally as module
from aelib.records.claims import Claim, load_all
from aelib.records.tally import tally


def claim(name: str, ours: float, chapter: str = "01_a", **values: object) -> Claim:
    about = {"model": "AE", "dataset": "D", "metric": "error", "unit": "%", "higher_is_better": False, "protocol": ""}
    where = {"values": [ours], "seeds": [0], "chapter": chapter}
    return Claim(name, **about | where | values)  # type: ignore[arg-type]


CLAIMS = [
    claim("within one part in twenty", 1.04, paper=1.0),
    claim("smaller", 0.5, paper=1.0, target=0.4),
    claim("larger", 2.0, paper=1.0, target=3.0),
    claim("larger after less training", 2.0, paper=1.0, budget=(1, 9, "epochs"), chapter="02_b"),
    claim("one seed of a contrast", -1.0, target=0.0, contrast=True, chapter="02_b"),
    claim("neither a paper nor a target", 1.0, chapter="02_b"),
]


def test_each_verdict_is_counted() -> None:
    found = tally(CLAIMS)
    assert (found.claims, found.chapters, found.published, found.targets) == (6, 2, 4, 3)
    assert found.against_paper == {"reproduced": 1, "better": 1, "worse": 1, "not comparable: smaller scale": 1}
    assert found.against_target == {"met": 1, "missed": 1, "undecided": 1}


def test_nothing_is_zero_everywhere() -> None:
    found = tally([])
    assert (found.claims, found.chapters, found.published, found.targets) == (0, 0, 0, 0)


def test_a_verdict_that_it_does_not_know_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAPER", ("better",))
    with pytest.raises(ValueError, match="a tally knows better"):
        tally(CLAIMS)


def test_the_books_records_are_counted_whole() -> None:
    claims = load_all()
    found = tally(claims)
    assert found.claims == len(claims)
    assert found.published == sum(claim.paper is not None for claim in claims)
    assert found.targets == sum(claim.target is not None for claim in claims)
