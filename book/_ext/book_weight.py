"""What a page loads: only what it uses, and how much that is.

The theme gives every page every script: MathJax, all of FontAwesome, the index of the search. When the pages are
written, each gives up what it has no use for, and the icons become a font of the few that the book shows. What is left
is weighed; the directive ``{page-weights}`` prints it for each page.
"""

import base64
import html
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bars import Bar, bars
from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

# What a page may load, by the end of its name, and what stands in a page that has use for it; "" for none has.
USED_BY = {
    "scripts/fontawesome.js": "",  # the icons are in the style sheet's font
    "searchindex.js": 'id="search-results"',
    "searchtools.js": 'id="search-results"',
    "language_data.js": 'id="search-results"',
    "mathjax/tex-chtml.js": 'class="math',
    "sphinx-design.min.css": 'class="sd-',
    "design-tabs.js": 'class="sd-tab',
    "sphinx-thebe.css": "",  # no kernels are launched
    "sphinx-thebe.js": "",
    "mystnb.css": 'class="cell',
    "filters.js": 'data-filters="',
}
LOADS = re.compile(r'[ \t]*<(?:script|link)\b[^>]*\b(?:src|href)="(?P<url>[^"]*)"[^>]*>(?:\s*</script>)?\n?')
MATHJAX_SETTINGS = re.compile(r"[ \t]*<script>window\.MathJax = .*?</script>\n?")
HASH = re.compile(r"(?<=mystnb)\.[0-9a-f]{64}(?=\.css)")  # Myst-NB has the hash of its style sheet in the name

ICON = re.compile(r'(?:\.fa-[a-z0-9-]+:before,?)+\{content:"\\[0-9a-f]+"\}')
ICON_CLASS = re.compile(r"\bfa-([a-z0-9-]+)")
FACE = re.compile(r"@font-face\{[^}]*?url\(\.\./(?P<file>vendor/fontawesome/webfonts/[\w-]+)\.woff2\)[^}]*\}")
ESCAPED = re.compile(r"\\([ef][0-9a-f]{3})\b")
PRIVATE = range(0xE000, 0xF900)  # where an icon font has its icons

MARK = "<!-- page weights -->"
KILO = 1000


class Loaded(HTMLParser):
    """Collects the addresses that a page loads by itself."""

    SOURCES = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}  # noqa: RUF012
    LINKS = ("stylesheet", "preload", "icon")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        wanted = tag == "link" and values.get("rel") in self.LINKS
        url = values.get("href", "") if wanted else values.get(self.SOURCES.get(tag, ""), "")
        if url and not url.startswith("data:"):
            self.urls.append(url)


def files_of(page: Path) -> set[Path]:
    """The files that opening a page loads: itself, and what it names, pictures further down among them.

    What a script fetches later, such as MathJax its fonts, is not among them.
    """
    found = {page}
    for url in Loaded(page.read_text(encoding="utf-8")).urls:
        parts = urlsplit(url)
        if not parts.scheme and not parts.netloc:
            found.add((page.parent / unquote(parts.path)).resolve())
    return found


def weight(page: Path) -> int:
    """The bytes that opening a page loads."""
    return sum(file.stat().st_size for file in files_of(page) if file.is_file())


def pages(folder: Path) -> list[Path]:
    """The pages of a built book."""
    return sorted(path for path in folder.rglob("*.html") if "_static" not in path.parts)


def lighter(text: str) -> str:
    """A page's HTML without what it has no use for."""

    def kept(found: re.Match[str]) -> str:
        name = HASH.sub("", urlsplit(found["url"]).path)
        uses = next((uses for ending, uses in USED_BY.items() if name.endswith(ending)), None)
        return found[0] if uses is None or (uses and uses in text) else ""

    text = LOADS.sub(kept, text)
    return text if USED_BY["mathjax/tex-chtml.js"] in text else MATHJAX_SETTINGS.sub("", text)


