"""Published numbers beside ours: a claim is one row of that table, recorded by the run that measured it.

The records are JSON under ``results/``, one file a chapter and profile; the table that closes each chapter and
the scoreboard page are made from them. A verdict is computed from the numbers, never typed.
"""

import html
import json
import math
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from aelib.records.profiles import current_profile
from aelib.records.provenance import RESULTS, commit, hardware, today

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Claim:
    """One measured number, its target, and what was published.

    ``values`` holds one number a seed; ``ours`` is their mean and ``ours_std`` their standard deviation (None for
    a single seed). ``tolerance`` marks a reproduction: the fraction by which ours may differ from the paper's.
    """

    claim: str
    model: str
    dataset: str
    metric: str
    unit: str
    higher_is_better: bool
    values: list[float]
    seeds: list[int]
    protocol: str
    paper: float | None = None
    paper_source: str = ""
    target: float | None = None
    tolerance: float | None = None
    seconds: float | None = None
    ours: float = field(init=False)
    ours_std: float | None = field(init=False)
    hardware: str = field(default_factory=lambda: hardware())
    commit: str = field(default_factory=lambda: commit())
    date: str = field(default_factory=lambda: today())
    chapter: str = ""
    profile: str = ""

    def __post_init__(self) -> None:
        if not self.values or len(self.values) != len(self.seeds):
            raise ValueError(
                f"Claim {self.claim!r} needs one value a seed; it has {len(self.values)} and {len(self.seeds)} seeds."
            )
        spread = statistics.stdev(self.values) if len(self.values) > 1 else None
        object.__setattr__(self, "ours", statistics.fmean(self.values))
        object.__setattr__(self, "ours_std", spread)

    @property
    def key(self) -> Key:
        """What tells one claim of a chapter from another."""
        return self.claim, self.model, self.dataset

    @property
    def verdict(self) -> str:
        """What the numbers say: of the target if there is one, else of the paper, else nothing.

        ``reproduced`` / ``not reproduced`` for a claim with a tolerance; ``target met`` / ``target missed``;
        ``better`` / ``worse`` than the paper, or ``equal`` within two standard errors of the seeds' mean.
        """
        if self.tolerance is not None and self.paper:
            close = abs(self.ours / self.paper - 1) <= self.tolerance
            return "reproduced" if close else "not reproduced"
        if self.target is not None:
            met = self.ours >= self.target if self.higher_is_better else self.ours <= self.target
            return "target met" if met else "target missed"
        if self.paper is None:
            return ""
        error = 2 * (self.ours_std or 0.0) / len(self.values) ** 0.5
        if abs(self.ours - self.paper) <= error:
            return "equal"
        return "better" if (self.ours > self.paper) == self.higher_is_better else "worse"


class Claims:
    """The claims of one run of one chapter, gathered as it goes.

    Args:
        chapter: the notebook's name without its ending, e.g. ``"01_hinton_salakhutdinov"``.
        folder: where the records are.
    """

    def __init__(self, chapter: str, folder: Path = RESULTS) -> None:
        self.chapter, self.folder, self.profile = chapter, folder, current_profile().name
        self.measured: list[Claim] = []

    def add(self, claim: str, **values: object) -> None:
        """Add a claim; the keywords are the fields of :class:`Claim`. Adding the same one again is an error."""
        new = Claim(claim, **values, chapter=self.chapter, profile=self.profile)  # type: ignore[arg-type]
        if new.key in {c.key for c in self.measured}:
            raise ValueError(f"The claim {new.key} was added before in this run.")
        self.measured.append(new)

    def save(self) -> None:
        """Write the record, unless the profile is ``smoke``, whose numbers mean nothing.

        A claim measured on fewer seeds than the recorded one does not replace it. Only the first of several
        processes writes.
        """
        if self.profile == "smoke" or os.environ.get("RANK", "0") != "0":
            return
        path = self.folder / f"{self.chapter}.{self.profile}.json"
        recorded = {c.key: c for c in (load(path) if path.exists() else [])}
        kept = []
        for new in self.measured:
            old = recorded.get(new.key)
            kept.append(old if old and len(old.seeds) > len(new.seeds) else new)
        write_json(path, _rows(kept))

    def recorded(self) -> list[Claim]:
        """The claims as the record has them; those of this run where there is no record."""
        path = self.folder / f"{self.chapter}.{self.profile}.json"
        found = {c.key: c for c in (load(path) if path.exists() and self.profile != "smoke" else [])}
        return [found.get(c.key, c) for c in self.measured]

    def _repr_html_(self) -> str:
        return table_html(self.recorded(), {c.key: c for c in self.measured})


