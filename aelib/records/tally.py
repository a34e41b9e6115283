"""How many of a set of claims came out how: what the ledger and the landing page say at a glance."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aelib.records.claims import Claim

PAPER = ("reproduced", "better", "worse", "not comparable: smaller scale")  # verdicts against a paper, best known first
TARGET = ("met", "missed", "undecided")  # verdicts against our own target


@dataclass(frozen=True)
class Tally:
    """Counts of claims; each verdict that there is has a count, zero included."""

    claims: int
    chapters: int
    against_paper: Mapping[str, int]
    against_target: Mapping[str, int]

    @property
    def published(self) -> int:
        """How many claims have a published number beside ours."""
        return sum(self.against_paper.values())

    @property
    def targets(self) -> int:
        """How many claims have a target of our own."""
        return sum(self.against_target.values())


def tally(claims: Iterable[Claim]) -> Tally:
    """Count claims by their two verdicts.

    Raises:
        ValueError: a claim has a verdict that is not listed above.
    """
    listed = list(claims)
    return Tally(
        claims=len(listed),
        chapters=len({claim.chapter for claim in listed}),
        against_paper=_counted((claim.against_paper for claim in listed), PAPER),
        against_target=_counted((claim.against_target for claim in listed), TARGET),
    )


def _counted(verdicts: Iterable[str], known: tuple[str, ...]) -> dict[str, int]:
    counts = Counter(filter(None, verdicts))
    if unknown := set(counts) - set(known):
        raise ValueError(f"A claim's verdict is {min(unknown)!r}; a tally knows {', '.join(known)}: list it there.")
    return {verdict: counts[verdict] for verdict in known}
