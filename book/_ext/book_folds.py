"""Folded cells that say what they hold: "Setup", "Solution 3", in place of "Show code cell content".

What a cell is follows from where it stands, so that no chapter has to say it.
"""

import re
from collections.abc import Iterator

from book_chapters import FOLDER
from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxTranslator

EXERCISE = re.compile(r"(\d+)\.")
INSTALLS = 'find_spec("aelib")'  # in the cell that fetches the package where it is missing
CLAIMS = re.compile(r"^\s*claims\.|\bClaims\(", re.MULTILINE)


def in_order(page: nodes.document) -> Iterator[tuple[nodes.Element, str]]:
    """The code cells, each with the number of the exercise that it stands below, if any."""
    exercise = ""
    for node in page.findall(lambda n: isinstance(n, nodes.section | nodes.paragraph | nodes.container)):
        if isinstance(node, nodes.section):
            exercise = ""
        elif isinstance(node, nodes.paragraph):
            first = next((child for child in node.children if child.astext()), None)
            if isinstance(first, nodes.strong) and (found := EXERCISE.fullmatch(first.astext())):
                exercise = found[1]
        elif node.get("nb_element") == "cell_code":
            yield node, exercise


def label(cell: nodes.Element, exercise: str) -> str:
    """What to write on a folded cell."""
    code = next((block.astext() for block in cell.findall(nodes.literal_block)), "")
    if exercise:
        return f"Solution {exercise}"
    if INSTALLS in code:
        return "Setup on Colab"
    if isinstance(cell.parent, nodes.section) and cell.parent.parent is cell.document:  # above the first heading
        return "Setup"
    if CLAIMS.search(code):
        return "Code: claims and their targets"
    return "Code of this figure" if "figure" in cell.get("cell_metadata", {}).get("mystnb", {}) else "Code"


def name_folds(app: Sphinx, page: nodes.document) -> None:
    """Put the labels on a chapter's folded cells; an open one reads the same."""
    if not app.env.docname.startswith(FOLDER):
        return
    for cell, exercise in in_order(page):
        if cell.get("hide_mode"):
            cell["prompt_show"] = label(cell, exercise)


def visit_fold(self: SphinxTranslator, node: nodes.Element) -> None:
    """As MyST-NB does, without its ``aria-label``, which hides the text from screen readers."""
    self.body.append(f'<details class="admonition hide {" ".join(node["classes"])}">\n')
    self.body.append(f'<summary><span class="admonition-title">{self.encode(node["prompt_show"])}</span></summary>\n')


def depart_fold(self: SphinxTranslator, node: nodes.Element) -> None:
    self.body.append("</details>\n")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", name_folds)
    app.add_node(HideCodeCellNode, override=True, html=(visit_fold, depart_fold))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
