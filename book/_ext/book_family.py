"""The family of autoencoders: a drawn map and a list of chapters, for the landing page.

Chapters that are in the table of contents are links; the others are shown as to come. A chapter that this file
does not know appears at the end of the list under its own title.
"""

import html
from dataclasses import dataclass

from book_chapters import chapters, link, number_of
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective


@dataclass(frozen=True)
class Chapter:
    """A chapter, written or to come."""

    number: int
    title: str
    source: str
    idea: str


CHAPTERS = (
    Chapter(0, "Your first three autoencoders", "", "Three small ones, built from nothing and put to use."),
    Chapter(
        1,
        "Reducing the dimension of data",
        "Hinton & Salakhutdinov 2006",
        "A narrow code in a deep network keeps more of an image than principal components do.",
    ),
    Chapter(
        2,
        "Denoising autoencoders",
        "Vincent et al. 2008",
        "Damage the input, ask for the original: the network has to learn what images look like.",
    ),
    Chapter(
        3,
        "Sparse autoencoders",
        "Ng 2011",
        "A wide code of which few units are active at a time: each unit stands for something.",
    ),
    Chapter(
        4,
        "Variational autoencoders",
        "Kingma & Welling 2014",
        "The code becomes a distribution, the loss a bound on the likelihood: new images can be drawn.",
    ),
    Chapter(
        5,
        "β-VAE",
        "Higgins et al. 2017",
        "More weight on the prior: single latents start to match single factors of variation.",
    ),
    Chapter(
        6,
        "Adversarial autoencoders",
        "Makhzani et al. 2016",
        "A discriminator, not a formula, shapes the distribution of codes.",
    ),
    Chapter(
        7,
        "Sequence autoencoders",
        "Sutskever et al. 2014",
        "A recurrent encoder and decoder: a sentence through one vector and back.",
    ),
    Chapter(
        8,
        "Contractive, variational, vector-quantized",
        "Rifai et al. 2011, van den Oord et al. 2017",
        "Three ways to shape a code, compared at equal budgets.",
    ),
    Chapter(
        9,
        "Super-resolution, convolutional, stacked",
        "Three networks, one protocol",
        "What architecture does, and what initialization does that is taken for architecture.",
    ),
    Chapter(10, "Five autoencoders on Fashion-MNIST", "", "Published losses that mislead, and the fair table."),
    Chapter(11, "Every autoencoder under one protocol", "", "Which to choose for what."),
)

# The map, row by row: what keeps the network from copying its input, and the models that do it so, each with the
# number of its chapter.
BRANCHES: tuple[tuple[str, tuple[tuple[str, str, int], ...]], ...] = (
    ("by a narrow code", (("Deep", "2006", 1), ("Convolutional", "SR, stacked", 9))),
    ("by damaging the input", (("Denoising", "2008", 2),)),
    ("by a penalty on the code", (("Sparse", "2011", 3), ("Contractive", "2011", 8))),
    ("by noise in the code and a prior for it", (("Variational", "2014", 4), ("β-VAE", "2017", 5))),
    ("by a discriminator on the code", (("Adversarial", "2016", 6),)),
    ("by a code of few symbols", (("VQ-VAE", "2017", 8),)),
    ("by one vector for a sequence", (("Recurrent", "2014", 7),)),
)

WIDTH, ROOT_HEIGHT, ROW, BOX, BOX_HEIGHT, INDENT = 462, 74, 88, 204, 50, 40


def pages(env: BuildEnvironment) -> dict[int, str]:
    """Document name of each chapter that is in the book, by its number."""
    return {number_of(name): name for name in chapters(env)}


class FamilyMap(SphinxDirective):
    """The map, an inline SVG that takes the page's colors and has links in it."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        builder, here = self.env.app.builder, self.env.docname
        urls = {number: builder.get_relative_uri(here, page) for number, page in pages(self.env).items()}
        return [nodes.raw("", family_svg(urls), format="html")]


def family_svg(urls: dict[int, str]) -> str:
    """Draw the map; ``urls`` has the address of each chapter that exists."""
    middle = [ROOT_HEIGHT + ROW * i + 27 + BOX_HEIGHT / 2 for i in range(len(BRANCHES))]
    parts = [
        root_box(),
        f'<path class="line" d="M12 {ROOT_HEIGHT - 8}V{middle[-1]:g}"/>',
    ]
    for i, (how, models) in enumerate(BRANCHES):
        parts.append(f'<text class="how" x="{INDENT - 12}" y="{ROOT_HEIGHT + ROW * i + 18}">{how}</text>')
        parts.append(f'<path class="line" d="M12 {middle[i]:g}H{INDENT}"/>')
        for j, (name, year, number) in enumerate(models):
            left = INDENT + j * (BOX + 12)
            if how.endswith("prior for it") and j:  # β-VAE is a variational autoencoder
                parts.append(f'<path class="line" d="M{left - 12} {middle[i]:g}h12"/>')
            parts.append(model_box(name, year, number, left, middle[i] - BOX_HEIGHT / 2, urls.get(number)))
    described = "; ".join(f"{how}: {', '.join(model[0] for model in models)}" for how, models in BRANCHES)
    height = ROOT_HEIGHT + ROW * len(BRANCHES)
    return (
        f'<svg class="family" viewBox="0 0 {WIDTH} {height}" role="group" aria-labelledby="family-title">'
        f'<title id="family-title">The family of autoencoders, by what keeps them from copying. {described}.</title>'
        f"{''.join(parts)}</svg>"
    )


def root_box() -> str:
    """The box that all stem from: encoder, code, decoder."""
    return (
        f'<rect class="root" x="1" y="1" width="{WIDTH - 2}" height="{ROOT_HEIGHT - 10}" rx="8"/>'
        f'<text class="name" x="{WIDTH / 2}" y="26" text-anchor="middle">x → encoder → z → decoder → x̂</text>'
        f'<text class="note" x="{WIDTH / 2}" y="50" text-anchor="middle">'
        "x̂ should be like x. What keeps the network from copying?</text>"
    )


def model_box(name: str, year: str, number: int, left: float, top: float, url: str | None) -> str:
    """One model's box: a link where its chapter exists."""
    note = f"{year} · chapter {number}" if url else f"{year} · to come"
    box = (
        f'<rect x="{left}" y="{top:g}" width="{BOX}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{left + 14}" y="{top + 21:g}">{html.escape(name)}</text>'
        f'<text class="note" x="{left + 14}" y="{top + 40:g}">{html.escape(note)}</text>'
    )
    return f'<a href="{html.escape(url)}">{box}</a>' if url else f'<g class="to-come">{box}</g>'


class ChapterList(SphinxDirective):
    """Every chapter with one line on what it is about."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        found = pages(self.env)
        items = nodes.definition_list(classes=["chapter-list"])
        known = {chapter.number for chapter in CHAPTERS}
        others = [Chapter(number, "", "", "") for number in sorted(found) if number not in known]
        for chapter in sorted((*CHAPTERS, *others), key=lambda c: c.number):
            if chapter.number in found:
                term = nodes.term("", "", link(found[chapter.number], self.env.docname))
            else:
                to_come = nodes.inline(text=" to come", classes=["to-come"])
                term = nodes.term("", "", nodes.Text(f"{chapter.number}. {chapter.title}"), to_come)
            about = ". ".join(text for text in (chapter.source, chapter.idea) if text)
            items += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph(text=about)))
        return [items]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("family-map", FamilyMap)
    app.add_directive("chapter-list", ChapterList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
