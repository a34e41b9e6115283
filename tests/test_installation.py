"""What is installed: the lock covers what is asked for, what is imported is declared, what is optional says so."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [name.rsplit(" ", 1)[-1] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)]
EXTRAS = PROJECT["optional-dependencies"]
PLATFORMS = {
    "Linux": {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux", "platform_machine": "x86_64"},
    "macOS": {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin", "platform_machine": "arm64"},
    "Windows": {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows", "platform_machine": "AMD64"},
}


def lines(name: str) -> list[str]:
    """The lines of a requirements file without comments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()) if line]


LOCK = [Requirement(line) for line in lines("constraints.txt")]


def of_extra(name: str) -> list[Requirement]:
    """What an extra asks for, and the extras of this package that it is made of."""
    found = []
    for requirement in map(Requirement, EXTRAS[name]):
        found += [one for extra in requirement.extras for one in of_extra(extra)] or [requirement]
    return found


CORE = [Requirement(line) for line in PROJECT["dependencies"]]
TOOLS = [Requirement(line) for line in lines("requirements.txt") if not line.startswith("-")]
ASKED = [*CORE, *of_extra("all"), *TOOLS]


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(one.name) for one in requirements}


def environment(python: str, platform: str) -> dict[str, str]:
    return {"python_version": python, "python_full_version": f"{python}.9", **PLATFORMS[platform]}


def locked(where: dict[str, str] | None = None) -> dict[str, list[str]]:
    """The versions of each package in the lock, of those lines that count in an environment; in this one by default."""
    found: dict[str, list[str]] = {}
    for pin in LOCK:
        if pin.marker is None or pin.marker.evaluate(where or {}):
            found.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier).removeprefix("=="))
    return found


def test_requirements_read_the_lock_and_the_checkout_with_every_extra():
    assert [line for line in lines("requirements.txt") if line.startswith("-")] == ["-c constraints.txt", "-e .[all]"]
    assert names(of_extra("all")) == names([one for name in EXTRAS for one in of_extra(name)])


def test_the_lock_has_exact_versions_and_names_no_host():
    assert len(LOCK) > 200
    assert [str(pin) for pin in LOCK if not re.fullmatch(r"==[\w.]+", str(pin.specifier)) or pin.url] == []


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_has_one_version_that_fits_of_all_that_is_asked_for(python: str, platform: str):
    pins = locked(environment(python, platform))
    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}
    unfit = [str(one) for one in ASKED if not one.specifier.contains(pins.get(canonicalize_name(one.name), ["0"])[0])]
    assert unfit == [], "run .ci/lock"
    of_linux = [name for name in pins if name.startswith(("nvidia-", "cuda-")) or name == "triton"]
    assert bool(of_linux) == (platform == "Linux")


def test_the_lock_holds_all_that_is_brought_along():
    """In the environment that it describes: each package that is reached from what is asked for has a line."""
    pins, seen = locked(), {}
    waiting = [(canonicalize_name(one.name), frozenset(one.extras)) for one in ASKED]
    while waiting:
        name, extras = waiting.pop()
        if extras <= seen.get(name, frozenset()) and name in seen:
            continue
        seen[name] = seen.get(name, frozenset()) | extras
        for one in map(Requirement, importlib.metadata.requires(name) or []):
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                waiting.append((canonicalize_name(one.name), frozenset(one.extras)))
    versions = {name: importlib.metadata.version(name).partition("+")[0] for name in seen}
    if any(versions[name] != pins[name][0] for name in names(CORE)):
        pytest.skip("other versions than the lock's are installed here")
    assert {name: version for name, version in versions.items() if pins.get(name) != [version]} == {}, "run .ci/lock"


@cache
def distributions() -> dict[str, list[str]]:
    """Which packages bring an importable module."""
    return {k: [canonicalize_name(one) for one in v] for k, v in importlib.metadata.packages_distributions().items()}


