"""The built book, as it is read from a folder on disk: nothing asks for the network, everything works.

Tests that need a browser use the system's Chromium.
"""

import json
import pkgutil
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from book_weight import Loaded
from browser import PHONE, WIDTH, complaints_of, needs_browser, prefer, requests_of, resize, wait_for
from built import chapters_of, pages_of
from selenium import webdriver
from set_address import ROOT, current_address, parts

import aelib


class Links(HTMLParser):
    """Collects the addresses that a page links to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.linked: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (url := dict(attrs).get("href")):
            self.linked.append(url)


def test_no_page_loads_anything_from_the_network(book: Path) -> None:
    pages = pages_of(book)
    assert len(pages) > 10
    loaded = [(page.name, url) for page in pages for url in Loaded(page.read_text(encoding="utf-8")).urls]
    assert loaded
    assert [(name, url) for name, url in loaded if url.startswith(("http", "//"))] == []


def test_every_link_inside_the_book_leads_somewhere(book: Path) -> None:
    dead = set()
    for page in pages_of(book):
        for url in Links(page).linked:
            target = url.split("#")[0].split("?")[0]
            if target and ":" not in target and not (page.parent / target).exists():
                dead.add((page.name, url))
    assert dead == set()


def test_a_chapters_button_opens_its_own_notebook_on_colab(book: Path) -> None:
    owner, name = parts(current_address())
    chapters = list(chapters_of(book))
    assert chapters
    for page in chapters:
        url = f"https://colab.research.google.com/github/{owner}/{name}/blob/main/notebooks/{page.stem}.ipynb"
        found = [link for link in Links(page).linked if "colab" in link]
        assert set(found) == {url}
        assert (ROOT / "notebooks" / f"{page.stem}.ipynb").exists()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_what_the_front_pages_point_to_exists(page: str) -> None:
    targets = re.findall(r"\]\(([^):#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_module_of_the_package_is_documented(book: Path) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (book / "api").rglob("*.html"))
    modules = [info.name for info in pkgutil.walk_packages(aelib.__path__, "aelib.")]
    assert [name for name in modules if f'id="module-{name}"' not in text] == []


def test_each_chapter_ends_with_its_stamp(book: Path) -> None:
    for page in chapters_of(book):
        notebook = json.loads((ROOT / "notebooks" / f"{page.stem}.ipynb").read_text(encoding="utf-8"))
        stamp = notebook["metadata"]["aelib"]
        text = page.read_text(encoding="utf-8")
        assert f"with profile {stamp['profile']} on {stamp['hardware']}" in text
        assert stamp["commit"] in text


ALL_MATH_IS_SET = """
    const sources = document.querySelectorAll('.math').length;
    return document.querySelectorAll('.math mjx-container').length >= sources;
"""
IMAGES_WITHOUT_TEXT = """
    return [...document.querySelectorAll('article img')].filter(image => !image.alt.trim()).map(image => image.src);
"""
BROKEN_IMAGES = "return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src);"


@needs_browser
@pytest.mark.browser
def test_every_page_works_from_disk_on_a_desk_and_on_a_phone(book: Path, driver: webdriver.Chrome) -> None:
    faults = []
    for page in pages_of(book):
        name = str(page.relative_to(book))
        resize(driver, 1400)
        driver.get(page.as_uri())
        wait_for(driver, ALL_MATH_IS_SET)
        faults += [(name, "no text for", url) for url in driver.execute_script(IMAGES_WITHOUT_TEXT)]
        faults += [(name, "broken image", url) for url in driver.execute_script(BROKEN_IMAGES)]
        resize(driver, PHONE)
        if (width := driver.execute_script(WIDTH)) > PHONE:
            faults.append((name, "wider than a phone", str(width)))
        faults += [(name, "console", message) for message in complaints_of(driver)]
        faults += [(name, "asked for", url) for url in requests_of(driver)]
    assert not faults, "\n".join(map(" ".join, faults))


@needs_browser
@pytest.mark.browser
def test_math_is_drawn_by_the_books_own_mathjax(book: Path, driver: webdriver.Chrome) -> None:
    driver.get((book / "notation.html").as_uri())
    wait_for(driver, ALL_MATH_IS_SET)
    assert driver.execute_script("return document.querySelectorAll('mjx-container').length") > 30


@needs_browser
@pytest.mark.browser
def test_search_finds_a_word_from_disk(book: Path, driver: webdriver.Chrome) -> None:
    driver.get((book / "search.html").as_uri() + "?q=unrolling")
    found = wait_for(driver, "return [...document.querySelectorAll('#search-results li a')].map(a => a.href)")
    assert any("glossary.html" in url for url in found)


# The color of each element's text, and of the nearest ground under it that is not transparent.
COLORS_ON = """
    return [...document.querySelectorAll(arguments[0])].map((element) => {
        let ground = element;
        while (/, 0\\)$|transparent/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
        return [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
    });
"""


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_the_page_and_figures_from_the_dark(
    book: Path, driver: webdriver.Chrome, theme: str
) -> None:
    prefer(driver, theme)
    chapter = next(chapters_of(book))
    driver.get(chapter.as_uri())
    wait_for(driver, f"return document.documentElement.dataset.theme === '{theme}'")
    assert driver.execute_script("return document.querySelector('table.claims small') !== null")
    for text, page in driver.execute_script(COLORS_ON, "article p, table.claims td, table.claims small"):
        light, dark = sorted((luminance(text), luminance(page)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 4.5, f"{text} on {page}"  # WCAG 2, level AA
    behind = driver.execute_script("return getComputedStyle(document.querySelector('article img')).backgroundColor")
    assert theme == "light" or luminance(behind) > 0.3  # axes and their labels are black


def luminance(color: str) -> float:
    """Relative luminance, by WCAG 2, of a color written as ``rgb(r, g, b)``."""
    channels = [int(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
