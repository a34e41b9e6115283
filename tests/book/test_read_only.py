"""Every chapter runs from its first cell to its last, twice in one kernel, and writes nothing into the checkout."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import execute
import pytest
from launching import SUPPORT

from aelib.data.fetch.sources import cache_folder

TWICE = SUPPORT / "twice.py"
PARTS = (
    "aelib",
    "notebooks",
    "results",
    "book",
    "pyproject.toml",
    "requirements.txt",
    "constraints.txt",
    "_toc.yml",
    "_config.yml",
)
Files = dict[str, tuple[int, int]]
Run = Future[CompletedProcess[str]]


def files(folder: Path) -> Files:
    """Size and time of each file, but for what Python compiles where it may."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of this checkout that may not be written (root may all the same, so what is there is compared, too)."""
    copy = tmp_path_factory.mktemp("read-only") / "checkout"
    copy.mkdir()
    skipped = shutil.ignore_patterns("_build", "__pycache__", "*.ipynb", ".ipynb_checkpoints")
    for part in PARTS:
        if (execute.ROOT / part).is_dir():
            shutil.copytree(execute.ROOT / part, copy / part, symlinks=True, ignore=skipped)
        else:
            shutil.copy2(execute.ROOT / part, copy / part)
    folders = [copy, *(path for path in copy.rglob("*") if path.is_dir() and not path.is_symlink())]
    for path in (path for path in copy.rglob("*") if path.is_file()):
        path.chmod(0o444)
    for folder in folders:
        folder.chmod(0o555)
    yield copy
    for folder in folders:
        folder.chmod(0o755)


@pytest.fixture(scope="module")
def before(checkout: Path) -> Files:
    """What is in it before a chapter runs."""
    return files(checkout)


@pytest.fixture(scope="module")
def runs(checkout: Path, before: Files, request: pytest.FixtureRequest) -> Iterator[dict[str, Run]]:
    """The chapters that were asked for, two at a time, each on one thread."""
    environment = {"AELIB_DATA": str(cache_folder()), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(execute.__file__).parent), os.environ.get("PYTHONPATH", "")])

    def run(name: str) -> CompletedProcess[str]:
        command = [sys.executable, str(TWICE), str(checkout), name]
        return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=500)

    tests = [item for item in request.session.items if "runs" in getattr(item, "fixturenames", ())]
    with ThreadPoolExecutor(2) as pool:
        yield {test.callspec.params["name"]: pool.submit(run, test.callspec.params["name"]) for test in tests}


@pytest.mark.long
@pytest.mark.processes
@pytest.mark.parametrize("name", [path.name for path in sorted(execute.NOTEBOOKS.glob("[0-9][0-9]_*.py"))])
def test_a_chapter_runs_twice_in_one_kernel_out_of_a_read_only_checkout(
    name: str, checkout: Path, before: Files, runs: dict[str, Run]
) -> None:
    done = runs[name].result()
    assert done.returncode == 0, done.stderr[-3000:]
    assert files(checkout) == before