def imported(path: Path) -> set[str]:
    """The modules outside the standard library that a file imports, by their first name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
    return {name.split(".")[0] for name in found} - set(sys.stdlib_module_names)


def undeclared(folder: str, declared: list[Requirement]) -> Iterator[str]:
    files = [path for path in sorted((ROOT / folder).rglob("*.py")) if path.name != "pythae_worker.py"]
    own = {
        path.stem for each in ("scripts", "benchmarks", "tests", "book/_ext") for path in (ROOT / each).rglob("*.py")
    }
    for path in files:
        for module in imported(path) - own - {"aelib"}:
            if not names(declared) & set(distributions().get(module, [])):
                yield f"{path.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize(
    ("folder", "declared"),
    [
        ("aelib", [*CORE, *of_extra("all")]),
        ("notebooks", [*CORE, *of_extra("notebooks")]),
        *[(folder, ASKED) for folder in ("scripts", "benchmarks", "book/_ext", "tests")],
    ],
)
def test_what_is_imported_is_declared(folder: str, declared: list[Requirement]):
    assert list(undeclared(folder, declared)) == []


def without(blocked: set[str], code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter that does not find some packages, as if they were not installed."""
    block = f"""
import importlib.machinery, sys
class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {blocked!r} else super().find_spec(name, path, target)
sys.meta_path = [Finder if one is importlib.machinery.PathFinder else one for one in sys.meta_path]
"""
    command = [sys.executable, "-c", block + code]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})


def modules_of(requirements: set[str]) -> set[str]:
    return {module for module, found in distributions().items() if requirements & set(found)}


OPTIONAL = modules_of(names(of_extra("all")) - names(CORE)) - {"torch"}
NEEDS_NOTHING_ELSE = (
    "models",
    "training",
    "data",
    "metrics",
    "comparison",
    "records",
    "sharing",
    "nets",
    "likelihoods",
    "priors",
)


@pytest.mark.slow
def test_models_training_data_metrics_and_sharing_need_no_optional_package():
    code = f"""
import importlib, pkgutil, aelib
for name in {NEEDS_NOTHING_ELSE}:
    module = importlib.import_module("aelib." + name)
    for info in pkgutil.walk_packages(getattr(module, "__path__", []), module.__name__ + "."):
        importlib.import_module(info.name)
import torch
from aelib.data import ImageSet
from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.training import Phase, fit
images = ImageSet((255 * torch.rand(20, 1, 4, 4)).byte(), torch.arange(20) % 10)
history = fit({{"ae": Autoencoder((16, 2), shape=(1, 4, 4))}}, Phase(SquaredError()), images, epochs=1, batch_size=10)
print(len(history))
"""
    assert {"matplotlib", "sklearn", "skimage", "torchvision", "anywidget", "IPython", "scipy"} <= OPTIONAL
    run = without(OPTIONAL, code)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "missing", "code"),
    [
        ("plots", "matplotlib", "import aelib.plots"),
        ("plots", "PIL", "import aelib.plots"),
        ("metrics", "sklearn", "import torch; from aelib.metrics import knn; knn(*4 * [torch.ones(9, 2)])"),
        ("metrics", "sklearn", "from aelib.metrics import clustering; clustering(None, None)"),
        ("metrics", "sklearn", "from aelib.metrics import dci; dci(*4 * [None])"),
        ("metrics", "skimage", "import torch; from aelib.metrics import ssim; ssim(*2 * [torch.ones(2, 1, 9, 9)])"),
        ("metrics", "sklearn", "import torch; from aelib.models.pca import pca; pca(torch.rand(9, 1, 2, 2), 1)"),
        ("estimators", "sklearn", "import aelib.estimators"),
        ("explorer", "matplotlib", "import aelib.explorer"),
        (
            "explorer",
            "anywidget",
            "from aelib.explorer import Explorer; Explorer('plane', {}, '', b'', (0.0,)).widget()",
        ),
        ("data", "skimage", "from aelib.data import photographs; photographs()"),
        ("data", "PIL", "from aelib.data.decoding import decode; decode('a.png', (8, 8), 1)"),
        ("data", "torchvision", "from aelib.data import celeba; celeba()"),
        ("onnx", "onnxruntime", "from aelib.sharing.to_onnx import to_onnx; to_onnx(None, None, '')"),
    ],
)
def test_a_missing_optional_package_is_named_with_its_extra(extra: str, missing: str, code: str):
    assert extra in EXTRAS
    said = without({missing}, code).stderr.strip().splitlines()[-1]
    assert said == f'ModuleNotFoundError: The package {missing!r} is not installed: pip install "aelib[{extra}]".'


def test_the_same_pythons_are_named_everywhere():
    oldest, newest = PYTHONS[0], PYTHONS[-1]
    assert PROJECT["requires-python"] == f">={oldest}"
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert f"(3, {oldest[2:]}) <= sys.version_info < (3, {int(newest[2:]) + 1})" in run
    assert " ".join(f"python{one}" for one in reversed(PYTHONS)) in run
    assert str(PYTHONS).replace("'", '"') in (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    for page in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        assert f"{oldest} to {newest}" in (ROOT / page).read_text(encoding="utf-8"), page


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "aelib" / "py.typed").read_bytes() == b""
    assert "Typing :: Typed" in PROJECT["classifiers"]
