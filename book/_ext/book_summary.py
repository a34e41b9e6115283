"""The summary: every model of the book on a card, from the chapters' own headers, to be filtered in the page."""

import html
from collections.abc import Iterator, Mapping

from book_chapters import number_of, title_of
from book_family import told
from book_filters import choice, form, search
from chapter_facts import Facts, Row
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FIELDS = ("idea", "objective", "latent", "use", "weakness")


class SummaryCards(SphinxDirective):
    """A card for each model, and a form that picks among them."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        known = told(self.env)
        titles = {
            str(number_of(name)): f"{number_of(name)}. {title_of(self.env, name)}"
            for name, facts in known.items()
            if facts.summary
        }
        ways = {way: way for way, _, _ in cards(known)}
        filters = form(
            "summary",
            [search("Words"), choice("copying", "Kept from copying", ways), choice("chapter", "Chapter", titles)],
        )
        result = [raw(filters), raw('<div class="summary-cards">')]
        for way, name, row in cards(known):
            result += self.card(way, name, row)
        return [*result, raw("</div>")]

    def card(self, way: str, docname: str, row: Row) -> Iterator[nodes.Node]:
        number = number_of(docname)
        url = html.escape(self.env.app.builder.get_relative_uri(self.env.docname, docname))
        told = f'data-entry="summary" data-copying="{html.escape(way)}" data-chapter="{number}"'
        yield raw(
            f'<section class="summary-card" {told}><h2>{html.escape(row.model)}</h2>'
            f'<p class="where"><a href="{url}">chapter {number}</a> · kept from copying {html.escape(way)}</p><dl>'
        )
        for name in FIELDS:
            yield raw(f"<dt>{name}</dt><dd>")
            inside = nodes.container()
            self.state.nested_parse(StringList([getattr(row, name)], self.env.doc2path(self.env.docname)), 0, inside)
            yield from inside.children
            yield raw("</dd>")
        yield raw("</dl></section>")


def cards(chapters: Mapping[str, Facts]) -> Iterator[tuple[str, str, Row]]:
    """Each model with what keeps it from copying and its chapter's document name."""
    for name, facts in chapters.items():
        for row in facts.summary:
            yield way_of(name, row, facts), name, row


def way_of(docname: str, row: Row, facts: Facts) -> str:
    """What keeps a model from copying: what its row says, else the one way of its chapter's boxes on the map.

    Raises:
        ValueError: neither says it.
    """
    ways = {box.copying for box in facts.family}
    if not row.copying and len(ways) != 1:
        raise ValueError(
            f"{docname}.py, 'summary' in the header: {row.model!r} does not say what keeps it from copying, and the "
            f"chapter's 'family' has {len(ways)} ways: add a line 'copying: …'."
        )
    return row.copying or ways.pop()


def raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("summary-cards", SummaryCards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
