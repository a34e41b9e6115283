"""A reader's own pictures: a folder of files, in any depth, as tensors in memory; read once, then kept.

The second call with the same arguments reads one verified file from the cache, unless a picture was added, removed or
changed in between.
"""

import hashlib
import json
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from tqdm.auto import tqdm

from aelib.data.decoding import MODES, Fit, Unreadable, decode, is_picture
from aelib.data.fetch.sources import DataError, Expected, cache_folder, read_entry, write_entry
from aelib.data.pictures import Pictures, check_ground
from aelib.extras import extra

FORMAT = "folder 1"
LOCK_WAIT = 60.0  # seconds
SHOWN = 5  # unreadable files that an error names
LONGEST = 4096  # pixels of a side
KEPT = dict.fromkeys(("x", "told"), Expected((), ""))  # names of a cache entry's arrays; it knows their SHA-256 itself

Listing = list[list[Any]]  # a file's name below the folder, its bytes, and when it was changed, in ns


@dataclass(frozen=True)
class Reading:
    """How a folder's files become pictures: all that decides what comes out."""

    size: tuple[int, int]
    channels: int
    fit: Fit
    ground: int | tuple[int, ...]

    def __call__(self, path: Path) -> NDArray[np.uint8] | Exception:  # (C, H, W)
        try:
            return np.moveaxis(decode(path, self.size, self.channels, self.fit, self.ground), -1, 0)
        except (Unreadable, OSError) as error:
            return error


def folder(
    path: str | os.PathLike[str],
    size: int | tuple[int, int] = 64,
    channels: int = 3,
    *,
    fit: Fit = "crop",
    ground: int | Sequence[int] = 255,
    leave_out: bool = False,
    cache: bool = True,
) -> Pictures:
    """All PNG, JPEG, WebP, TIFF, BMP and GIF files in a folder and those below it, (N, channels, height, width).

    In the order of their names. The label of a picture is the first folder on the way to it, as in torchvision's
    ``ImageFolder``; pictures that lie in *path* itself are of the class ``"."``. Transparent parts show *ground*. A
    picture is turned as its EXIF orientation says; an animation gives its first frame; 16 bits a channel are rounded
    to 8; CMYK and palettes become colors. Hidden files are passed over.

    The pictures are held in memory, N x channels x height x width bytes, and kept in the cache folder. For more than
    memory holds, give ``fit`` a ``torch.utils.data.Dataset``.

    Args:
        path: of the folder.
        size: of all pictures, in pixels; a number for squares, else (height, width).
        channels: 1 for gray, 3 for color, 4 for color and opacity.
        fit: what is done with pictures of other proportions: ``"crop"`` cuts off what is too much on two sides,
            ``"pad"`` puts *ground* there, ``"stretch"`` distorts. Then they are resized by bicubic interpolation.
        ground: gray level, or (red, green, blue), from 0 to 255; white by default.
        leave_out: whether files that cannot be read are left out, with a warning that counts them, and listed in the
            result's ``left_out`` with the reasons. By default they are an error.
        cache: whether to keep the decoded pictures.

    Raises:
        DataError: there is no folder or no picture in it; or files cannot be read: empty ones, truncated or damaged
            ones, no pictures, pictures of more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``. The message names them.
        ValueError: a size, number of channels, fit or ground that cannot be.
    """
    root = Path(path).expanduser()
    reading = _reading(size, channels, fit, ground)
    listing = _listing(root)
    if not listing:
        raise DataError(_none_found(root))
    entry = _entry(root, reading)
    x, left_out = (_kept(entry, listing) if cache else None) or _read(root, listing, reading, entry if cache else None)
    if left_out and not leave_out:
        raise DataError(_unreadable(root, left_out, len(listing)))
    if not len(x):
        raise DataError(f"None of the {len(listing)} files in {root} can be read: {_some(left_out)}.")
    if left_out:
        warnings.warn(
            f"{len(left_out)} of {len(listing)} files in {root} cannot be read and were left out: {_some(left_out)}.",
            stacklevel=2,
        )
    names = [name for name, *_ in listing if name not in left_out]
    first = [name.split("/")[0] if "/" in name else "." for name in names]
    classes = sorted(set(first))
    numbers = {one: number for number, one in enumerate(classes)}
    y = torch.tensor([numbers[one] for one in first])
    return Pictures(torch.from_numpy(x), y, tuple(names), tuple(classes), left_out)


