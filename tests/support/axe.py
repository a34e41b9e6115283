"""axe-core, Deque's accessibility checker: fetched once like a data set, verified, and asked about a page."""

import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from selenium import webdriver

from aelib.data.fetch.download import pypi_wheel
from aelib.data.fetch.sources import Arrays, Expected, Source, load

VERSION, WHEEL = "4.12.1", "axe-playwright-python==0.1.8"  # whose wheel carries it; nothing of Playwright is needed
SCRIPT = Expected((572_600,), "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc")
SECONDS = 600  # for a chapter on a busy machine
RUN = """
    const done = arguments[1];
    // A color on its way from one theme to the other has a contrast of its own.
    for (const moving of document.getAnimations()) {
        try { moving.finish(); } catch { moving.cancel(); }
    }
    axe.run(document, {resultTypes: ["violations"], ...arguments[0]}).then(found => done(found.violations.map(fault => [
        fault.id, fault.help, fault.nodes.map(node => node.target.join(' ') + ' :: ' + node.failureSummary)
    ])), error => done([['axe', String(error), []]]));
"""


def _from_wheel(folder: Path) -> Arrays:
    with zipfile.ZipFile(pypi_wheel(WHEEL, folder)) as wheel:
        return {"script": np.frombuffer(wheel.read("axe_playwright_python/axe.min.js"), np.uint8)}


@cache
def script() -> str:
    """The checker's source."""
    sources = [Source(f"the Python package index ({WHEEL})", _from_wheel, SCRIPT.shape[0])]
    arrays, _ = load(f"axe-core-{VERSION}", sources, {"script": SCRIPT}, ["axe.min.js"])
    return arrays["script"].tobytes().decode()


def violations(driver: webdriver.Chrome, **options: Any) -> list[str]:
    """What axe-core finds wrong with the page that is open, a line for each element; options are ``axe.run``'s."""
    driver.execute_script(script())
    driver.set_script_timeout(SECONDS)
    driver.command_executor.client_config.timeout = SECONDS
    found = driver.execute_async_script(RUN, options)
    return [f"{rule}: {place}" for rule, what, places in found for place in places or [what]]
