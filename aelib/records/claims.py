"""Published numbers beside ours: a claim is one row of that table, recorded by the run that measured it.

The records are JSON under ``results/``, one file a chapter and profile; the table that closes each chapter and
the scoreboard page are made from them. A verdict is computed from the numbers, never typed.
"""

import html
import json
import math
import os
import re
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from aelib.records.profiles import current_profile
from aelib.records.provenance import RESULTS, commit, hardware, today

Key = tuple[str, str, str]

# What one run says of a published number where nothing tells its own error: one part in twenty either way.
SINGLE_RUN = 0.05


@dataclass(frozen=True)
class Claim:
    """One measured number, what was published, and the target that we had set ourselves.

    Args:
        values: one number a seed; ``ours`` is their mean and ``ours_std`` their standard deviation (None for one seed).
        tolerance: the band of a reproduction, the fraction by which ours may differ from the paper's.
        trials: of a percentage, how many examples were counted, e.g. 10,000 test images. Gives it a binomial error.
        error: the standard error of one value, in its unit, where it is known, e.g. of an estimated likelihood.
        budget: how much training ours and the paper's had, and in what unit: ``(15, 200, "epochs")``.
        contrast: whether the values are differences of two models, seed by seed. Such a claim has a target and is
            met when the mean is beyond it by more than the standard deviation of the differences.
        explained_in: the chapter that explains the model, e.g. ``"04_variational"``, where it is not the claim's own.
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
    trials: int | None = None
    error: float | None = None
    budget: tuple[float, float, str] | None = None
    contrast: bool = False
    explained_in: str = ""
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
        if self.trials is not None and not (self.unit == "%" and self.trials > 0):
            raise ValueError(f"Claim {self.claim!r} counts trials, so its unit is %; it is {self.unit!r}.")
        if self.contrast and self.target is None:
            raise ValueError(f"Claim {self.claim!r} is a contrast and needs a target, e.g. target=0.")
        least, most = self.bounds
        if self.target is not None and (self.target <= least if self.higher_is_better else self.target >= most):
            raise ValueError(
                f"A target is one that can be missed; {self.target:g} is met by all values from {least:g} to {most:g}. "
                f"Set another for the claim {self.claim!r}, or none."
            )
        spread = statistics.stdev(self.values) if len(self.values) > 1 else None
        object.__setattr__(self, "ours", statistics.fmean(self.values))
        object.__setattr__(self, "ours_std", spread)
        if self.budget is not None:
            object.__setattr__(self, "budget", tuple(self.budget))  # JSON has lists

    @property
    def key(self) -> Key:
        """What tells one claim of a chapter from another."""
        return self.claim, self.model, self.dataset

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest value that the unit allows, where it is a percentage, ``"0 to 1"`` or ``"of 50"``.
        A contrast has none, for a difference of percentages can be below 0.
        """
        if self.contrast or (self.unit not in ("%", "0 to 1") and not re.fullmatch(r"of \d+", self.unit)):
            return -math.inf, math.inf
        return 0.0, {"%": 100.0, "0 to 1": 1.0}.get(self.unit) or float(self.unit.removeprefix("of "))

    @property
    def anchor(self) -> str:
        """The id of the claim's row in its chapter's table."""
        return "claim-" + "-".join(re.findall(r"\w+", " ".join((self.model, self.claim, self.dataset)).lower()))

    @property
    def standard_error(self) -> float | None:
        r"""The standard error of ``ours``; None where nothing tells it.

        The larger of two: that of the mean over *S* seeds, :math:`s / \sqrt S`, and that of one value, which all seeds
        share where they are measured on the same examples: ``error``, or for *n* trials the binomial
        :math:`\sqrt{p (100 - p) / n}` in percent.
        """
        known = [] if self.ours_std is None else [self.ours_std / len(self.values) ** 0.5]
        if self.error is not None:
            known.append(self.error)
        if self.trials is not None:
            known.append((max(self.ours * (100 - self.ours), 0.0) / self.trials) ** 0.5)
        return max(known, default=None)

    @property
    def ratio(self) -> float | None:
        """Ours over the paper's; None without a published number, and where one of the two is zero or of another sign.

        A difference that was published as 6.3 points and is -0.1 here has the other sign; it is not "× -0.02".
        """
        return self.ours / self.paper if self.paper and self.ours / self.paper > 0 else None

    @property
    def against_paper(self) -> str:
        """``reproduced``, ``better`` or ``worse`` than the paper; empty without a published number.

        Reproduced: within ``tolerance`` where one is stated, else within two standard errors, else (one run, no error
        known) within :data:`SINGLE_RUN` of the paper's value. What is worse after less training than the paper's is
        ``not comparable: smaller scale``.
        """
        if self.paper is None:
            return ""
        if self.tolerance is not None:
            band = self.tolerance * abs(self.paper)
        elif self.standard_error is not None:
            band = 2 * self.standard_error
        else:
            band = SINGLE_RUN * abs(self.paper)
        if abs(self.ours - self.paper) <= band:
            return "reproduced"
        if (self.ours > self.paper) == self.higher_is_better:
            return "better"
        smaller = self.budget is not None and self.budget[0] < self.budget[1]
        return "not comparable: smaller scale" if smaller else "worse"

    @property
    def against_target(self) -> str:
        """``met`` or ``missed``; empty without a target. A contrast of one seed is ``undecided``, as is a smaller one
        than its spread in the wanted direction.
        """
        if self.target is None:
            return ""
        beyond = self.ours - self.target if self.higher_is_better else self.target - self.ours
        if not self.contrast:
            return "met" if beyond >= 0 else "missed"
        if beyond <= 0:
            return "missed"
        return "met" if self.ours_std is not None and beyond > self.ours_std else "undecided"


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

    def contrast(self, claim: str, over: Mapping[int, float], under: Mapping[int, float], **values: object) -> None:
        """Add the differences *over* − *under* of two models, seed by seed, as a claim of its own.

        Args:
            claim: what is said to differ.
            over, under: by seed; the seeds must be the same.
            values: fields of :class:`Claim`; the target is 0 unless they have another.

        Raises:
            ValueError: the seeds differ.
        """
        if set(over) != set(under):
            raise ValueError(f"A contrast pairs runs of the same seeds; they are {sorted(over)} and {sorted(under)}.")
        seeds = sorted(over)
        pairs = [over[seed] - under[seed] for seed in seeds]
        self.add(claim, **{"target": 0.0, "contrast": True} | values, values=pairs, seeds=seeds)

    def _repr_html_(self) -> str:
        # The book puts a table of the record in the place of this one when it is built.
        table = table_html(self.recorded(), {c.key: c for c in self.measured})
        return table.replace("<table ", f'<table data-chapter="{html.escape(self.chapter)}" ', 1)


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


