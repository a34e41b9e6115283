"""The landing page: the ledger's tally in a strip, and a card for each chapter with its best figure and one result.

What a card shows is named in the header of the chapter's source (``chapter_facts``); its numbers are read from the
chapter's record when the book is built.
"""

import html
from collections.abc import Iterator
from pathlib import Path

import chapter_pictures
from book_chapters import link
from book_family import told
from chapter_facts import Facts, Result
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from aelib.records.claims import Claim, load, load_all
from aelib.records.provenance import RESULTS
from aelib.records.tally import Tally, tally

PICTURES = "_static/chapters"  # below the built book
BOOK_PICTURE = f"{PICTURES}/all.png"


def picture_of(docname: str, ending: str) -> str:
    """The address, from the book's root, of a chapter's picture: ``webp`` on its card, ``png`` in previews."""
    return f"{PICTURES}/{docname.rsplit('/', 1)[-1]}.{ending}"


def figure_of(env: BuildEnvironment, docname: str, facts: Facts) -> chapter_pictures.Figure | None:
    """The figure that the chapter's header names."""
    return chapter_pictures.figure(Path(env.doc2path(docname)), facts.thumbnail) if facts.thumbnail else None


def claim_of(docname: str, result: Result) -> Claim | None:
    """The recorded claim that a header names; None where the record has none, or several."""
    record = RESULTS / f"{docname.rsplit('/', 1)[-1]}.full.json"
    named = [
        claim
        for claim in (load(record) if record.exists() else [])
        if (claim.claim, claim.model) == (result.claim, result.model) and result.dataset in ("", claim.dataset)
    ]
    return named[0] if len(named) == 1 else None


def said(result: Result, claim: Claim) -> str:
    """The card's sentence with its numbers, three digits each."""
    numbers = {"ours": claim.ours, "paper": claim.paper}
    return result.says.format(**{name: f"{value:.3g}" for name, value in numbers.items() if value is not None})


class ChapterCards(SphinxDirective):
    """A card for every chapter: number and title, its figure, what it is about, one result with its verdict."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        cards = nodes.container(classes=["chapter-cards"])
        for name, chapter in told(self.env).items():
            cards += self.card(name, chapter)
        return [cards]

    def card(self, name: str, chapter: Facts) -> nodes.container:
        made = nodes.container(classes=["chapter-card"])
        if figure := figure_of(self.env, name, chapter):
            size = 'width="{}" height="{}"'.format(*chapter_pictures.CARD)
            source = "../" * self.env.docname.count("/") + picture_of(name, "webp")
            made += nodes.raw(
                "", f'<img src="{source}" alt="{html.escape(figure.alt)}" loading="lazy" {size}>', format="html"
            )
        made += nodes.paragraph("", "", link(name, self.env.docname), classes=["title"])
        if chapter.source:
            made += nodes.paragraph(text=chapter.source, classes=["source"])
        made += nodes.paragraph(text=chapter.idea)
        if chapter.result and (claim := claim_of(name, chapter.result)):
            verdict = nodes.inline(text=claim.against_paper, classes=["verdict", claim.against_paper.split(":")[0]])
            line = nodes.paragraph("", said(chapter.result, claim), classes=["result"])
            if claim.against_paper:
                line += [nodes.Text(" "), verdict]
            made += line
        return made


class TallyStrip(SphinxDirective):
    """How many published numbers stand beside ours, and how they came out: a bar, its legend, a link to the ledger."""

    required_arguments = 1  # the page with the ledger

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        address = self.env.app.builder.get_relative_uri(self.env.docname, self.arguments[0])
        return [nodes.raw("", strip(tally(load_all(RESULTS)), address), format="html")]


def strip(counts: Tally, address: str) -> str:
    """The strip's HTML."""
    met, missed, open_ = counts.against_target.values()
    bar = "".join(
        f'<i class="{name.split(":")[0].replace(" ", "-")}" style="flex-grow:{count}"></i>'
        for name, count in counts.against_paper.items()
        if count
    )
    return (
        f'<div class="tally"><p><a href="{html.escape(address)}"><b>{counts.published}</b> published numbers beside '
        f'ours</a></p><div class="bar" aria-hidden="true">{bar}</div><ul>{"".join(legend(counts))}</ul>'
        f"<p>Of {counts.targets} targets of our own, <b>{met}</b> are met, <b>{missed}</b> missed, "
        f"<b>{open_}</b> undecided; {counts.claims} claims in all.</p></div>"
    )


def legend(counts: Tally) -> Iterator[str]:
    """What each color of the bar stands for, and how many there are."""
    for name, count in counts.against_paper.items():
        if not count:
            continue
        kind = name.split(":")[0].replace(" ", "-")
        yield f'<li><i class="{kind}"></i><b>{count}</b> {html.escape(name)}</li>'


def write_pictures(app: Sphinx, exception: Exception | None) -> None:
    """Put the chapters' pictures beside the built pages."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir) / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    figures = {name: figure_of(app.env, name, chapter) for name, chapter in told(app.env).items()}
    found = {name: figure.image for name, figure in figures.items() if figure}
    for name, image in found.items():
        for ending, draw in (("webp", chapter_pictures.card), ("png", chapter_pictures.preview)):
            (folder / Path(picture_of(name, ending)).name).write_bytes(draw(image))
    Path(app.outdir, BOOK_PICTURE).write_bytes(chapter_pictures.all_of(list(found.values())))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("chapter-cards", ChapterCards)
    app.add_directive("tally", TallyStrip)
    app.connect("build-finished", write_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
