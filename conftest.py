"""How the suite runs: notebooks at their smallest scale, one thread a worker, and what must not run side by side.

With pytest-xdist (two workers by default; ``-n0`` for none) a test goes to whichever worker is free. A notebook's
cells stay in order on one, and so does what opens the browser, and what starts several processes: these would fight.
"""

import os

import pytest

os.environ.setdefault("AELIB_PROFILE", "smoke")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is loaded, and for the kernels and processes that tests start: workers share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

NOT_QUICK = ("slow", "browser", "long", "notebook", "processes")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark notebooks, what must share a worker, and as ``quick`` all that is left."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.path.suffix == ".ipynb":
            item.add_marker("notebook")
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        if "torchrun" in fixtures:
            item.add_marker("processes")
        if item.get_closest_marker("processes"):
            item.add_marker(pytest.mark.xdist_group("processes"))
        if "book" in fixtures:  # built once, for its own tests and the browser's
            item.add_marker("slow")
        if "book" in fixtures or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))
        if not any(item.get_closest_marker(name) for name in NOT_QUICK):
            item.add_marker("quick")