HEAD = ("", "paper", "ours", "against the paper", "target", "against the target")


def table_html(claims: Sequence[Claim], here: Mapping[Key, Claim] | None = None) -> str:
    """The claims as an HTML table: what, the paper's value, ours with its spread, the target, and two verdicts.

    Args:
        claims: the rows.
        here: the page's own run by claim; its value is added where the row has a longer one.
    """
    rows = "".join(_row(claim, (here or {}).get(claim.key)) for claim in claims)
    titles = "".join(f'<th scope="col">{title}</th>' for title in HEAD)
    return f'<table class="claims"><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>'


def bound(c: Claim) -> str:
    """A claim's target in words, e.g. ``"≤ 3"``; a dash where there is none."""
    if c.target is None:
        return "–"
    sign = ("> " if c.higher_is_better else "< ") if c.contrast else ("≥ " if c.higher_is_better else "≤ ")
    return sign + number(c.target) + (" beyond the spread" if c.contrast else "")


def times(ratio: float) -> str:
    """A ratio in three digits, and in more where it is nearly 1: × 0.667, × 1.0007."""
    return f"× {ratio:.4f}" if 0 < abs(ratio - 1) < 0.01 else f"× {ratio:.3g}"


def beside_paper(c: Claim) -> str:
    """The verdict against the paper with what it rests on, e.g. ``"worse (× 1.2)"``; a dash where there is none."""
    if not c.against_paper:
        return "–"
    said = [times(c.ratio)] if c.ratio is not None else []
    if c.tolerance is not None:
        said.append(f"band ± {100 * c.tolerance:g} %")
    if c.budget is not None and c.budget[0] != c.budget[1]:
        said.append("{:g} of {:g} {}".format(*c.budget))
    return c.against_paper + (f" ({', '.join(said)})" if said else "")


def measured_how(c: Claim) -> str:
    """Protocol, machine, time, date and commit of a claim, in a line."""
    seconds = f", {c.seconds:.0f} s" if c.seconds is not None else ""
    return f"{c.protocol} {c.hardware}{seconds}, {c.date}, commit {c.commit or 'unknown'}, profile {c.profile}."


def cells(c: Claim, here: Claim | None = None) -> list[str]:
    """The cells of a claim's row in HTML, one for each of :data:`HEAD`."""
    seeds = f"{len(c.seeds)} seed{'s' * (len(c.seeds) > 1)}"
    own = f"; this page: {number(here.ours)}" if here is not None and here.seeds != c.seeds else ""
    return [
        f"<strong>{html.escape(c.model)}</strong>: {html.escape(c.claim)}"
        f"<br><small>{html.escape(f'{c.dataset}, {c.metric}, {c.unit}')}</small>",
        number(c.paper) + (f"<br><small>{html.escape(c.paper_source)}</small>" if c.paper is not None else ""),
        f"{with_spread(c.ours, c.ours_std)}<br><small>{seeds}{own}</small>",
        html.escape(beside_paper(c)),
        bound(c),
        html.escape(c.against_target) or "–",
    ]


def _row(c: Claim, here: Claim | None) -> str:
    row = "".join(f"<td>{cell}</td>" for cell in cells(c, here))
    return f'<tr id="{html.escape(c.anchor)}" title="{html.escape(measured_how(c))}">{row}</tr>'
