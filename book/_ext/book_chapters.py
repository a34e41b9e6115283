"""Chapters as pages: their number, their title, and what each tells of the run that made it.

``scripts/execute.py`` stamps a notebook's metadata; this extension prints the stamp at the page's foot.
"""

import json
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform

FOLDER = "notebooks/"


def chapters(env: BuildEnvironment) -> list[str]:
    """The document names of the chapters, in the order of the table of contents, which need not be that of numbers."""
    return [name for name in listed(Path(env.srcdir)) if name in env.found_docs]


def listed(book: Path) -> list[str]:
    """The chapters that the table of contents of a book names, in its order."""
    parts = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    files = (entry["file"] for part in parts for entry in part["chapters"])
    return [name for name in files if name.startswith(FOLDER)]


def number_of(docname: str) -> int:
    """A chapter's number: what its file's name starts with."""
    return int(docname.removeprefix(FOLDER).split("_")[0])


def title_of(env: BuildEnvironment, docname: str) -> str:
    """A chapter's title: the first heading of its notebook."""
    notebook = json.loads(Path(env.doc2path(docname)).read_text(encoding="utf-8"))
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    return next(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))


class ChapterNumber(SphinxTransform):
    """Put the chapter's number before its title, and so into the sidebar and every link to the page."""

    default_priority = 200

    def apply(self) -> None:
        if self.env.docname.startswith(FOLDER):
            title = next(iter(self.document.findall(nodes.title)))
            title.insert(0, nodes.Text(f"{number_of(self.env.docname)}. "))


def read_stamp(env: BuildEnvironment, docname: str) -> dict[str, Any] | None:
    """What ``scripts/execute.py`` wrote into the chapter's metadata; None if it never ran."""
    notebook = json.loads(Path(env.doc2path(docname)).read_text(encoding="utf-8"))
    return notebook["metadata"].get("aelib")


def duration(seconds: float) -> str:
    """E.g. ``"48 s"`` or ``"2 min 05 s"``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def add_foot(app: Sphinx, doctree: nodes.document) -> None:
    """Append to a chapter's page what ran, where and when."""
    docname = app.env.docname
    stamp = read_stamp(app.env, docname) if docname in chapters(app.env) else None
    if stamp is None:
        return
    packages = ", ".join(f"{name} {version}" for name, version in stamp["packages"].items())
    text = (
        f"Executed in {duration(stamp['seconds'])} with profile {stamp['profile']} on {stamp['hardware']}, "
        f"{stamp['date']}, commit {stamp['commit']}; {packages}."
    )
    if unproved := stamp.get("first_edition", 0):
        text += (
            f" {unproved} network{'s' * (unproved > 1)} of this page came from records of the first edition, "
            "whose recipe is not proved."
        )
    doctree += nodes.container("", nodes.paragraph(text=text), classes=["stamp"])


def link(docname: str, source: str) -> addnodes.pending_xref:
    """A link to a page that reads as the page's title."""
    return addnodes.pending_xref(
        "",
        nodes.inline(text=docname),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{docname}",
        refdoc=source,
        refexplicit=False,
        refwarn=True,
    )


def table(head: list[str], rows: list[list[nodes.Node | str]], classes: list[str]) -> nodes.table:
    """A docutils table of text and inline nodes."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    for kind, lines in ((nodes.thead, [head]), (nodes.tbody, rows)):
        part = kind()
        for line in lines:
            row = nodes.row()
            for cell in line:
                content = nodes.Text(cell) if isinstance(cell, str) else cell
                row += nodes.entry("", nodes.paragraph("", "", content))
            part += row
        group += part
    return nodes.table("", group, classes=classes)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(ChapterNumber)
    app.connect("doctree-read", add_foot)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
