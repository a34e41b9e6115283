"""The repository's address: one choice, repeated where it has to work alone, and everywhere the same."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from set_address import FILES, ROOT, current_address, parts, set_address

ADDRESS = current_address()
OWNER, NAME = parts(ADDRESS)
NOTEBOOKS = sorted(path for ending in ("py", "ipynb") for path in (ROOT / "notebooks").glob(f"[0-9][0-9]_*.{ending}"))


def text_of(path: Path) -> str:
    """What a reader of the file sees: of a notebook, the cells' sources."""
    if path.suffix == ".ipynb":
        return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    return path.read_text(encoding="utf-8")


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_opens_itself_on_colab_and_installs_from_the_address(path: Path) -> None:
    text = text_of(path)
    colab = re.findall(r"https://colab\.research\.google\.com/github/[^\s)\"]+", text)
    expected = f"https://colab.research.google.com/github/{OWNER}/{NAME}/blob/main/notebooks/{path.stem}.ipynb"
    assert colab
    assert set(colab) == {expected}
    assert re.findall(r"address = \"(.+)\"", text) == [ADDRESS]


@pytest.mark.parametrize("path", ["README.md", "CITATION.cff", "book/index.md"])
def test_a_page_names_the_address(path: str) -> None:
    assert ADDRESS in text_of(ROOT / path)


def test_the_book_is_configured_for_it() -> None:
    config = yaml.safe_load(text_of(ROOT / "_config.yml"))
    assert config["repository"] == {"url": ADDRESS, "branch": "main", "path_to_book": ""}
    assert config["html"]["baseurl"] == f"https://{OWNER}.github.io/{NAME}/"


def test_the_command_changes_every_mention(tmp_path: Path) -> None:
    for path in (path for pattern in FILES for path in ROOT.glob(pattern)):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    changed = set_address("https://github.com/somebody/another.name", tmp_path)
    assert {path.name for path in changed} >= {"pyproject.toml", "_config.yml", "README.md", NOTEBOOKS[0].name}
    assert not [path for path in before if OWNER in path.read_text(encoding="utf-8")]
    assert current_address(tmp_path) == "https://github.com/somebody/another.name"
    set_address(ADDRESS, tmp_path)
    assert before == {path: path.read_bytes() for path in before}


def test_the_command_leaves_longer_names_alone(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{ADDRESS}"\n', encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(f"{ADDRESS}-fork {ADDRESS}.js {ADDRESS}.git {ADDRESS}.", encoding="utf-8")
    set_address("https://github.com/a/b", tmp_path)
    new = "https://github.com/a/b"
    assert page.read_text(encoding="utf-8") == f"{ADDRESS}-fork {ADDRESS}.js {new}.git {new}."


@pytest.mark.parametrize("address", ["https://example.org/a/b", "github.com/a/b", "https://github.com/a", "a b"])
def test_the_command_refuses_what_is_no_repository(address: str) -> None:
    with pytest.raises(ValueError, match=r"must read https://github\.com/OWNER/NAME"):
        set_address(address)
