"""A chapter that was just started: everything about it passes before its author has written a word."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import execute
import pytest
from chapter_facts import facts
from new_chapter import ROOT, start

from aelib.data.fetch.sources import cache_folder

PARTS = ("aelib", "book/_ext", "notebooks", "scripts", "tests/models", "tests/support", "_toc.yml", "pyproject.toml")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a chapter touches, with the chapter 77_small_codes started in it."""
    root = tmp_path_factory.mktemp("tree")
    skipped = shutil.ignore_patterns("__pycache__", "*.ipynb")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, root / part, ignore=skipped)
        else:
            shutil.copy2(ROOT / part, root / part)
    start(77, "small_codes", root)
    return root


def run(root: Path, *command: str) -> None:
    """Run Python in the copy, whose package is then the one imported."""
    environment = os.environ | {"PYTHONPATH": str(root), "AELIB_PROFILE": "smoke", "AELIB_DATA": str(cache_folder())}
    done = subprocess.run(
        [sys.executable, *command], cwd=root, capture_output=True, text=True, env=environment | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_its_lines_are_where_the_book_looks_for_them(tree: Path) -> None:
    toc = (tree / "_toc.yml").read_text(encoding="utf-8").splitlines()
    listed = [line for line in toc if "notebooks/" in line]
    before = (ROOT / "_toc.yml").read_text(encoding="utf-8").splitlines()
    assert listed[:-1] == [line for line in before if "notebooks/" in line]
    assert listed[-1].strip() == "- file: notebooks/77_small_codes"
    told = facts(tree / "notebooks" / "77_small_codes.py")
    (row,) = told.summary
    assert f'"{row.label}": ' in (tree / "aelib" / "plots" / "style.py").read_text(encoding="utf-8")
    assert '"77 small_codes": Training(' in (tree / "tests" / "support" / "zoo.py").read_text(encoding="utf-8")


def test_its_cells_are_those_of_a_chapter(tree: Path) -> None:
    cells = execute.read_source(tree / "notebooks" / "77_small_codes.py").cells
    assert max(len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code") <= 30
    text = "\n".join(cell.source for cell in cells)
    for section in (
        "The idea",
        "The data",
        "Training",
        "What breaks it",
        "Explore",
        "Summary",
        "Exercises",
        "References",
    ):
        assert f"## {section}" in text
    assert "@" not in text


@pytest.mark.slow
def test_it_is_linted_formatted_and_tested(tree: Path) -> None:
    run(tree, "-m", "ruff", "check", "--no-cache", ".")
    run(tree, "-m", "ruff", "format", "--no-cache", "--check", ".")
    run(tree, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "tests/models/test_small_codes.py")


@pytest.mark.slow
def test_it_runs_from_its_first_cell_to_its_last(tree: Path) -> None:
    run(tree, "notebooks/77_small_codes.py")


@pytest.mark.parametrize(
    ("number", "name", "sentence"),
    [
        (77, "other", r"notebooks/77_small_codes\.py is there already"),
        (78, "vae", r"aelib/models/vae\.py is there already"),
        (78, "Small Codes", r"a name such as wasserstein_mmd; got 78 'Small Codes'"),
        (100, "other", "a number up to 99"),
    ],
)
def test_what_is_taken_is_refused_and_nothing_is_written(tree: Path, number: int, name: str, sentence: str) -> None:
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    with pytest.raises(ValueError, match=sentence):
        start(number, name, tree)
    after = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert after == before
