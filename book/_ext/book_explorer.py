"""An explorer of a chapter on another page: the directive ``{explorer}`` takes it from the chapter's outputs.

``{explorer} notebooks/01_hinton_salakhutdinov plane`` is the first explorer with that view. The page then shows the
same trained weights as the chapter, whichever run they come from.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class FromChapter(SphinxDirective):
    """The HTML that a chapter's cell put out."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        chapter, view = self.arguments
        path = self.env.doc2path(chapter)
        self.env.note_dependency(path)
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            for output in cell.get("outputs", []):
                made = "".join(output.get("data", {}).get("text/html", ""))
                if "<aelib-explorer" in made and f'"view":"{view}"' in made:
                    return [nodes.raw("", made, format="html")]
        raise self.error(f"{chapter} has no explorer with the view {view!r} among its outputs.")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("explorer", FromChapter)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
