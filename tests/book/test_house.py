"""The house rules: imports run downwards, modules stay small, nothing unsafe is called, every module is documented."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import aelib
from aelib.records import provenance

PACKAGE = Path(aelib.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
BELOW = {"data", "explorer", "nets", "likelihoods", "optimizers", "plots", "profiles", "provenance"}
TRAINING = {"compiling", "phases", "precision", "processes", "state", "steps", "tracking", "training"}
RESULTS = {"claims", "runs", "model_card", "sharing", "export", "protocol"}
ABOVE = {"models", "metrics"} | TRAINING | RESULTS


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts of aelib that a module imports: ``from aelib.models.pca import pca`` imports ``models``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aelib"):
            names = node.module.split(".")[1:2] or [alias.name for alias in node.names]
            found |= set(names)
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("aelib.")}
    return found - {part(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downwards(path):
    assert part(path) in BELOW | ABOVE | {"__init__"}, "a new part: say here on which side of the line it stands"
    if part(path) in BELOW:
        assert not imported(path) & ABOVE
    if part(path) == "models":
        assert imported(path) <= BELOW - {"profiles"}
    if part(path) in TRAINING:
        assert imported(path) <= (BELOW - {"profiles"}) | TRAINING


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_are_small_documented_and_safe(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module says what it is for"
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not called & {"eval", "exec", "torch.load", "torch.save", "pickle.load", "pickle.loads", "os.system"}


def test_the_hardware_is_described_without_names_or_paths():
    said = provenance.hardware()
    assert re.search(r"CPU core|GB", said)
    assert "/" not in said
    assert os.uname().nodename not in said.split()


def test_a_package_without_a_checkout_records_into_the_current_folder(tmp_path):
    """As after pip install from the repository's address, on Colab."""
    copied = tmp_path / "lib" / "aelib"
    copied.mkdir(parents=True)
    for name in ("__init__.py", "provenance.py"):
        (copied / name).write_text((PACKAGE / name).read_text(encoding="utf-8"), encoding="utf-8")
    code = "from aelib.records.provenance import RESULTS, commit; print(RESULTS, commit(), sep=chr(10))"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "lib")}
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    folder, commit = run.stdout.split("\n")[:2]
    assert Path(folder).resolve() == (tmp_path / "results").resolve()
    assert commit == ""
