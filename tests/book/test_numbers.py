"""Figures and equations have their chapter's number, in captions and where the text refers to them."""

import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from book_numbers import number_by_chapter
from built import chapters_of, pages_of

CAPTION = re.compile(r'<figure[^>]* id="([^"]+)".*?caption-number">Figure ([^<]+?) *<', re.DOTALL)
EQUATION = re.compile(r'id="(equation-[^"]+)">\s*<span class="eqno">\(([^)<]+)')
REFERENCE = re.compile(r'<a class="reference internal" href="(?:[\w/.]*\.html)?#([^"]+)">(?:<span[^>]*>)?([^<]*)<')


def test_numbers_start_anew_in_each_chapter() -> None:
    numbers = {
        "notation": {"displaymath": {"a": (1,), "b": (2,)}},
        "notebooks/00_first": {"figure": {"x": (1,), "y": (2,)}, "displaymath": {"c": (3,)}},
        "notebooks/12_last": {"figure": {"z": (3,)}},
        "glossary": {"displaymath": {"d": (4,)}},
    }
    pages = number_by_chapter(None, SimpleNamespace(toc_fignumbers=numbers))
    assert pages == list(numbers)
    assert numbers == {
        "notation": {"displaymath": {"a": (1,), "b": (2,)}},
        "notebooks/00_first": {"figure": {"x": (0, 1), "y": (0, 2)}, "displaymath": {"c": (0, 1)}},
        "notebooks/12_last": {"figure": {"z": (12, 1)}},
        "glossary": {"displaymath": {"d": (3,)}},
    }


def test_a_page_counts_from_one_in_the_order_of_reading(book: Path) -> None:
    seen: Counter[str] = Counter()
    for page in chapters_of(book):
        text, chapter = page.read_text(encoding="utf-8"), int(page.stem.split("_")[0])
        for kind, pattern in (("figures", CAPTION), ("equations", EQUATION)):
            found = [number for _, number in pattern.findall(text)]
            assert found == [f"{chapter}.{i + 1}" for i in range(len(found))], page.name
            seen[kind] += len(found)
    assert min(seen["figures"], seen["equations"]) > 30, "the patterns find what they look for"


def test_references_have_the_number_of_what_they_lead_to(book: Path) -> None:
    texts = {page: page.read_text(encoding="utf-8") for page in pages_of(book)}
    named = {name: f"Figure {number}" for text in texts.values() for name, number in CAPTION.findall(text)}
    named |= {name: f"({number})" for text in texts.values() for name, number in EQUATION.findall(text)}
    found = [(name, said) for text in texts.values() for name, said in REFERENCE.findall(text) if name in named]
    assert len(found) > 20
    assert [(name, said) for name, said in found if said != named[name]] == []
