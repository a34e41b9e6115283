"""The book, built once for all tests of a run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from set_address import ROOT


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of built pages: the one that AELIB_BOOK names, or one that the first worker to ask for it builds."""
    if built := os.environ.get("AELIB_BOOK"):
        return Path(built).resolve()
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, pages = shared / "book", shared / "book" / "_build" / "html"
    with FileLock(shared / "book.lock"):
        if not (pages / "objects.inv").exists():  # written last
            program = Path(sys.executable).with_name("jupyter-book")
            command = [program, "build", "book/", "-W", "--keep-going", "--path-output", folder]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-3000:]
    return pages
