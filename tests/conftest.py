"""What the tests share: small image sets that need no download, and a browser."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import browser
import pytest
import tiny_mnist
import torch
from safetensors.torch import load_file
from selenium import webdriver
from torch import Tensor

from aelib.data import ImageSet


def blobs(n: int = 200, size: int = 28, seed: int = 0) -> ImageSet:
    """Gray blobs, each at one of ten places that is its label: an autoencoder learns them in seconds."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 10
    angle = y * (2 * torch.pi / 10) + 0.1 * torch.randn(n, generator=generator)
    centers = size / 2 + size / 3.5 * torch.stack([angle.sin(), angle.cos()], 1)
    grid = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij"))
    distance = (grid[None] - centers[:, :, None, None]).square().sum(1)
    return ImageSet((255 * torch.exp(-distance / (size / 6) ** 2)).to(torch.uint8)[:, None], y)


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


def launch(script: Path, processes: int, *arguments: object, succeeds: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a script on a number of processes of this machine, as ``torchrun`` does."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    settings = os.environ | {"OMP_NUM_THREADS": "1"}  # as torchrun sets it, but for its warning
    command += [str(script), *map(str, arguments)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=240)
    assert not succeeds or done.returncode == 0, done.stderr[-3000:]
    return done


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
