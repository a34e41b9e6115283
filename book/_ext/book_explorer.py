"""An explorer of a chapter on another page: the directive ``{explorer}`` takes it from the chapter's outputs.

``{explorer} notebooks/01_hinton_salakhutdinov plane`` is the first explorer with that view. The page then shows the
same trained weights as the chapter, whichever run they come from. With ``:brief: VAE = Variational autoencoder; …`` it
is a plane of those two models alone, without tools, that starts where they differ: see ``aelib.explorer.views.brief``.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aelib.explorer.network.packing import to_json
from aelib.explorer.script import renewed
from aelib.explorer.views.brief import brief

DATA = re.compile(r'(?<=<script type="application/json">).*?(?=</script>)', re.DOTALL)


def names(text: str) -> dict[str, str]:
    """Models and what to call them, of ``VAE = Variational autoencoder; PCA = Linear``."""
    pairs = [pair.split("=") for pair in directives.unchanged_required(text).split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"It is written 'MODEL = TITLE; MODEL = TITLE', not {text!r}.")
    return {model.strip(): title.strip() for model, title in pairs}


class FromChapter(SphinxDirective):
    """The HTML that a chapter's cell put out, with the package's present script."""

    required_arguments = 2
    option_spec = {"brief": names}  # noqa: RUF012 (docutils declares it so)

    def run(self) -> list[nodes.Node]:
        chapter, view = self.arguments
        path = self.env.doc2path(chapter)
        self.env.note_dependency(path)
        self.env.note_reread()  # the script may have changed
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            for output in cell.get("outputs", []):
                made = "".join(output.get("data", {}).get("text/html", ""))
                if "<aelib-explorer" in made and f'"view":"{view}"' in made:
                    return [nodes.raw("", self.shown(made), format="html")]
        raise self.error(f"{chapter} has no explorer with the view {view!r} among its outputs.")

    def shown(self, made: str) -> str:
        made = renewed(made)
        if "brief" in self.options:
            data = to_json(brief(json.loads(DATA.search(made)[0]), self.options["brief"]))
            made = DATA.sub(lambda _: data, made, count=1)
        return made


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("explorer", FromChapter)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
