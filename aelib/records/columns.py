"""A column: one measure that many models were put to under one protocol, and which of them is best in it.

Chapter 11 records its columns as claims, by ``Claims("11_scoreboard", COLUMNS)``: the claim is the column's name, and
``explained_in`` names the chapter of each model. The book's advice is derived from them.
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aelib.records.claims import SINGLE_RUN, Claim, load
from aelib.records.provenance import RESULTS

COLUMNS = RESULTS / "columns"


@dataclass(frozen=True)
class Column:
    """The claims of one measure, a model each.

    Raises:
        ValueError: there are none, or they cannot be compared: they differ in data, metric, unit or direction.
    """

    name: str
    claims: tuple[Claim, ...]

    def __post_init__(self) -> None:
        kinds = {(c.dataset, c.metric, c.unit, c.higher_is_better) for c in self.claims}
        if len(kinds) != 1:
            raise ValueError(f"A column is one measure on one set of data; {self.name!r} has {len(kinds)}.")

    @property
    def ranked(self) -> list[Claim]:
        """The best first."""
        return sorted(self.claims, key=lambda c: c.ours, reverse=self.claims[0].higher_is_better)

    @property
    def best(self) -> list[Claim]:
        r"""The best, and those that are level with it, closer than the spread of both over seeds.

        :math:`|m_a - m_b| \le \sqrt{s_a^2 + s_b^2}`, with the spreads of :meth:`spread`.
        """
        first, *others = self.ranked
        s = self.spread(first)
        return [first, *(c for c in others if abs(c.ours - first.ours) <= (s**2 + self.spread(c) ** 2) ** 0.5)]

    def spread(self, claim: Claim) -> float:
        """The standard deviation of a claim over seeds, and no less than the error of a percentage of so many examples.

        A claim of one seed is given the median relative deviation of the column's others; where no model has several
        seeds and no error is known, one part in twenty.
        """
        known = [] if claim.trials is None and claim.error is None else [claim.standard_error or 0.0]
        if claim.ours_std is not None:
            known.append(claim.ours_std)
        elif relative := [c.ours_std / abs(c.ours) for c in self.claims if c.ours_std is not None and c.ours]:
            known.append(statistics.median(relative) * abs(claim.ours))
        return max(known, default=SINGLE_RUN * abs(claim.ours))


def column(chapter: str, name: str, folder: Path = RESULTS) -> Column | None:
    """The claims of a chapter with this name, from its record and its columns'; None if it has none.

    Raises:
        ValueError: they cannot be compared.
    """
    paths = (folder / COLUMNS.name / f"{chapter}.full.json", folder / f"{chapter}.full.json")
    claims = _once(claim for path in paths if path.exists() for claim in load(path) if claim.claim == name)
    return Column(name, claims) if claims else None


def _once(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The first claim of each model."""
    found: dict[str, Claim] = {}
    for claim in claims:
        found.setdefault(claim.model, claim)
    return tuple(found.values())
