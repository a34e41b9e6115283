"""A page loads what it uses, and its weight is all that it loads."""

import base64
import re
from io import BytesIO
from pathlib import Path

import pydata_sphinx_theme
import pytest
from book_weight import FACE, ICON_CLASS, files_of, lighter, weight, with_few_icons
from fontTools.ttLib import TTFont

STATIC = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
HEAD = """<head>
<link href="_static/styles/theme.css?digest=1" rel="stylesheet" />
<link rel="stylesheet" href="_static/sphinx-design.min.css?v=6" />
<link rel="stylesheet" href="_static/mystnb.{hash}.css" />
<script defer src="_static/scripts/fontawesome.js?digest=1"></script>
<script>window.MathJax = {{"options": {{}}}}</script>
<script defer="defer" src="_static/mathjax/tex-chtml.js"></script>
<script src="searchindex.js"></script>
</head>
""".format(hash="0123456789abcdef" * 4)


def loaded(body: str) -> set[str]:
    """What the lighter page still loads, and whether it sets up MathJax."""
    text = lighter(HEAD + body)
    return {Path(url.split("?")[0]).name[:6] for url in re.findall(r'(?:src|href)="([^"]+)"', text)} | set(
        re.findall(r"window\.MathJax", text)
    )


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ("<p>Words</p>", set()),
        ('<span class="math notranslate">\\(x\\)</span>', {"tex-ch", "window.MathJax"}),
        ('<div class="sd-card">', {"sphinx"}),
        ('<div class="cell docutils">', {"mystnb"}),
        ('<div id="search-results">', {"search"}),
    ],
)
def test_a_page_gives_up_what_it_has_no_use_for(body: str, more: set[str]) -> None:
    assert loaded(body) == {"theme."} | more
    assert lighter(lighter(HEAD + body)) == lighter(HEAD + body)
    assert body in lighter(HEAD + body)


def test_a_weight_is_the_page_and_what_it_names_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    page = tmp_path / "sub" / "page.html"
    page.write_text(
        '<link rel="stylesheet" href="../a.css?v=1"><link rel="next" href="next.html"><script src="b.js"></script>'
        '<link rel="preload" href="b.js"><img src="data:image/png;base64,AAAA"><img src="../c%20d.png">'
        '<a href="next.html">on</a><script src="https://example.org/e.js"></script>',
        encoding="utf-8",
    )
    sizes = {"a.css": 10, "sub/b.js": 200, "c d.png": 3000, "sub/next.html": 40000}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(b"." * size)
    assert {path.name for path in files_of(page)} == {"page.html", "a.css", "b.js", "c d.png"}
    assert weight(page) == page.stat().st_size + 3210


def test_the_style_sheet_keeps_the_icons_that_are_shown_and_those_of_the_theme() -> None:
    css = (STATIC / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    assert len(FACE.findall(css)) == 3
    few = with_few_icons(css, {"bars", "github"}, STATIC)
    assert "fa-bars:before" in few
    assert "fa-github:before" in few
    assert "fa-rocket:before" not in few
    assert len(ICON_CLASS.findall(few)) < len(ICON_CLASS.findall(css)) / 10
    assert "url(../vendor" not in few
    assert len(few) < 0.85 * len(css)
    rules = re.findall(r"@font-face\{[^}]*\}", few)
    (brands,) = (fonts(rule) for rule in rules if "Brands" in rule)
    (solid,) = (fonts(rule) for rule in rules if "Free" in rule and "font-weight:900" in rule)
    assert 0xF09B in brands
    assert 0xF0C9 in solid
    assert 0xF135 not in solid | brands  # the rocket
    for icon in re.findall(r"--pst-icon-[a-z-]+:\"(.)\"", css):  # admonitions and links have the theme's own
        assert ord(icon) in solid | brands


def fonts(rule: str) -> set[int]:
    """The characters of the font in a rule."""
    return set(TTFont(BytesIO(base64.b64decode(re.search(r"base64,([^)]*)", rule)[1]))).getBestCmap())
