"""Claims in chapters, and reliability, from records under results/; models' colors, from ``aelib.plots``."""

import html
import json
import re
from itertools import groupby
from typing import Any

from book_chapters import table
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aelib.plots import COLORS
from aelib.records.claims import Claim, load, table_html
from aelib.records.provenance import RESULTS


class DataFaults(SphinxDirective):
    """What was tried against the loading of data, and how each fault ended: a folded table for each group."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        record = reliability("data_faults")
        result: list[nodes.Node] = []
        for group, faults in groupby(record["rows"], lambda row: row["group"]):
            rows = list(faults)
            right = sum(row["ends"] == "the right data" for row in rows)
            title = (
                f"{group}: {len(rows)} faults, {right} of which end in the right data, {len(rows) - right} in an error"
            )
            body = "".join(
                f"<tr><td>{html.escape(row['key'])}</td><td>{row['ends']}"
                + (f"<br><small>{html.escape(row['said'])}</small>" if row["said"] else "")
                + "</td></tr>"
                for row in rows
            )
            head = '<tr><th scope="col">Fault</th><th scope="col">It ends in</th></tr>'
            html_table = f'<table class="claims"><thead>{head}</thead><tbody>{body}</tbody></table>'
            folded = f'<details class="runs"><summary>{html.escape(title)}</summary>'
            result.append(nodes.raw("", f'{folded}<div class="wide">{html_table}</div></details>', format="html"))
        return [*result, stamp(record)]


class KilledTraining(SphinxDirective):
    """The recorded kills of a training, and whether what they left was the uninterrupted run's, bit for bit."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        record = reliability("killed_training")
        rows: list[list[nodes.Node | str]] = [
            [row["key"], str(row["kills"]), str(row["runs"]), "the same bits" if row["identical"] else "other bits"]
            for row in record["rows"]
        ]
        return [table(["Killed", "Times", "Runs finished", "Weights and history"], rows, ["benchmark"]), stamp(record)]


def reliability(name: str) -> dict[str, Any]:
    """A record that the tests wrote under AELIB_RECORD=1."""
    return json.loads((RESULTS / "reliability" / f"{name}.json").read_text(encoding="utf-8"))


def stamp(record: dict[str, Any]) -> nodes.paragraph:
    """Where and when a record was made."""
    return nodes.paragraph(text="{hardware}, {date}, commit {commit}.".format(**record), classes=["stamp"])


class ModelColors(SphinxDirective):
    """The color in which each model is drawn throughout the book."""

    def run(self) -> list[nodes.Node]:
        swatches = "".join(
            f'<li><span style="background:{html.escape(color)}"></span>{html.escape(name)}'
            f" <code>{html.escape(color)}</code></li>"
            for name, color in COLORS.items()
        )
        return [nodes.raw("", f'<ul class="model-colors">{swatches}</ul>', format="html")]


# The table of claims among a notebook's outputs, as Claims._repr_html_ wrote it when the chapter ran.
TABLE = re.compile(r'<table data-chapter="([0-9a-z_]+)" class="claims">.*?</table>', re.DOTALL)


def render_claims(app: Sphinx, doctree: nodes.document) -> None:
    """Put the table of the chapter's record in the place of the one that its run printed."""
    for node in list(doctree.findall(nodes.raw)):
        if 'class="claims"' in node.rawsource or 'class="claims"' in node.astext():
            text = TABLE.sub(lambda found: current_table(found[1], found[0]), node.astext())
            node.children = [nodes.Text(text)]


def current_table(chapter: str, printed: str) -> str:
    """The claims of a chapter as its record has them; what its run printed where there is no record."""
    path = RESULTS / f"{chapter}.full.json"
    if not path.exists():
        return printed
    table = table_html(load(path))
    return table.replace("<table ", f'<table data-chapter="{chapter}" ', 1)


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
    app.connect("doctree-read", render_claims)
    app.add_directive("data-faults", DataFaults)
    app.add_directive("killed-training", KilledTraining)
    app.add_directive("model-colors", ModelColors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
