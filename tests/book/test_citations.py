"""Works are cited by author and year, in the same words in the text and in the lists."""

import re
from html import unescape
from pathlib import Path

import pytest
from book_citations import AuthorYearLabels
from built import chapters_of
from pybtex.database import parse_file, parse_string
from set_address import ROOT

BIB = r"""
@misc{one, author = {Hinton, Geoffrey E.}, year = {2002}}
@misc{two, author = {Kingma, Diederik P. and Welling, Max}, year = {2014}}
@misc{many, author = {van den Oord, A{\"a}ron and Vinyals, Oriol and Kavukcuoglu, Koray}, year = {2017}}
@misc{umlaut, author = {Kynk{\"a}{\"a}nniemi, Tuomas}, year = {2019}}
@misc{undated, author = {Vakacharla, Nimeesha}}
@misc{again, author = {Hinton, G.}, year = {2002}}
"""


def labels(text: str) -> list[str]:
    return list(AuthorYearLabels().format_labels(list(parse_string(text, "bibtex").entries.values())))


def test_every_work_of_the_bibliography_has_an_author_and_a_title() -> None:
    works = parse_file(str(ROOT / "book" / "references.bib")).entries
    assert len(works) > 50
    for key, work in works.items():
        assert work.persons.get("author") or work.persons.get("editor") or "organization" in work.fields, key
        assert "title" in work.fields, key


def test_labels_are_names_and_year() -> None:
    assert labels(BIB) == [
        "Hinton, 2002a",
        "Kingma and Welling, 2014",
        "van den Oord et al., 2017",
        "Kynkäänniemi, 2019",
        "Vakacharla, n.d.",
        "Hinton, 2002b",
    ]


def test_a_work_without_an_author_is_named() -> None:
    with pytest.raises(ValueError, match=r"'nobody' in references\.bib needs an author to be cited by: add one"):
        labels("@misc{nobody, year = {2002}}")


ENTRY = re.compile(
    r'<div class="citation" id="([^"]+)"[^>]*>\s*<span class="label">(.*?)<(?:p|span class="backrefs")>', re.DOTALL
)
CITED = re.compile(r'<a class="reference internal" href="#(id\d+)"[^>]*>(?:<span>)?([^<]*)')


def plain(text: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", text)).strip("[] \n")


def test_the_text_says_what_the_list_says(book: Path) -> None:
    cited = 0
    for page in chapters_of(book):
        text = page.read_text(encoding="utf-8")
        listed = {name: plain(label) for name, label in ENTRY.findall(text)}
        for name, said in CITED.findall(text):
            assert plain(said) == listed[name], page.name
            cited += 1
        assert all(re.fullmatch(r"\D+, (\d{4}[a-z]?|n\.d\.)", label) for label in listed.values())
    assert cited > 60
