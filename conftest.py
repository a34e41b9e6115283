"""How the suite runs: notebooks at their smallest scale, one thread a worker, and what must not run side by side.

With pytest-xdist (two workers by default; ``-n0`` for none) each file goes to whichever worker is free, so that the
cells of a notebook stay in order. What opens the browser or starts several processes takes its turn: two would fight.
"""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from filelock import FileLock

os.environ.setdefault("AELIB_PROFILE", "smoke")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is loaded, and for the kernels and processes that tests start: workers share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

NOT_QUICK = ("slow", "browser", "long", "notebook", "processes")
HEAVY = ("browser", "processes")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark notebooks, what its fixtures make slow or heavy, and as ``quick`` all that is left."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.path.suffix == ".ipynb":
            item.add_marker("notebook")
        if "torchrun" in fixtures:
            item.add_marker("processes")
        if "book" in fixtures:
            item.add_marker("slow")
        if not any(item.get_closest_marker(name) for name in NOT_QUICK):
            item.add_marker("quick")


# Outside of pytest-timeout's own wrapper: to wait for a turn is not to hang.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """One heavy test at a time in all workers of a run. A process that dies lets go of the lock."""
    heavy = any(item.get_closest_marker(name) for name in HEAVY)
    own = item.config.getoption("basetemp")  # a worker's, beside those of the others
    with FileLock(Path(own).parent / "heavy.lock") if heavy and "PYTEST_XDIST_WORKER" in os.environ else nullcontext():
        return (yield)
