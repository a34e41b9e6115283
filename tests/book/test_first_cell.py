"""A chapter's first cell: away from a checkout it fetches one, with the records; in a checkout it does nothing."""

import os
import runpy
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import jupytext
import pytest
import torch
from set_address import ROOT, current_address
from torch import nn

from aelib.records.runs import Run
from aelib.training import Call

CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))

# What follows the first cell in the reader's kernel: a run that can only be loaded.
PAGE = """
import torch
from torch import nn
import aelib
from aelib.records.runs import Run
from aelib.training import Call

def never():
    raise AssertionError("trained although there is a record")

torch.manual_seed(0)
net = nn.Linear(3, 2)
Run("98-tiny", {"net": net}, [Call(never)]).load()
print(aelib.__file__, net.weight.tolist(), sep="|")
"""

# Stands in for pip, which would download: notes what it was asked, and leaves what an editable install leaves.
PIP = """
import sys, pathlib
pathlib.Path(PLACE, "asked").open("a").write(" ".join(sys.argv[1:]) + chr(10))
checkout = sys.argv[-1].split("[")[0]
pathlib.Path(PLACE, "editable.pth").write_text(checkout)
"""


def first_cell(path: Path) -> str:
    return next(cell.source for cell in jupytext.read(path, fmt="py:percent").cells if cell.cell_type == "code")


def never() -> None:
    raise AssertionError


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A reader", "-c", "user.email=reader@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits that holds the package and the record of one run."""
    folder = tmp_path / "served"
    shutil.copytree(ROOT / "aelib", folder / "aelib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "The package")
    monkeypatch.setenv("AELIB_PROFILE", "full")
    torch.manual_seed(0)
    run = Run("98-tiny", {"net": nn.Linear(3, 2)}, [Call(never)])
    _ = run.recipe  # of a step that is never taken; in its place:
    run.steps = [Call(torch.nn.init.constant_, run.modules["net"].weight, 0.5)]
    run.record(folder / "results" / "runs")
    git(folder, "add", "results/runs/98-tiny.safetensors")
    git(folder, "commit", "-q", "-m", "A record")
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An interpreter that has all packages but this one."""
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=os.name != "nt")
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
    (packages / "pip").mkdir()
    (packages / "pip" / "__init__.py").touch()
    (packages / "pip" / "__main__.py").write_text(f"PLACE = {str(packages)!r}\n{PIP}")
    return packages


@pytest.mark.slow
def test_away_from_a_checkout_the_records_are_at_hand_and_nothing_is_trained(
    repository: Path, elsewhere: Path, tmp_path: Path
) -> None:
    script, desk = tmp_path / "page.py", tmp_path / "desk"
    script.write_text(first_cell(CHAPTERS[0]).replace(current_address(), repository.as_uri()) + PAGE, encoding="utf-8")
    desk.mkdir()
    settings = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "AELIB_PROFILE", "AELIB_RECORD")}
    python = elsewhere.parents[2] / "bin" / "python"
    for _ in ("the first kernel", "a kernel that was started again"):
        done = subprocess.run([python, script], cwd=desk, env=settings, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        file, weights = done.stdout.strip().split("|")
        assert Path(file).is_relative_to(desk / "autoencoders")
        assert weights == str([[0.5] * 3] * 2)
    assert (elsewhere / "asked").read_text() == f"install -q -e {desk / 'autoencoders'}[notebooks]\n", "asked once"
    log = subprocess.run(["git", "-C", desk / "autoencoders", "log", "--oneline"], capture_output=True, text=True)
    assert log.stdout.count("\n") == 1, "a shallow clone"


def test_all_chapters_have_the_same_first_cell_and_in_a_checkout_it_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = {first_cell(path) for path in CHAPTERS}
    assert len(cells) == 1
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: never())
    before = list(sys.path)
    script = tmp_path / "cell.py"
    script.write_text(cells.pop(), encoding="utf-8")
    runpy.run_path(str(script))
    assert sys.path == before
