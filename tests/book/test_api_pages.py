"""The pages on the package: every part of it has one place there, and the table of floors leads to it."""

import re
from pathlib import Path
from types import SimpleNamespace

import book_api
import pytest
from built import pages_of


def test_no_part_is_documented_twice() -> None:
    twice = {one for i, one in enumerate(book_api.fences()) if one in book_api.fences()[:i]}
    within = {one for one in book_api.fences() for other in book_api.fences() if one.startswith(f"{other}.")}
    assert twice | within == set()


def test_the_table_has_a_row_for_each_part_with_what_it_is() -> None:
    rows = book_api.floors().splitlines()[2:]
    assert {re.search(r"`(aelib\.\w+)`", row)[1] for row in rows} == set(book_api.fences())
    assert [row for row in rows if not re.fullmatch(r"\| \d \| \[`aelib\.\w+`\]\(\w+\.md\) \| \w.*\S \|", row)] == []


def test_a_part_without_a_page_is_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_api.tomllib, "loads", lambda _: {"tool": {"aelib": {"floors": [["nowhere"]]}}})
    with pytest.raises(ValueError, match=r"No page in book/api/ has the fence ```\{api\} aelib\.nowhere: add one"):
        book_api.floors()


def test_a_module_has_a_page_and_its_package_leads_to_it() -> None:
    text = book_api.documentation("aelib.models")
    for name in book_api.inner("aelib.models"):
        assert text.count(f"[`{name}`](/api/modules/{name}.md)\n: {book_api.summary(name)}\n") == 1
    assert "`VAE`" in text
    assert ":members:" in book_api.documentation("aelib.models.vae")


def test_pages_are_written_once_and_go_with_their_modules(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    app = SimpleNamespace(srcdir=tmp_path)
    book_api.write_pages(app, None)
    folder = tmp_path / book_api.PAGES
    vae, gone = folder / "aelib.models.vae.md", folder / "aelib.models.gone.md"
    assert vae.read_text(encoding="utf-8") == "# aelib.models.vae\n\n```{api} aelib.models.vae\n```\n"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    gone.write_text("# aelib.models.gone\n", encoding="utf-8")
    book_api.write_pages(app, None)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_no_page_repeats_pytorch(book: Path) -> None:
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages_of(book) if "_modules" not in page.parts}
    assert [name for name, text in texts.items() if "Should be overridden by all subclasses" in text] == []
    assert [name for name, text in texts.items() if "Define the computation performed at every call" in text] == []
    assert "aelib.models.vae.VAE.forward" in texts["aelib.models.vae.html"], "its signature is there"


def test_no_sentence_is_taken_for_a_type(book: Path) -> None:
    """Of a property, what stands before a colon on the first line is its type, by the dialect of the docstrings."""
    pages = {page.name: page.read_text(encoding="utf-8") for page in (book / "api").rglob("*.html")}
    assert [name for name, text in pages.items() if re.search(r"<dt[^>]*>Type<", text)] == []


def test_a_page_documents_one_module(book: Path) -> None:
    found = {
        page.stem: re.findall(r'id="module-([^"]+)"', page.read_text(encoding="utf-8"))
        for page in (book / book_api.PAGES).glob("*.html")
    }
    assert len(found) > 60
    assert found == {name: [name] for name in found}
