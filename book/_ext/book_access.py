"""Mends what Sphinx, its theme and pandas write that a screen reader stumbles over; axe-core finds it otherwise.

tests/book/test_access.py asks axe-core about every page.
"""

import re
from collections.abc import Callable
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxTranslator

Visit = Callable[[SphinxTranslator, nodes.Element], None]
EMPTY_HEAD = re.compile(r"<th(?: [^>]*)?>\s*</th>")
LINES = (  # of a long signature
    ("<dl>", '<span class="sig-lines">'),
    ("</dl>", "</span>"),
    ("<dd>", '<span class="sig-line">'),
    ("</dd>", "</span>"),
)
LAST = 900  # after MyST-NB has chosen the outputs to show, and before they are written


class NoEmptyHeads(SphinxPostTransform):
    """The corner of pandas' tables heads no column: a plain cell."""

    default_priority = LAST

    def run(self, **kwargs: Any) -> None:
        for raw in self.document.findall(nodes.raw):
            if raw.get("format") == "html" and "<th" in raw.astext():
                raw.replace_self(nodes.raw("", EMPTY_HEAD.sub("<td></td>", raw.astext()), **raw.attributes))


def mended(kind: str, *changes: tuple[str, str]) -> tuple[Visit, Visit]:
    """The translator's own methods for a kind of node, with changes in what they and the node's children write."""

    def visit(self: SphinxTranslator, node: nodes.Element) -> None:
        node["written"] = len(self.body)
        getattr(type(self), f"visit_{kind}")(self, node)

    def depart(self: SphinxTranslator, node: nodes.Element) -> None:
        getattr(type(self), f"depart_{kind}")(self, node)
        start = node["written"]
        for old, new in changes:
            self.body[start:] = [part.replace(old, new) for part in self.body[start:]]

    return visit, depart


def name_folds(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """The arrows of the sidebar, which open the pages below a page, have a name."""
    if generate := context.get("generate_toctree_html"):
        context["generate_toctree_html"] = lambda *args, **options: str(generate(*args, **options)).replace(
            "<summary>", '<summary aria-label="Pages below">'
        )


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(NoEmptyHeads)
    # The items of a list have a role of today, and a signature is no list of definitions without terms.
    works = mended("citation", ('role="doc-biblioentry"', 'role="listitem"'))
    app.add_node(nodes.citation, override=True, html=works)
    for kind in ("desc_parameterlist", "desc_type_parameter_list"):
        app.add_node(getattr(addnodes, kind), override=True, html=mended(kind, *LINES))
    app.connect("html-page-context", name_folds, priority=LAST)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
