"""The scoreboard and the benchmarks, from the records under results/, and the models' colors, from ``aelib.plots``."""

import html
import json
from itertools import groupby

from book_chapters import chapters, link, table
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aelib.claims import Claim, load_all, table_html
from aelib.plots import COLORS
from aelib.provenance import RESULTS


class Scoreboard(SphinxDirective):
    """All recorded claims, a table for each chapter and profile."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        pages = {name.rsplit("/", 1)[-1]: name for name in chapters(self.env)}
        result: list[nodes.Node] = []
        for (chapter, profile), claims in groupby(load_all(RESULTS), lambda c: (c.chapter, c.profile)):
            rows = list(claims)
            name = link(pages[chapter], self.env.docname) if chapter in pages else nodes.Text(chapter)
            title = nodes.inline("", "", name, nodes.Text(f" (profile {profile})"))
            result += [nodes.rubric("", "", title), boxed(table_html(rows)), runs_html(rows)]
        return result or [nodes.paragraph(text="No chapter has recorded a result yet.")]


class Benchmarks(SphinxDirective):
    """The recorded measurements, a table for each benchmark."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        result: list[nodes.Node] = []
        for path in sorted((RESULTS / "benchmarks").glob("*.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            rows = [
                [
                    name,
                    "{median:.3g} {unit}".format(**found),
                    "{least:.3g} to {most:.3g}".format(**found),
                    found["target"],
                ]
                for name, found in record["measures"].items()
            ]
            how = "{rounds} rounds in turn on {hardware}, {date}, commit {commit}.".format(**record)
            result += [
                nodes.paragraph(text=record["what"]),
                table(["Measure", "Median", "Range", "Target"], [list(row) for row in rows], ["benchmark"]),
                nodes.paragraph(text=how, classes=["stamp"]),
            ]
        return result or [nodes.paragraph(text="No benchmark has been recorded yet.")]


class ModelColors(SphinxDirective):
    """The color in which each model is drawn throughout the book."""

    def run(self) -> list[nodes.Node]:
        swatches = "".join(
            f'<li><span style="background:{html.escape(color)}"></span>{html.escape(name)}'
            f" <code>{html.escape(color)}</code></li>"
            for name, color in COLORS.items()
        )
        return [nodes.raw("", f'<ul class="model-colors">{swatches}</ul>', format="html")]


def boxed(table: str) -> nodes.raw:
    """Raw HTML in a box of its own that scrolls sideways where the page is narrow."""
    return nodes.raw("", f'<div class="wide">{table}</div>', format="html")


def runs_html(claims: list[Claim]) -> nodes.raw:
    """How each claim was measured, folded away: the table tells it only to a pointer that hovers."""
    items = "".join(
        f"<li><strong>{html.escape(c.model)}</strong>, {html.escape(c.claim)}: {html.escape(c.protocol)} "
        f"{html.escape(c.hardware)}, {html.escape(c.date)}, commit {html.escape(c.commit or 'unknown')}.</li>"
        for c in claims
    )
    return nodes.raw(
        "", f'<details class="runs"><summary>How they were measured</summary><ul>{items}</ul></details>', format="html"
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("scoreboard", Scoreboard)
    app.add_directive("benchmarks", Benchmarks)
    app.add_directive("model-colors", ModelColors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
