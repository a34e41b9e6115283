"""What the tests in a browser share: headless Chromium without a network, and what it was asked for."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
PHONE = 390  # CSS pixels
WIDTH = "return document.documentElement.scrollWidth;"
needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="no Chromium with chromedriver: apt-get install chromium-driver"
)


def chromium(profile: Path, reach: str = "") -> Iterator[webdriver.Chrome]:
    """Headless Chromium that can resolve no name but ``reach``, if given, and records what it asks for."""
    rules = "MAP * ~NOTFOUND" + (f", EXCLUDE {reach}" if reach else "")
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-component-update",
        "disable-background-networking",
        "disable-sync",
        "disable-dev-shm-usage",
        f"host-resolver-rules={rules}",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(DRIVER))
    chrome.set_page_load_timeout(60)
    yield chrome
    chrome.quit()


def resize(driver: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(driver: webdriver.Chrome, theme: str) -> None:
    """The reader's system is set to the ``light`` or the ``dark`` theme."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def wait_for(driver: webdriver.Chrome, script: str, *arguments: Any, seconds: float = 30) -> Any:
    """What the script returns, once it returns something true."""
    return WebDriverWait(driver, seconds, poll_frequency=0.05).until(
        lambda chrome: chrome.execute_script(script, *arguments)
    )


def requests_of(driver: webdriver.Chrome) -> list[str]:
    """The addresses outside of the disk asked for since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]


def complaints_of(driver: webdriver.Chrome) -> list[str]:
    """What the console was told since the last call, from warnings up."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]
