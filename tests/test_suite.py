"""How the suite runs on two workers: a notebook's cells stay together, heavy tests take turns, the rest is quick."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[1]
HEAVY = """
import time
from pathlib import Path

import pytest


@pytest.mark.{mark}
@pytest.mark.parametrize("i", range(3))
def test_heavy(i):
    for what in ("begins", "ends"):
        with open("log", "a") as file:
            print(what, file=file)
        time.sleep(0.2)


def test_quick():
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A small suite under this one's settings."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    markers = "\n".join(f"    {marker}" for marker in settings["markers"])
    (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = {settings['addopts']}\nmarkers =\n{markers}\n")
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text(encoding="utf-8"))
    for mark in ("browser", "processes"):
        (tmp_path / f"test_{mark}.py").write_text(HEAVY.format(mark=mark))
    cells = [new_code_cell("state = 0"), *(new_code_cell(f"assert state == {i}; state += 1") for i in range(4))]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), tmp_path / "chapter.ipynb")
    return tmp_path


def run(suite: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    outer = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "OMP_"))}
    done = subprocess.run(command, cwd=suite, env=outer, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.mark.processes
def test_two_workers_keep_a_notebook_together_and_heavy_tests_apart(suite):
    assert "13 passed" in run(suite)
    assert (suite / "log").read_text().split() == ["begins", "ends"] * 6


@pytest.mark.processes
def test_quick_is_what_is_neither_slow_nor_heavy(suite):
    assert "2 passed, 11 deselected" in run(suite, "-m", "quick", "-n0")
