"""The ledger: every published number beside ours, as a tally, a dot plot, and rows that can be filtered and sorted.

Three directives, ``{ledger-tally}``, ``{ledger-plot}`` and ``{ledger-rows}``. All is there without JavaScript, by
chapter; ``_static/filters.js`` adds the filters.
"""

import html
import math
from collections.abc import Iterator, Sequence

from book_chapters import chapters, number_of, title_of
from book_filters import choice, form
from book_results import boxed, runs_html
from docutils import nodes
from ledger_plot import axis, css_class, kind, mark, plot, row
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aelib.records.claims import HEAD, Claim, cells, load_all, measured_how
from aelib.records.provenance import RESULTS
from aelib.records.tally import PAPER, TARGET, tally

NAMES = ("claim", *HEAD[1:])
NONE = {"–": "none"}  # the class of a cell without a value: a phone leaves it out


class Ledger(SphinxDirective):
    """What the three have in common: the claims by chapter, and where each one stands."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        self.pages = {name.rsplit("/", 1)[-1]: name for name in chapters(self.env)}
        self.claims = [claim for claim in load_all(RESULTS) if claim.chapter in self.pages]
        return self.made()

    def made(self) -> list[nodes.Node]:
        raise NotImplementedError

    def by_chapter(self) -> Iterator[tuple[str, list[Claim]]]:
        """Each chapter's document name and its claims."""
        for chapter, docname in self.pages.items():
            if claims := [claim for claim in self.claims if claim.chapter == chapter]:
                yield docname, claims

    def title(self, docname: str) -> str:
        return f"{number_of(docname)}. {title_of(self.env, docname)}"

    def url(self, docname: str) -> str:
        return str(self.env.app.builder.get_relative_uri(self.env.docname, docname))


class LedgerTally(Ledger):
    """How many numbers there are, and how each verdict's count; a count leads to its rows."""

    def made(self) -> list[nodes.Node]:
        counts = tally(self.claims)
        lead = (
            f"The book records {counts.claims} numbers of its own. {counts.published} of them have a published number "
            f"to stand beside, and {counts.targets} a target that we had set ourselves."
        )
        lists = "".join(
            f"<p>{title}</p><ul>{''.join(self.items(name, found))}</ul>"
            for title, name, found in (
                (f"{counts.published} against the paper", "paper", counts.against_paper),
                (f"{counts.targets} against our target", "target", counts.against_target),
            )
        )
        return [nodes.paragraph(text=lead), nodes.raw("", f'<div class="ledger-tally">{lists}</div>', format="html")]

    def items(self, name: str, counts: object) -> Iterator[str]:
        assert isinstance(counts, dict)
        for verdict, count in counts.items():
            yield (
                f'<li><a href="?{name}={css_class(verdict)}#the-numbers">{mark(verdict)}<b>{count}</b> '
                f"{html.escape(verdict)}</a></li>"
            )


class LedgerPlot(Ledger):
    """Ours over the paper's, a row for each claim with a published number."""

    def made(self) -> list[nodes.Node]:
        published = [claim for claim in self.claims if claim.paper is not None]
        ends = axis(published)
        rows = [
            (
                f'<a href="#{section_id(docname)}">{html.escape(self.title(docname))}</a>',
                [
                    row(claim, f"{self.url(docname)}#{claim.anchor}", ends, attributes(claim))
                    for claim in claims
                    if claim.paper is not None
                ],
            )
            for docname, claims in self.by_chapter()
            if any(claim.paper is not None for claim in claims)
        ]
        return [nodes.raw("", plot(rows, ends), format="html")]


class LedgerRows(Ledger):
    """The rows with a published number, a section for each chapter, and how many others the chapter has."""

    def made(self) -> list[nodes.Node]:
        published = [claim for claim in self.claims if claim.paper is not None]
        result: list[nodes.Node] = [nodes.raw("", self.filters(published), format="html")]
        for docname, claims in self.by_chapter():
            rows = [claim for claim in claims if claim.paper is not None]
            section = nodes.section(ids=[section_id(docname)], names=[section_id(docname)])
            section += nodes.title(text=self.title(docname))
            section += nodes.raw("", self.others(docname, len(rows), len(claims)), format="html")
            if rows:
                section += boxed(self.table(docname, rows))
                section += runs_html(rows)
            result.append(section)
        return result

    def filters(self, published: Sequence[Claim]) -> str:
        found = {claim.chapter: self.title(self.pages[claim.chapter]) for claim in published}
        verdicts = {css_class(name): kind(name) for name in PAPER}
        return form(
            "ledger",
            [
                choice("chapter", "Chapter", found),
                choice("paper", "Against the paper", verdicts),
                choice("target", "Against our target", {name: name for name in TARGET}),
                choice("data", "Data", {name: name for name in sorted({claim.dataset for claim in published})}),
            ],
            {"worst": "the worst first", "best": "the best first", "model": "model", "data": "data"},
            "chapter",
        )

    def others(self, docname: str, rows: int, claims: int) -> str:
        """A sentence on the chapter's other numbers."""
        page = f'<a href="{html.escape(self.url(docname))}">the chapter</a>'
        if not rows:
            return f'<p class="others">None of its {claims} numbers has a published one. They are in {page}.</p>'
        rest = claims - rows
        if not rest:
            return f'<p class="others">All of its numbers; they are in {page}, too.</p>'
        are = "number has" if rest == 1 else "numbers have"
        return f'<p class="others">{rest} more {are} no published one, and stand in {page}.</p>'

    def table(self, docname: str, claims: Sequence[Claim]) -> str:
        head = "".join(f'<th scope="col">{name}</th>' for name in NAMES)
        body = "".join(
            f'<tr {attributes(claim)} title="{html.escape(measured_how(claim))}">{self.cells(docname, claim)}</tr>'
            for claim in claims
        )
        title = html.escape(f"Published numbers and ours: {self.title(docname)}")
        return (
            f'<table class="claims ledger" data-group="ledger" aria-label="{title}">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def cells(self, docname: str, claim: Claim) -> str:
        found = cells(claim)
        found[0] += f' <a class="where" href="{html.escape(f"{self.url(docname)}#{claim.anchor}")}">in its chapter</a>'
        for place, verdict in ((3, claim.against_paper), (5, claim.against_target)):
            if verdict:
                found[place] = f"<span>{mark(verdict)} {found[place]}</span>"
        return "".join(
            f'<td data-label="{name}" class="{NONE.get(cell, "some")}">{cell}</td>'
            for name, cell in zip(NAMES, found, strict=True)
        )


def section_id(docname: str) -> str:
    """The anchor of a chapter's section, e.g. ``"chapter-04"``."""
    return f"chapter-{number_of(docname):02d}"


def gain(claim: Claim) -> float:
    """By how much ours is better than the paper's, as a logarithm of the ratio; worst where there is no ratio."""
    if claim.ratio is None:
        return -math.inf
    return math.log(claim.ratio) * (1 if claim.higher_is_better else -1)


def attributes(claim: Claim) -> str:
    """What the filters know of a row."""
    told = {
        "entry": "ledger",
        "chapter": claim.chapter,
        "paper": css_class(claim.against_paper),
        "target": claim.against_target,
        "data": claim.dataset,
        "model": claim.model,
        "gain": f"{max(gain(claim), -99):.5f}",
    }
    return " ".join(f'data-{name}="{html.escape(value)}"' for name, value in told.items())


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("ledger-tally", LedgerTally)
    app.add_directive("ledger-plot", LedgerPlot)
    app.add_directive("ledger-rows", LedgerRows)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
