"""The pages on the package: every part of it has one place there, and the table of floors leads to it."""

import re

import book_api
import pytest


def fences() -> list[str]:
    return [
        name
        for page in sorted((book_api.BOOK / "api").glob("*.md"))
        for name in book_api.FENCE.findall(page.read_text(encoding="utf-8"))
    ]


def test_no_part_is_documented_twice() -> None:
    twice = {one for i, one in enumerate(fences()) if one in fences()[:i]}
    within = {one for one in fences() for other in fences() if one.startswith(f"{other}.")}
    assert twice | within == set()


def test_the_table_has_a_row_for_each_part_with_what_it_is() -> None:
    rows = book_api.floors().splitlines()[2:]
    assert {re.search(r"`(aelib\.\w+)`", row)[1] for row in rows} == set(fences())
    assert [row for row in rows if not re.fullmatch(r"\| \d \| \[`aelib\.\w+`\]\(\w+\.md\) \| \w.*\S \|", row)] == []


def test_a_part_without_a_page_is_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_api.tomllib, "loads", lambda _: {"tool": {"aelib": {"floors": [["nowhere"]]}}})
    with pytest.raises(ValueError, match=r"No page in book/api/ has the fence ```\{api\} aelib\.nowhere: add one"):
        book_api.floors()
