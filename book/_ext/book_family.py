"""The family of autoencoders, from the chapters' own headers: a drawn map."""

import html
from collections.abc import Iterator, Sequence
from pathlib import Path

from book_chapters import chapters, number_of
from chapter_facts import Box, Facts, facts
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

WIDTH, ROOT_HEIGHT, HOW, BOX, BOX_HEIGHT, INDENT, GAP, PER_LINE = 462, 74, 27, 204, 50, 40, 12, 2


def told(env: BuildEnvironment) -> dict[str, Facts]:
    """What each chapter that is in the table of contents says of itself, by document name and in their order."""
    return {name: facts(Path(env.doc2path(name)).with_suffix(".py")) for name in chapters(env)}


class FamilyMap(SphinxDirective):
    """The map, an inline SVG that takes the page's colors and has links in it."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        builder, here = self.env.app.builder, self.env.docname
        boxes = [
            (box, number_of(name), builder.get_relative_uri(here, name))
            for name, chapter in told(self.env).items()
            for box in chapter.family
        ]
        return [nodes.raw("", family_svg(boxes), format="html")]


def family_svg(boxes: Sequence[tuple[Box, int, str]]) -> str:
    """Draw the map of (model, number of its chapter, address of its chapter): a branch for each way not to copy."""
    branches: dict[str, list[tuple[Box, int, str]]] = {}
    for entry in boxes:
        branches.setdefault(entry[0].copying, []).append(entry)
    parts, top, middle = [root_box()], float(ROOT_HEIGHT), 0.0
    for how, entries in branches.items():
        parts.append(f'<text class="how" x="{INDENT - 12}" y="{top + 18:g}">{html.escape(how)}</text>')
        top += HOW
        for line in (entries[i : i + PER_LINE] for i in range(0, len(entries), PER_LINE)):
            middle = top + BOX_HEIGHT / 2
            parts += [f'<path class="line" d="M12 {middle:g}H{INDENT}"/>', *line_of_boxes(line, top)]
            top += BOX_HEIGHT + GAP - 1
    parts.insert(1, f'<path class="line" d="M12 {ROOT_HEIGHT - 8}V{middle:g}"/>')
    described = "; ".join(f"{how}: {', '.join(box.model for box, _, _ in found)}" for how, found in branches.items())
    return (
        f'<svg class="family" viewBox="0 0 {WIDTH} {top:g}" role="group" aria-labelledby="family-title">'
        f'<title id="family-title">The family of autoencoders, by what keeps them from copying. '
        f"{html.escape(described)}.</title>{''.join(parts)}</svg>"
    )


def line_of_boxes(entries: Sequence[tuple[Box, int, str]], top: float) -> Iterator[str]:
    """Boxes side by side; a model that grew from the one before it is joined to it."""
    before = ""
    for place, (box, number, url) in enumerate(entries):
        left = INDENT + place * (BOX + GAP)
        if before and box.grew_from == before:
            yield f'<path class="line" d="M{left - GAP} {top + BOX_HEIGHT / 2:g}h{GAP}"/>'
        yield model_box(box, number, url, left, top)
        before = box.model


def root_box() -> str:
    """The box that all stem from: encoder, code, decoder."""
    return (
        f'<rect class="root" x="1" y="1" width="{WIDTH - 2}" height="{ROOT_HEIGHT - 10}" rx="8"/>'
        f'<text class="name" x="{WIDTH / 2}" y="26" text-anchor="middle">x → encoder → z → decoder → x̂</text>'
        f'<text class="note" x="{WIDTH / 2}" y="50" text-anchor="middle">'
        "x̂ should be like x. What keeps the network from copying?</text>"
    )


def model_box(box: Box, number: int, url: str, left: float, top: float) -> str:
    """One model's box, a link to its chapter."""
    return (
        f'<a href="{html.escape(url)}"><rect x="{left}" y="{top:g}" width="{BOX}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{left + 14}" y="{top + 21:g}">{html.escape(box.model)}</text>'
        f'<text class="note" x="{left + 14}" y="{top + 40:g}">{html.escape(box.year)} · chapter {number}</text></a>'
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("family-map", FamilyMap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
