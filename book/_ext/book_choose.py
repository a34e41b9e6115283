"""Which autoencoder for a task: the directive ``{choose}`` derives the advice from recorded columns.

Its body is YAML, a list of tasks, each with

- ``task``: the heading, and ``asks``: what is wanted, in MyST;
- ``columns``: what tells, the most telling first. Each is ``from`` a chapter, by the name of its ``column``
  (:mod:`aelib.records.columns`), and says ``what`` it would tell where no run has recorded it.

No model is named there: which is best in a column is computed when the book is built, and what has no
record is listed as not measured.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from bars import Bar, bars
from book_chapters import chapters, link, number_of
from book_results import runs_html
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aelib.records.claims import Claim, number, with_spread
from aelib.records.columns import Column, column

SHOWN = 5  # models that a chart shows unfolded
LEVEL = 3  # models that share a first place; more are no advice


class Choose(SphinxDirective):
    """A table of all tasks with the advice for each, and a section for each task with its numbers."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        self.pages = {name.rsplit("/", 1)[-1]: name for name in chapters(self.env)}
        tasks = yaml.safe_load("\n".join(self.content))
        sections, rows = [], []
        for task in tasks:
            found = [(wanted, column(wanted["from"], wanted["column"])) for wanted in task["columns"]]
            measured = [(wanted["from"], one) for wanted, one in found if one is not None]
            missing = [wanted for wanted, one in found if one is None]
            rows.append(self.summary(task, measured))
            sections.append(self.section(task, measured, missing))
        head = "".join(f'<th scope="col">{name}</th>' for name in ("To", "take", "because"))
        table = f'<table class="choose"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        return [nodes.raw("", table, format="html"), *sections]

    def summary(self, task: Mapping[str, Any], measured: Sequence[tuple[str, Column]]) -> str:
        """A task's row in the table at the top."""
        take, because = "not measured", "No run of this book has recorded it."
        if measured:
            chapter, lead = measured[0]
            take, because = self.names(lead, chapter), f"{reason(lead)} {self.chapter(chapter)}"
        name = f'<th scope="row"><a href="#{section_id(task)}">{html.escape(task["task"])}</a></th>'
        return f"<tr>{name}<td>{take}</td><td>{because}</td></tr>"

    def names(self, lead: Column, chapter: str) -> str:
        """The best models, each a link to the chapter that explains it."""
        if len(lead.claims) == 1:
            return f"{self.model(lead.claims[0], chapter)}, the only one measured"
        if len(lead.best) > LEVEL:
            return "not decided"
        return " or ".join(f"<b>{self.model(claim, chapter)}</b>" for claim in lead.best)

    def model(self, claim: Claim, chapter: str) -> str:
        page = self.pages.get(claim.explained_in or chapter)
        name = html.escape(claim.model)
        return f'<a href="{html.escape(self.url(page))}">{name}</a>' if page else name

    def url(self, docname: str) -> str:
        return str(self.env.app.builder.get_relative_uri(self.env.docname, docname))

    def chapter(self, chapter: str) -> str:
        """A link to the chapter that measured it."""
        page = self.pages[chapter]
        return f'<a class="where" href="{html.escape(self.url(page))}">chapter {number_of(page)}</a>'

    def section(
        self, task: Mapping[str, Any], measured: Sequence[tuple[str, Column]], missing: Sequence[Mapping[str, str]]
    ) -> nodes.section:
        section = nodes.section(ids=[section_id(task)], names=[section_id(task)])
        section += nodes.title(text=task["task"])
        asks = nodes.container()
        self.state.nested_parse(StringList([task["asks"]], self.env.doc2path(self.env.docname)), 0, asks)
        section += asks.children
        for chapter, one in measured:
            about = one.claims[0]
            less = "more is better" if about.higher_is_better else "less is better"
            title = f"{capital(about.metric)}, {about.unit}; {less}. {about.dataset}, "
            section += nodes.paragraph(
                "", title, link(self.pages[chapter], self.env.docname), nodes.Text("."), classes=["column-title"]
            )
            section += nodes.raw("", f"<p>{sentence(one)}</p>{self.chart(one, chapter)}", format="html")
            section += runs_html(one.ranked)
        for wanted in missing:
            number = number_of(self.pages[wanted["from"]])
            lead = nodes.strong(text=f"Not measured in chapter {number}:")
            section += nodes.paragraph("", "", lead, nodes.Text(f" {wanted['what']}."))
        return section

    def chart(self, one: Column, chapter: str) -> str:
        """Dots with their spread, the best first; all but the first few are folded away."""
        if len(one.claims) == 1:
            return ""
        best = [claim.model for claim in one.best]
        rows = [
            Bar(
                self.model(claim, chapter),
                claim.ours,
                min(claim.values),
                max(claim.values),
                html.escape(with_spread(claim.ours, claim.ours_std)),
                kind="best" if claim.model in best else "",
            )
            for claim in one.ranked
        ]
        if len(rows) <= SHOWN + 1:
            return bars(rows, from_zero=False)
        shown = max(SHOWN, len(best)) if len(best) <= LEVEL else SHOWN
        return (
            bars(rows[:shown], from_zero=False)
            + f'<details class="runs"><summary>All {len(rows)} models</summary>{bars(rows, from_zero=False)}</details>'
        )


