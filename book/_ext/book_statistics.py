"""How long the chapters ran, and what the benchmarks measured: bars from the records, missed targets marked."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bars import Bar, bars, plain
from book_chapters import chapters, duration, number_of, read_stamp, title_of
from docutils import nodes
from docutils.parsers.rst.states import Inliner
from ledger_plot import mark
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aelib.records.provenance import RESULTS

LONGEST = 300.0  # seconds that a chapter may take on two cores, at scale full
LARGEST = 1.5  # MB that an executed notebook may weigh
TARGET = re.compile(r"(?P<what>[^\d≤≥.]*)(?P<bound>[≤≥]?)\s*(?P<number>\d*\.?\d+)")


class Target(NamedTuple):
    """What a measure is held against: a bound, ``≤`` or ``≥``, or without one a number for comparison."""

    text: str
    bound: str
    number: float

    def verdict(self, value: float) -> str:
        """``met`` or ``missed``; empty where there is no bound."""
        if not self.bound:
            return ""
        return "met" if (value <= self.number if self.bound == "≤" else value >= self.number) else "missed"


def target_of(text: str) -> Target | None:
    """A target as a record words it, e.g. ``"≤ 1.03"``, ``"linear: 2 ×"``; None where there is none.

    Raises:
        ValueError: there is no number in it.
    """
    if not text:
        return None
    found = TARGET.match(text)
    if not found:
        raise ValueError(f"A benchmark's target has a number, e.g. '≤ 1.03'; it is {text!r}.")
    return Target(text, found["bound"], float(found["number"]))


def split(name: str) -> tuple[str, str]:
    """What is measured, and on what: ``"VAE: fit over the bare loop"`` is the latter on the former."""
    who, _, what = name.rpartition(": ")
    if not who:
        return "", name
    aside = re.search(r" \(.+\)$", what)
    return (what.removesuffix(aside[0]), who + aside[0]) if aside else (what, who)


def measure_bar(label: str, found: dict[str, Any]) -> Bar:
    """A measure as a bar: the median, the range, the target with its verdict."""
    target = target_of(found["target"])
    verdict = target.verdict(found["median"]) if target else ""
    text = f"<b>{plain(found['median'])} {html.escape(found['unit'])}</b>"
    if found["least"] != found["most"]:
        text += f" <small>{plain(found['least'])} to {plain(found['most'])}</small>"
    if target:
        text += f"<br><small>{html.escape(target.text)}{f': {mark(verdict)}{verdict}' if verdict else ''}</small>"
    limit = target.number if target else None
    return Bar(html.escape(label), found["median"], found["least"], found["most"], text, limit, verdict)


def measures_html(measures: dict[str, dict[str, Any]]) -> str:
    """All measures of a record, those of one kind and unit on one axis."""
    groups: dict[tuple[str, str], list[Bar]] = {}
    for name, found in measures.items():
        what, who = split(name)
        groups.setdefault((what, found["unit"]), []).append(measure_bar(who, found))
    return "".join(
        (f'<p class="column-title">{html.escape(what[:1].upper() + what[1:])}</p>' if what else "") + bars(rows)
        for (what, _), rows in groups.items()
    )


class ChapterTimes(SphinxDirective):
    """How long each chapter ran and how large its notebook is, and what ran it."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        times, sizes, lines = [], [], []
        for docname in chapters(self.env):
            stamp = read_stamp(self.env, docname)
            url = html.escape(self.env.app.builder.get_relative_uri(self.env.docname, docname))
            title = f"{number_of(docname)}. {title_of(self.env, docname)}"
            name = f'<a href="{url}">{html.escape(title)}</a>'
            size = Path(self.env.doc2path(docname)).stat().st_size / 1e6
            sizes.append(limited(name, size, f"{size:.2f} MB", LARGEST))
            if stamp is None:
                lines.append(f"<li>{html.escape(title)}: not executed.</li>")
                continue
            times.append(limited(name, stamp["seconds"], duration(stamp["seconds"]), LONGEST))
            told = "profile {profile}, {hardware}, {date}, commit {commit}".format(**stamp)
            lines.append(f"<li>{html.escape(title)}: {html.escape(told)}.</li>")
        total, longest = duration(sum(bar.value for bar in times)), duration(LONGEST)
        return [
            *section("time", "Time", f"Together {total}. The line is the target, {longest} a chapter.", times),
            *section("size", "Size", f"The executed notebooks. The line is the target, {LARGEST:g} MB.", sizes),
            nodes.raw(
                "",
                f'<details class="runs"><summary>What ran, where and when</summary><ul>{"".join(lines)}</ul></details>',
                format="html",
            ),
        ]


def limited(name: str, value: float, text: str, limit: float) -> Bar:
    """A bar with a largest value."""
    verdict = "met" if value <= limit else "missed"
    said = f" <small>{mark(verdict)}{verdict}</small>" if verdict == "missed" else ""
    return Bar(name, value, value, value, f"<b>{text}</b>{said}", limit, verdict)


def section(name: str, title: str, text: str, rows: Sequence[Bar]) -> list[nodes.Node]:
    """A section with its own anchor."""
    made = nodes.section(ids=[name], names=[name])
    made += nodes.title(text=title)
    made += nodes.paragraph(text=text)
    if rows:
        made += nodes.raw("", bars(rows), format="html")
    return [made]


class Benchmarks(SphinxDirective):
    """The recorded measurements, a section for each benchmark; then those that have targets and no record yet."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        result: list[nodes.Node] = []
        for path in sorted((RESULTS / "benchmarks").glob("*.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            how = " on {hardware}, {rounds} rounds in turn, {date}, commit {commit}.".format(**record)
            (made,) = section(path.stem.replace("_", "-"), record["title"], record["what"], [])
            made += nodes.raw("", measures_html(record["measures"]), format="html")
            command = nodes.literal(text=f"python benchmarks/{path.stem}.py")
            made += nodes.paragraph("", "", command, nodes.Text(how), classes=["stamp"])
            result.append(made)
        return result + self.planned()

    def planned(self) -> list[nodes.Node]:
        """What waits for its machine, with the command that measures it."""
        result: list[nodes.Node] = []
        plans = json.loads((RESULTS.parent / "benchmarks" / "planned.json").read_text(encoding="utf-8"))
        for name, plan in plans.items():
            if (RESULTS / "benchmarks" / f"{name}.json").exists():
                continue
            (made,) = section(name, plan["title"], plan["what"], [])
            items = [
                nodes.list_item("", nodes.paragraph(text=f"{measure}: {target}"))
                for measure, target in plan["targets"].items()
            ]
            command = nodes.literal(text=plan["command"])
            made += nodes.paragraph("", "Not yet run: ", command, nodes.Text(". Its targets:"))
            made += nodes.bullet_list("", *items)
            result.append(made)
        return result


def measured(
    name: str, rawtext: str, text: str, lineno: int, inliner: Inliner, options: object = None, content: object = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """The role ``{measured}``: a measure's median with its unit, e.g. of ``steps | dense: share of the peak``."""
    benchmark, _, measure = (part.strip() for part in text.partition("|"))
    record = json.loads((RESULTS / "benchmarks" / f"{benchmark}.json").read_text(encoding="utf-8"))
    if measure not in record["measures"]:
        raise ValueError(f"{benchmark}.json has no measure {measure!r}; it has {', '.join(record['measures'])}.")
    found = record["measures"][measure]
    return [nodes.Text(f"{plain(found['median'])}\N{NO-BREAK SPACE}{found['unit']}")], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("chapter-times", ChapterTimes)
    app.add_directive("benchmarks", Benchmarks)
    app.add_role("measured", measured)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
