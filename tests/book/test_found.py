"""What search engines, previews and those who cite read of the built book."""

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from built import chapters_of, pages_of
from set_address import ROOT, current_address, parts

HEADS = re.compile(r"<head>(.*?)</head>", re.DOTALL)


def meta(text: str) -> dict[str, str]:
    """The page's meta tags by name or property."""
    found: dict[str, str] = {}

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            if tag == "meta" and (name := values.get("property") or values.get("name")):
                found[name] = values.get("content") or ""
            if tag == "link" and values.get("rel") in ("canonical", "icon"):
                found[str(values["rel"])] = values.get("href") or ""

    Reader().feed(HEADS.search(text)[1])
    return found


def site() -> str:
    owner, name = parts(current_address())
    return f"https://{owner}.github.io/{name}/"


def test_every_page_says_what_it_is_and_where(book: Path) -> None:
    titles = {}
    for page in pages_of(book):
        name = str(page.relative_to(book))
        if name.startswith(("_modules", "search", "genindex", "py-modindex")):
            continue
        text = page.read_text(encoding="utf-8")
        tags, title = meta(text), re.search(r"<title>(.*?)</title>", text)[1]
        assert title not in titles, f"{name} has the title of {titles[title]}"
        titles[title] = name
        assert title.split(" &#8212; ")[0] != title.split(" &#8212; ")[-1] or name == "index.html"
        assert tags["canonical"] == tags["og:url"] == site() + name * (name != "index.html")
        assert (page.parent / tags["icon"]).is_file()
        assert tags["twitter:card"] == "summary_large_image"
        assert (book / tags["og:image"].removeprefix(site())).is_file()
        assert tags["og:title"] and tags["og:description"], name
    for page in [book / "index.html", *chapters_of(book)]:
        assert len(meta(page.read_text(encoding="utf-8"))["description"]) > 40, page.name


def test_a_chapters_preview_is_its_own_figure(book: Path) -> None:
    for page in chapters_of(book):
        assert Path(meta(page.read_text(encoding="utf-8"))["og:image"]).stem == page.stem


def test_pages_have_structured_data(book: Path) -> None:
    def data(page: Path) -> dict[str, Any]:
        return json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', page.read_text("utf-8"))[1])

    front, names = data(book / "index.html"), [path.stem for path in chapters_of(book)]
    assert front["@type"] == "Book"
    assert front["name"] in (book / "index.html").read_text(encoding="utf-8").split("</title>")[0]
    assert sorted(Path(part["url"]).stem for part in front["hasPart"]) == names
    for name in names:
        chapter = data(book / "notebooks" / f"{name}.html")
        assert "LearningResource" in chapter["@type"]
        assert chapter["position"] == int(name[:2])
        assert chapter["isPartOf"]["@id"] == front["@id"] == site()
        assert chapter["url"] == f"{site()}notebooks/{name}.html"


def test_the_sites_map_has_every_page_that_the_contents_have(book: Path) -> None:
    listed = set(re.findall(r"<loc>(.*?)</loc>", (book / "sitemap.xml").read_text(encoding="utf-8")))
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    named = {f"{site()}{name}.html" for name in re.findall(r"file: (\S+)", toc)}
    modules = {f"{site()}api/modules/{page.name}" for page in (book / "api" / "modules").glob("*.html")}
    assert modules
    assert listed == named | modules | {site()}
    assert f"Sitemap: {site()}sitemap.xml" in (book / "robots.txt").read_text(encoding="utf-8")


def test_a_chapter_can_be_cited(book: Path) -> None:
    for page in chapters_of(book):
        text = page.read_text(encoding="utf-8")
        folded = re.search(r'<details class="cite">(.*?)</details>', text, re.DOTALL)[1]
        entry = html.unescape(re.sub(r"<[^>]+>", "", folded))
        assert f"@incollection{{aelib-{page.stem[:2]}," in entry
        assert f"url       = {{{site()}notebooks/{page.name}}}" in entry
        heading = html.unescape(re.search(r"<h1>(.*?)<a", text)[1])
        assert f"title     = {{{heading.split('. ', 1)[1]}}}" in entry