def with_few_icons(css: str, classes: Iterable[str], static: Path) -> str:
    """The theme's style sheet with the icons of these classes alone, in fonts that stand in it.

    Some browsers load no font from a file beside a page on disk; from within the style sheet all do.
    """
    wanted = set(classes)
    css = ICON.sub(lambda rule: rule[0] if wanted & set(ICON_CLASS.findall(rule[0])) else "", css)
    shown = {int(code, 16) for code in ESCAPED.findall(css)} | {ord(sign) for sign in css if ord(sign) in PRIVATE}
    return FACE.sub(lambda face: _face(face[0], static / f"{face['file']}.ttf", shown), css)


def _face(rule: str, font: Path, shown: set[int]) -> str:
    """The rule with the font's glyphs for these characters in the place of its files; nothing where it has none."""
    with TTFont(font) as whole:
        if not shown & set(whole.getBestCmap()):
            return ""
        options = subset.Options(layout_features=[], notdef_outline=True, hinting=False)
        part = subset.Subsetter(options)
        part.populate(unicodes=shown)
        part.subset(whole)
        whole.flavor = "woff"
        written = BytesIO()
        whole.save(written)
    data = base64.b64encode(written.getvalue()).decode()
    return re.sub(r"src:[^}]*", f'src:url(data:font/woff;base64,{data}) format("woff")', rule)


def lighten(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite the pages and the theme's style sheet, and remove what none loads any more."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    classes: set[str] = set()
    for page in pages(folder):
        before = page.read_text(encoding="utf-8")
        if (after := lighter(before)) != before:
            page.write_text(after, encoding="utf-8")
        classes |= set(ICON_CLASS.findall(after))
    static = folder / "_static"
    for script in static.rglob("*.js"):
        if script.name != "fontawesome.js" and "mathjax" not in script.parts:
            classes |= set(ICON_CLASS.findall(script.read_text(encoding="utf-8")))
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    css = sheet.read_text(encoding="utf-8")
    if FACE.search(css):  # not yet done by an earlier build
        sheet.write_text(with_few_icons(css, classes, static), encoding="utf-8")
    for unused in (*static.glob("scripts/fontawesome.*"), *static.glob("vendor/fontawesome/webfonts/*")):
        unused.unlink()


class PageWeights(SphinxDirective):
    """What opening each page loads, a bar for each, the heaviest first."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        return [nodes.raw("", MARK, format="html")]


def print_weights(app: Sphinx, exception: Exception | None) -> None:
    """Put the bars where the directive stood: only now are the pages what they weigh."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    written = [folder / f"{name}.html" for name in app.env.found_docs]
    marked = [page for page in written if page.is_file() and MARK in page.read_text(encoding="utf-8")]
    if marked:
        drawn = weights_html({name: folder / f"{name}.html" for name in app.env.found_docs}, app)
        for page in marked:
            page.write_text(page.read_text(encoding="utf-8").replace(MARK, drawn), encoding="utf-8")


def weights_html(named: dict[str, Path], app: Sphinx) -> str:
    """A bar for each page."""
    rows = sorted(
        ((weight(page), page.stat().st_size, name) for name, page in named.items() if page.is_file()), reverse=True
    )
    return bars(
        [
            Bar(
                f'<a href="{app.builder.get_target_uri(name)}">{html.escape(app.env.titles[name].astext())}</a>',
                total / KILO,
                total / KILO,
                total / KILO,
                f"<b>{total / KILO:,.0f} kB</b> <small>{own / KILO:,.0f} the page itself</small>",
            )
            for total, own, name in rows
        ]
    )


def icons(folder: Path) -> Iterator[str]:
    """The classes of icons that the pages of a built book show."""
    for page in pages(folder):
        yield from ICON_CLASS.findall(page.read_text(encoding="utf-8"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", lighten, priority=700)
    app.connect("build-finished", print_weights, priority=800)  # of what is left
    app.add_directive("page-weights", PageWeights)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