def section_id(task: Mapping[str, Any]) -> str:
    """The anchor of a task, e.g. ``"detect-anomalies"``."""
    return "-".join(task["task"].lower().split())


def reason(one: Column) -> str:
    """Why, in a few words: the numbers of the best, and of the next."""
    about, best = one.claims[0], one.best
    metric = html.escape(capital(about.metric))
    if len(one.claims) == 1:
        return f"{metric}: {valued(about)}."
    if len(best) > LEVEL:
        return f"{len(best)} of {len(one.claims)} models are level. {metric}."
    numbers = html.escape(with_unit(" and ".join(number(claim.ours) for claim in best), about.unit))
    more = f"; the next, {html.escape(rest[0].model)}, has {number(rest[0].ours)}" if (rest := others(one)) else ""
    return f"{metric}: {numbers}{more}."


def others(one: Column) -> list[Claim]:
    """The models that are not level with the best, the best of them first."""
    return [claim for claim in one.ranked if claim not in one.best]


def valued(claim: Claim) -> str:
    """A claim's number with its spread and unit."""
    return html.escape(with_unit(with_spread(claim.ours, claim.ours_std), claim.unit))


def with_unit(numbers: str, unit: str) -> str:
    """Numbers with their unit, which stands apart where it begins with a number itself, e.g. ``"0 to 1"``."""
    return f"{numbers} ({unit})" if unit[:1].isdigit() else f"{numbers} {unit}"


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]


def named(models: Sequence[str]) -> str:
    """A list in words: A; A and B; A, B and C."""
    bold = [f"<b>{html.escape(model)}</b>" for model in models]
    return " and ".join([", ".join(bold[:-1]), bold[-1]] if len(bold) > 1 else bold)


def sentence(one: Column) -> str:
    """What the column says: the best or a tie, the next, PCA, which have one seed, and what only some models had."""
    best, rest, claims = one.best, others(one), one.claims
    several = any(len(claim.seeds) > 1 for claim in claims)
    margin = "the spread over seeds" if several else "one part in twenty, the margin of single runs"
    names = named([claim.model for claim in best])
    if len(claims) == 1:
        said = f"Only {names} was measured: {valued(claims[0])}."
    elif len(best) > LEVEL:
        first, level = f"the best, <b>{html.escape(best[0].model)}</b>", len(best) - 1
        said = f"Not decided: {level} of {len(claims)} models are closer to {first}, than {margin}."
    elif len(best) > 1:
        said = f"{names} are level, closer than {margin}."
    else:
        said = f"{names} is best, by more than {margin}."
    if rest and len(best) <= LEVEL:
        said += f" Next is {html.escape(rest[0].model)} with {valued(rest[0])}."
    if pca := next((claim for claim in rest[1:] if claim.model == "PCA"), None):
        said += f" PCA, the line to beat, has {valued(pca)}."
    if single := [claim.model for claim in (*best, *rest[:1]) if len(claim.seeds) == 1]:
        said += f" One seed only: {html.escape(', '.join(single))}."
    told = (f"{', '.join(models)}: {note}" for note, models in notes(one).items())
    return " ".join([said, *map(html.escape, told)])


def notes(one: Column) -> dict[str, list[str]]:
    """What the protocols of fewer than half of the models say beyond their first sentence, and of which models."""
    found: dict[str, list[str]] = {}
    for claim in one.claims:
        for note in claim.protocol.split(". ")[1:]:
            found.setdefault(note.rstrip(".") + ".", []).append(claim.model)
    return {note: models for note, models in found.items() if 2 * len(models) < len(one.claims)}


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("choose", Choose)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