def _reading(size: int | tuple[int, int], channels: int, fit: Fit, ground: int | Sequence[int]) -> Reading:
    sides = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, int) and 1 <= side <= LONGEST for side in sides):
        raise ValueError(f"size is a number of pixels or (height, width), from 1 to {LONGEST}; it is {size}.")
    if channels not in MODES:
        raise ValueError(f"channels is 1 (gray), 3 (color) or 4 (color and opacity); it is {channels}.")
    if fit not in ("crop", "pad", "stretch"):
        raise ValueError(f"fit is 'crop', 'pad' or 'stretch'; it is {fit!r}.")
    check_ground(ground)
    return Reading((sides[0], sides[1]), channels, fit, ground if isinstance(ground, int) else tuple(ground))


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """The folders below *root*, linked ones too, each once, with the names of their files."""
    seen = set()
    for here, below, files in os.walk(root, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:  # a link that leads back
            below[:] = []
            continue
        seen.add((status.st_dev, status.st_ino))
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(here), files


def _listing(root: Path) -> Listing:
    if not root.is_dir():
        raise DataError(f"{root} is no folder: give the path of the folder that your pictures are in.")
    found: Listing = []
    for here, files in _walk(root):
        for name in filter(is_picture, files):
            path = here / name
            try:
                status = path.stat()
                told = [status.st_size, status.st_mtime_ns]
            except OSError:  # a link to nothing: its reading will say so
                told = [0, 0]
            found.append([path.relative_to(root).as_posix(), *told])
    return sorted(found)


def _entry(root: Path, reading: Reading) -> Path:
    """Where the pictures are kept: a name that depends on all that decides what they are, but for the files."""
    with extra("data"):
        import PIL
    told = json.dumps([FORMAT, str(root.resolve()), asdict(reading), PIL.__version__], sort_keys=True)
    return cache_folder() / "folders" / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.safetensors"


def _kept(entry: Path, listing: Listing) -> tuple[NDArray[np.uint8], dict[str, str]] | None:
    """What the cache has, if it is whole and made of these files."""
    try:
        arrays, _ = read_entry(entry, KEPT)
        told = json.loads(arrays["told"].tobytes())
    except (DataError, ValueError):
        return None
    return (arrays["x"], told["left out"]) if told["files"] == listing else None


def _read(
    root: Path, listing: Listing, reading: Reading, entry: Path | None
) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """Decode all files, on several cores, and keep what came out in *entry*."""
    x = np.empty((len(listing), reading.channels, *reading.size), np.uint8)
    done, left_out = 0, dict[str, str]()
    for_good = True  # whether the same would come out again: what the system refuses today it may give tomorrow
    # Threads suffice: Pillow lets others run while it decodes and resizes.
    with warnings.catch_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        warnings.filterwarnings("ignore", module="PIL")  # what matters becomes an error of that file
        found = pool.map(reading, [root / name for name, *_ in listing])
        bar = tqdm(found, desc=root.name, total=len(listing), unit="file", delay=1, leave=False)
        for (name, *_), one in zip(listing, bar, strict=True):
            if isinstance(one, Exception):
                for_good &= not isinstance(one, OSError)
                left_out[name] = (one.strerror or str(one)) if isinstance(one, OSError) else str(one)
            else:
                x[done] = one
                done += 1
    x = x[:done]
    if entry is not None and for_good and done and _listing(root) == listing:
        _keep(entry, x, listing, left_out)
    return x, left_out


def _keep(entry: Path, x: NDArray[np.uint8], listing: Listing, left_out: dict[str, str]) -> None:
    """Write the cache entry whole or not at all; where it cannot be written, the pictures are decoded again."""
    told = np.frombuffer(json.dumps({"files": listing, "left out": left_out}).encode(), np.uint8)
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with (
            FileLock(entry.with_suffix(".lock"), timeout=LOCK_WAIT),
            TemporaryDirectory(".tmp", f"{entry.stem}.", entry.parent, ignore_cleanup_errors=True) as scratch,
        ):
            write_entry(entry, {"x": x, "told": told}, "the reader's folder", Path(scratch), remember=True)
    except (OSError, Timeout) as error:
        warnings.warn(
            f"The pictures could not be kept in {entry.parent} ({getattr(error, 'strerror', None) or error}), and are "
            "decoded again the next time: set AELIB_DATA to a folder that you can write to.",
            stacklevel=4,
        )


def _unreadable(root: Path, left_out: dict[str, str], files: int) -> str:
    return (
        f"{len(left_out)} of {files} files in {root} cannot be read: {_some(left_out)}. "
        "Mend or remove them, or leave them out by leave_out=True."
    )


def _some(left_out: dict[str, str]) -> str:
    told = [f"{name} ({reason})" for name, reason in left_out.items()]
    more = [f"{len(told) - SHOWN} more"] if len(told) > SHOWN else []
    return ", ".join([*told[:SHOWN], *more])


def _none_found(root: Path) -> str:
    others = Counter(Path(name).suffix.lower() or "no ending" for _, files in _walk(root) for name in files)
    there = ", ".join(f"{count} of {suffix}" for suffix, count in others.most_common(3)) or "none at all"
    return (
        f"There is no PNG, JPEG, WebP, TIFF, BMP or GIF file in {root} or below; the files there: {there}. "
        "Give another folder, or convert the pictures to one of these formats."
    )
