"""Scoreboard, benchmarks and reliability, from records under results/, and the models' colors, from ``aelib.plots``."""

import html
import json
import re
from itertools import groupby
from typing import Any

from book_chapters import chapters, link, table
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aelib.plots import COLORS
from aelib.records.claims import Claim, load, load_all, table_html
from aelib.records.provenance import RESULTS


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
            command = f"python benchmarks/{path.stem}.py"
            how = " on {hardware}, {rounds} rounds in turn, {date}, commit {commit}.".format(**record)
            result += [
                nodes.rubric(text=record["title"]),
                nodes.paragraph(text=record["what"]),
                table(["Measure", "Median", "Range", "Target"], [list(row) for row in rows], ["benchmark"]),
                nodes.paragraph("", "", nodes.literal(text=command), nodes.Text(how), classes=["stamp"]),
            ]
        return result + self.planned()

    def planned(self) -> list[nodes.Node]:
        """What has targets and no record yet, with the command that would make one."""
        result: list[nodes.Node] = []
        plans = json.loads((RESULTS.parent / "benchmarks" / "planned.json").read_text(encoding="utf-8"))
        for name, plan in plans.items():
            if (RESULTS / "benchmarks" / f"{name}.json").exists():
                continue
            rows: list[list[nodes.Node | str]] = [
                [measure, "not yet run", "", target] for measure, target in plan["targets"].items()
            ]
            command = nodes.literal(text=plan["command"])
            result += [
                nodes.rubric(text=plan["title"]),
                nodes.paragraph(text=plan["what"]),
                table(["Measure", "Median", "Range", "Target"], rows, ["benchmark"]),
                nodes.paragraph("", "", nodes.Text("Not yet run: "), command, nodes.Text("."), classes=["stamp"]),
            ]
        return result


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
    app.add_directive("scoreboard", Scoreboard)
    app.add_directive("benchmarks", Benchmarks)
    app.add_directive("data-faults", DataFaults)
    app.add_directive("killed-training", KilledTraining)
    app.add_directive("model-colors", ModelColors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
