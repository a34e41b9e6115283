"""The house: imports run downwards and in no circle, wings know only what they must, every module is documented."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import aelib
from aelib.records import provenance

PACKAGE = Path(aelib.__file__).parent
PLAN = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["aelib"]
LEVEL = {wing: -floor for floor, wings in enumerate(PLAN["floors"]) for wing in wings}


def named(path: Path, root: Path = PACKAGE) -> str:
    """The module's name below ``aelib``: ``models.pca``; of a package its folder's; of ``aelib`` itself nothing."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix("__init__").strip(".")


MODULES = {named(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def source(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def home(module: str, name: str) -> str:
    """Where a name that is imported from a module is made: packages hand on what their modules define."""
    inner = f"{module}.{name}".strip(".")
    if inner in MODULES:
        return inner
    handed_on = ast.walk(source(module)) if MODULES[module].name == "__init__.py" else ()
    for node in handed_on:
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            return home((node.module or "").removeprefix("aelib").strip("."), name)
    return module


def imported(tree: ast.Module) -> set[str]:
    """The modules whose definitions a source uses, also those that it imports inside of a function or for types."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            if (node.module or "").split(".")[0] == "aelib":
                found |= {home(node.module.removeprefix("aelib").strip("."), alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "aelib"]
            found |= {name.removeprefix("aelib").strip(".") for name in names}
    return found


def inside(module: str, part: str) -> bool:
    """Whether a module is a part of the house, or in it: ``data.images`` is in ``data``."""
    return f"{module}.".startswith(f"{part}.")


def wrong(module: str, uses: set[str]) -> list[str]:
    """What is wrong with a module's imports."""
    wing = module.split(".")[0]
    found = [
        f"{module} imports {other}, which stands above it"
        for other in sorted(uses - {""})
        if LEVEL[other.split(".")[0]] > LEVEL[wing]
    ]
    for one, others in PLAN["strangers"].items():
        for other in others:
            found += [
                f"{one} must not know {used}" for used in sorted(uses) if inside(module, one) and inside(used, other)
            ]
    return found


USES = {module: imported(source(module)) for module in MODULES}
each_module = pytest.mark.parametrize("module", [module for module in MODULES if module])


def test_every_wing_has_one_floor_and_every_floor_stands():
    wings = [wing for floor in PLAN["floors"] for wing in floor]
    assert len(wings) == len(set(wings))
    assert set(wings) == {module.split(".")[0] for module in MODULES if module}, "pyproject.toml, [tool.aelib] floors"
    for one, others in PLAN["strangers"].items():
        assert {one, *others} <= set(MODULES), "a stranger that does not exist is no rule"


@each_module
def test_imports_run_downwards(module):
    assert wrong(module, USES[module]) == []


def test_no_import_runs_in_a_circle():
    # Packages hand on what their modules define: names are looked up where they are made.
    graph = {module: uses - {module} for module, uses in USES.items() if MODULES[module].name != "__init__.py"}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize(
    ("module", "code", "fault"),
    [
        (
            "training.loop",
            "from aelib.models.vae import VAE",
            "training.loop imports models.vae, which stands above it",
        ),
        ("nets", "def f():\n    from aelib.training import fit", "nets imports training.loop, which stands above it"),
        ("models.vae", "import aelib.comparison", "models.vae imports comparison, which stands above it"),
        ("metrics.codebook", "from aelib.models.vqvae import VQVAE", "metrics must not know models.vqvae"),
        ("models.vae", "from aelib.training import fit", "models must not know training.loop"),
        ("training.loop", "from aelib.data import mnist", "training must not know data.images"),
        ("training.state", "from aelib.records import profiles", "training must not know records.profiles"),
    ],
)
def test_the_search_finds_what_it_looks_for(module, code, fault):
    assert fault in wrong(module, imported(ast.parse(code)))


@each_module
def test_modules_are_documented(module):
    assert ast.get_docstring(source(module)), "a module says what it is for"


def test_the_hardware_is_described_without_names_or_paths():
    said = provenance.hardware()
    assert re.search(r"CPU core|GB", said)
    assert "/" not in said
    assert os.uname().nodename not in said.split()


@pytest.mark.slow
def test_a_package_without_a_checkout_records_into_the_current_folder(tmp_path):
    """As after pip install from the repository's address, on Colab."""
    shutil.copytree(PACKAGE, tmp_path / "lib" / "aelib", ignore=shutil.ignore_patterns("__pycache__"))
    code = "from aelib.records.provenance import RESULTS, commit; print(RESULTS, commit(), sep=chr(10))"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "lib")}
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    folder, commit = run.stdout.split("\n")[:2]
    assert Path(folder).resolve() == (tmp_path / "results").resolve()
    assert commit == ""


@each_module
def test_docstrings_speak_one_dialect(module):
    """Errors under ``Raises:``, code between double backticks, arguments in italics."""
    nodes = [n for n in ast.walk(source(module)) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
    texts = [re.sub(r":[\w:]+:`[^`]*`", "", ast.get_docstring(node) or "") for node in nodes]
    other = re.compile(r"^Raises \w+Error|(?<!`)`[^`\n]+`(?!`)", re.MULTILINE)
    assert [found[0] for text in texts if (found := other.search(text))] == []