def load(path: Path) -> list[Claim]:
    """Read one record.

    Raises:
        ValueError: the file is no record; the message names it.
    """
    chapter, profile = path.name.removesuffix(".json").rsplit(".", 1)
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [from_row(row | {"chapter": chapter, "profile": profile}) for row in rows]
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is no record of claims: {error}. Run its chapter again.") from error


def from_row(row: Mapping[str, Any]) -> Claim:
    """The claim of one row of a record; what can be computed from the rest is not read."""
    names = {f.name for f in fields(Claim) if f.init}
    return Claim(**{key: value for key, value in row.items() if key in names})


def load_all(folder: Path = RESULTS) -> list[Claim]:
    """The claims of all records, by chapter and profile."""
    return [claim for path in sorted(folder.glob("*.*.json")) for claim in load(path)]


def _rows(claims: Sequence[Claim]) -> list[dict[str, object]]:
    return [{k: v for k, v in asdict(c).items() if k not in ("chapter", "profile")} for c in claims]


def write_json(path: Path, content: object) -> None:
    """Write a record: to a temporary name in the same folder, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.write("\n")
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def number(value: float | None) -> str:
    """Four digits of a value, or a dash."""
    return "–" if value is None else f"{value:.4g}"


def with_spread(mean: float, std: float | None) -> str:
    """A mean and its standard deviation, which has two digits and says how many the mean has: 0.0350 ± 0.0017."""
    if not std or not math.isfinite(std):
        return number(mean) if std is None else f"{number(mean)} ± {std:g}"
    decimals = max(0, 1 - math.floor(math.log10(std)))
    return f"{mean:.{decimals}f} ± {std:.{decimals}f}"


def table_html(claims: Sequence[Claim], here: Mapping[Key, Claim] | None = None) -> str:
    """The claims as an HTML table: what, the paper's value, ours with its spread, the target and the verdict.

    Args:
        claims: the rows.
        here: the page's own run by claim; its value is added where the row has a longer one.
    """
    head = ["", "paper", "ours", "target", "verdict"]
    rows = "".join(_row(claim, (here or {}).get(claim.key)) for claim in claims)
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    return f'<table class="claims"><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>'


def _row(c: Claim, here: Claim | None) -> str:
    seeds = f"{len(c.seeds)} seed{'s' * (len(c.seeds) > 1)}"
    bound = "" if c.target is None else ("≥ " if c.higher_is_better else "≤ ")
    target = f"{bound}{number(c.target)}"
    if c.tolerance is not None:
        target = f"paper ± {100 * c.tolerance:g} %"
    seconds = f", {c.seconds:.0f} s" if c.seconds is not None else ""
    how = f"{c.protocol} {c.hardware}{seconds}, {c.date}, commit {c.commit or 'unknown'}, profile {c.profile}."
    own = f"; this page: {number(here.ours)}" if here is not None and here.seeds != c.seeds else ""
    cells = [
        f"<strong>{html.escape(c.model)}</strong>: {html.escape(c.claim)}"
        f"<br><small>{html.escape(f'{c.dataset}, {c.metric}, {c.unit}')}</small>",
        number(c.paper) + (f"<br><small>{html.escape(c.paper_source)}</small>" if c.paper is not None else ""),
        f"{with_spread(c.ours, c.ours_std)}<br><small>{seeds}{own}</small>",
        target,
        html.escape(c.verdict) or "–",
    ]
    return f'<tr title="{html.escape(how)}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
