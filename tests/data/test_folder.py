"""A folder of a reader's own pictures: every format comes out right, every bad file is called by its name."""

import io
import os
import struct
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from faults import as_anybody
from PIL import Image, ImageCms
from test_data_faults import DAMAGES

from aelib.data import DataError, ImageSet, Pictures, folder
from aelib.data.decoding import FORMATS, SUFFIXES, decode

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def saved(picture: Image.Image, suffix: str, **options: object) -> bytes:
    """A picture as a file's content."""
    content = io.BytesIO()
    picture.save(content, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **options)
    return content.getvalue()


def colorful(size: int = 48) -> Image.Image:
    """A picture without a symmetry, which no compression makes small."""
    random = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    random[: size // 4, : size // 4] = (255, 0, 0)
    return Image.fromarray(random)


def one(tmp_path: Path, content: bytes, suffix: str, **options: object) -> torch.Tensor:
    """A file of this content, read at 8 x 8: (C, 8, 8)."""
    (tmp_path / "own").mkdir(exist_ok=True)
    (tmp_path / "own" / f"one.{suffix}").write_bytes(content)
    return folder(tmp_path / "own", 8, **options).x[0]  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _own_cache(cache: Path) -> None:
    """Nothing of this file is kept where a reader's data are."""


# What comes out


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("png", {}),
        ("webp", {"lossless": True}),
        ("tif", {}),
        ("tif", {"compression": "tiff_lzw"}),
        ("bmp", {}),
        ("gif", {}),
    ],
)
def test_formats_without_loss_give_the_very_bytes(tmp_path: Path, suffix: str, options: dict[str, object]) -> None:
    gray = Image.fromarray(RAMP)
    found = one(tmp_path, saved(gray.convert("RGB") if suffix == "webp" else gray, suffix, **options), suffix)
    assert torch.equal(found, torch.from_numpy(RAMP).expand(3, 8, 8))
    assert torch.equal(
        folder(tmp_path / "own", 8, channels=1).x[0, 0], torch.from_numpy(RAMP)
    )  # gray of gray is the same gray


def test_a_jpeg_is_close(tmp_path: Path) -> None:
    found = one(tmp_path, saved(Image.fromarray(RAMP), "jpg", quality=95), "jpeg")
    assert (found.int() - torch.from_numpy(RAMP).int()).abs().max() <= 6


def test_a_large_jpeg_comes_out_as_without_the_shortcut(tmp_path: Path) -> None:
    smooth = Image.fromarray(RAMP).resize((640, 480), Image.Resampling.BICUBIC)
    short = one(tmp_path, saved(smooth, "jpg", quality=95), "jpg", fit="stretch")
    whole = np.array(smooth.resize((8, 8), Image.Resampling.BICUBIC))
    assert (short[0].int() - torch.from_numpy(whole).int()).abs().max() <= 4


@pytest.mark.parametrize("alpha", [0, 128, 255])
@pytest.mark.parametrize("ground", [0, 255, (10, 20, 30)])
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_a_transparent_picture_shows_the_ground(tmp_path: Path, suffix: str, ground: object, alpha: int) -> None:
    color = (200, 100, 50)
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    found = one(tmp_path, saved(Image.new("RGBA", (8, 8), (*color, alpha)), suffix, **options), suffix, ground=ground)
    levels = (ground,) * 3 if isinstance(ground, int) else ground
    wanted = [round((alpha * c + (255 - alpha) * g) / 255) for c, g in zip(color, levels, strict=True)]
    assert found.flatten(1).unique(dim=1)[:, 0].tolist() == wanted


def test_the_other_ways_to_be_transparent(tmp_path: Path) -> None:
    """A palette's index, a palette's opacities, a color of RGB, a level of 16-bit gray; each is half a picture."""
    half = np.zeros((8, 8), np.uint8)
    half[:, 4:] = 1
    palette = Image.fromarray(half).convert("P")
    palette.putdata(half.flatten().tolist())
    palette.putpalette([9, 9, 9, 200, 0, 0])
    rgb = Image.fromarray(np.stack([9 + half * 191, 9 - half * 9, 9 - half * 9], -1))
    deep = Image.fromarray(np.where(half, 257 * 200, 257 * 9).astype(np.uint16))
    for content, suffix, left in [
        (saved(palette, "png", transparency=1), "png", 9),
        (saved(palette, "gif", transparency=1), "gif", 9),
        (saved(palette, "png", transparency=bytes([255, 0])), "png", 9),
        (saved(rgb, "png", transparency=(200, 0, 0)), "png", 9),
        (saved(deep, "png", transparency=257 * 200), "png", 9),
    ]:
        for file in (tmp_path / "own").glob("*"):
            file.unlink()
        found = one(tmp_path, content, suffix, ground=(1, 2, 3))
        assert found[:, :, :4].flatten(1).unique(dim=1)[:, 0].tolist() == [left] * 3
        assert found[:, :, 4:].flatten(1).unique(dim=1)[:, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_rounded(tmp_path: Path, suffix: str) -> None:
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    found = one(tmp_path, saved(Image.fromarray(levels), suffix), suffix, channels=1)
    assert found[0].tolist() == np.rint(levels / 257).astype(int).tolist()


def test_cmyk_becomes_colors(tmp_path: Path) -> None:
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for suffix in ("jpg", "tif"):
        found = one(tmp_path, saved(red, suffix), suffix)
        assert (found.flatten(1).float().mean(1) - torch.tensor([255.0, 0, 0])).abs().max() <= 3
        (tmp_path / "own" / f"one.{suffix}").unlink()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path, orientation: int, suffix: str) -> None:
    """The picture as it is to be seen is stored turned; EXIF 2.32, table 6, says by what it is undone."""
    seen = np.kron(RAMP[:2, :2] * 6 + 10, np.ones((4, 4), np.uint8))
    stored = {
        1: seen,
        2: seen[:, ::-1],
        3: seen[::-1, ::-1],
        4: seen[::-1],
        5: seen.T,
        6: seen[:, ::-1].T,
        7: seen[::-1, ::-1].T,
        8: seen.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    content = saved(Image.fromarray(np.ascontiguousarray(stored)), suffix, exif=exif)
    found = one(tmp_path, content, suffix, channels=1)[0]
    assert (found.int() - torch.from_numpy(seen).int()).abs().max() <= (6 if suffix == "jpg" else 0)


def test_a_broken_exif_block_turns_nothing(tmp_path: Path) -> None:
    content = saved(Image.fromarray(RAMP), "png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    assert torch.equal(one(tmp_path, content, "png")[0], torch.from_numpy(RAMP))


def test_the_first_frame_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "lime")]
    for suffix, options in (("gif", {}), ("webp", {"lossless": True}), ("tif", {}), ("png", {})):
        content = saved(frames[0], suffix, save_all=True, append_images=frames[1:], **options)
        assert one(tmp_path, content, suffix)[:, 0, 0].tolist() == [255, 0, 0]
        (tmp_path / "own" / f"one.{suffix}").unlink()


def test_a_color_profile_is_no_obstacle(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = one(tmp_path, saved(Image.fromarray(RAMP), "png", icc_profile=profile), "png")
    assert torch.equal(found[0], torch.from_numpy(RAMP))


def test_other_proportions_are_cropped_padded_or_stretched(tmp_path: Path) -> None:
    wide = np.zeros((8, 16), np.uint8)
    wide[:, 4:12] = 200
    content = saved(Image.fromarray(wide), "png")
    assert one(tmp_path, content, "png").unique().tolist() == [200]
    padded = one(tmp_path, content, "png", fit="pad", ground=(255, 0, 0))
    assert padded[:, 0].unique(dim=1)[:, 0].tolist() == [255, 0, 0] and padded[0, 4].max() >= 200
    stretched = one(tmp_path, content, "png", fit="stretch")
    assert stretched[0, :, 0].max() < 50 and stretched[0, :, 4].min() > 150
    assert folder(tmp_path / "own", (4, 9), fit="pad", ground=7, channels=4).x.shape == (1, 4, 4, 9)


def test_four_channels_keep_the_opacity(tmp_path: Path) -> None:
    found = one(tmp_path, saved(Image.new("RGBA", (8, 8), (200, 100, 50, 128)), "png"), "png", channels=4)
    assert found[:, 0, 0].tolist() == [200, 100, 50, 128]


# A folder with folders in it


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes, one of them nested, a picture of none, and what is no picture."""
    root = tmp_path / "pets"
    for number, name in enumerate(["cats/b.png", "cats/a.PNG", "dogs/small/x.jpg", "dogs/y.bmp", "zero.gif"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        suffix = name.lower().rpartition(".")[2]
        (root / name).write_bytes(saved(Image.new("L", (8, 8), 40 * number), suffix))
    (root / "notes.txt").write_text("not a picture")
    (root / ".hidden.png").write_bytes(b"no")
    (root / "cats" / "._a.PNG").write_bytes(b"what macOS leaves on other disks")
    (root / ".git").mkdir()
    (root / ".git" / "x.png").write_bytes(b"no")
    (root / "dogs" / "back").symlink_to(root)
    return root


def test_labels_are_the_first_folders(pets: Path) -> None:
    found = folder(pets, 8)
    assert found.names == ("cats/a.PNG", "cats/b.png", "dogs/small/x.jpg", "dogs/y.bmp", "zero.gif")
    assert found.classes == (".", "cats", "dogs")
    assert [found.classes[label] for label in found.y] == ["cats", "cats", "dogs", "dogs", "."]
    assert found.x[:, 0, 0, 0].tolist() == [40, 0, 80, 120, 160]
    assert repr(found) == "5 pictures (3, 8, 8) of 3 classes"
    assert isinstance(found, ImageSet) and found.batch().x.max() <= 1


def test_parts_keep_their_names(pets: Path) -> None:
    found = folder(pets, 8)
    assert found[[3, 0]].names == ("dogs/y.bmp", "cats/a.PNG")
    assert found[1:3].names == ("cats/b.png", "dogs/small/x.jpg") and found[[]].names == ()
    assert found.to("cpu").names == found.names
    assert found[torch.tensor([4])].y.tolist() == [0]


def test_a_split_keeps_groups_together() -> None:
    n = 100
    names = tuple(f"{i % 20}::{i}" for i in range(n))
    x = torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1)
    data = Pictures(x, torch.zeros(n, dtype=torch.int64), names, ("one",))
    groups = [name.partition("::")[0] for name in names]
    splits = data.split(0.25, groups=groups)
    sides = [{name.partition("::")[0] for name in side.names} for side in (splits.train, splits.test)]
    assert len(sides[1]) == 5 and not sides[0] & sides[1] and len(splits.train) + len(splits.test) == n
    assert not splits.official
    again = data.split(0.25, groups=groups)
    assert splits.test.names == again.test.names != data.split(0.25, seed=1, groups=groups).test.names
    assert len(data.split(0.1).test) == 10
    for wrong, of in ((1.0, None), (0.5, ["all"] * n), (0.5, ["few"])):
        with pytest.raises(ValueError, match=r"A split takes|groups has an entry"):
            data.split(wrong, groups=of)


def test_what_is_no_folder_of_pictures(tmp_path: Path, pets: Path) -> None:
    with pytest.raises(DataError, match="is no folder"):
        folder(pets / "zero.gif")
    (tmp_path / "phone").mkdir()
    for name in ("a.heic", "b.heic", "c.mov"):
        (tmp_path / "phone" / name).touch()
    with pytest.raises(DataError, match=r"the files there: 2 of \.heic, 1 of \.mov\. Give another folder, or convert"):
        folder(tmp_path / "phone")


@pytest.mark.parametrize(
    "options",
    [{"size": 0}, {"size": (8, 8, 3)}, {"size": 8.0}, {"channels": 2}, {"fit": "cover"}, {"ground": 256}],
)
def test_arguments_that_cannot_be(pets: Path, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"(?i){next(iter(options))}"):
        folder(pets, **options)  # type: ignore[arg-type]


# Fifty bad files


def png(width: int, height: int, pixels: bytes, *, cut: int | None = None) -> bytes:
    """A PNG file of gray pixels, whatever its header says of them."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    whole = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + whole[:cut]


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def fifty() -> dict[str, bytes | Callable[[Path], None]]:
    """Names and contents of fifty files that are no pictures, or that make themselves."""
    whole = {
        suffix: saved(colorful().convert("P") if suffix == "gif" else colorful(), suffix)
        for suffix in ("png", "jpg", "webp", "tif", "bmp", "gif")
    }
    bad: dict[str, bytes | Callable[[Path], None]] = {}
    for suffix, content in whole.items():
        bad[f"empty.{suffix}"] = b""
        bad[f"text.{suffix}"] = b"<html>404 Not Found</html>"
        bad[f"head_only.{suffix}"] = content[:12]
        bad[f"half.{suffix}"] = content[: len(content) // 2]
        bad[f"nearly.{suffix}"] = content[: -len(content) // 20]
        bad[f"zeros.{suffix}"] = bytes(len(content))
    bad |= {
        "bomb.png": png(30_000, 30_000, bytes(1000)),
        "no_width.png": png(0, 8, bytes(8)),
        "no_pixels.png": png(8, 8, bytes(72), cut=25),
        "wrong_checksum.png": flipped(whole["png"], 20),
        "broken_stream.png": flipped(whole["png"], 200),
        "bomb.gif": b"GIF89a" + struct.pack("<HH", 65535, 65535) + whole["gif"][10:],
        "bomb.bmp": whole["bmp"][:18] + struct.pack("<ii", 40_000, 40_000) + whole["bmp"][26:],
        "floats.tif": saved(Image.fromarray(np.ones((8, 8), np.float32)), "tif"),
        "ints.tif": saved(Image.fromarray(np.full((8, 8), 7, np.int32)), "tif"),
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n",
        "drawing.png": b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>',
        "archive.jpg": b"PK\x03\x04" + bytes(100),
        "link_to_nothing.png": lambda path: path.symlink_to("nowhere.png"),
        "pipe.png": os.mkfifo,
    }
    return bad


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """The fifty bad files, and a good one of each ending."""
    root = tmp_path / "mixed"
    (root / "bad").mkdir(parents=True)
    (root / "good").mkdir()
    for name, content in fifty().items():
        path = root / "bad" / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content(path)
    for suffix in ("png", "jpg", "webp", "tif", "bmp", "gif"):
        (root / "good" / f"good.{suffix}").write_bytes(saved(colorful(), suffix))
    return root


def test_fifty_bad_files_are_an_error_that_names_them(mixed: Path) -> None:
    with warnings.catch_warnings(), pytest.raises(DataError) as caught:
        warnings.simplefilter("error")
        folder(mixed, 8)
    message = str(caught.value)
    assert f"50 of 56 files in {mixed} cannot be read: bad/archive.jpg (it is damaged, or no PNG" in message
    assert "45 more. Mend or remove them, or leave them out by leave_out=True." in message


def test_fifty_bad_files_are_left_out_on_request(mixed: Path) -> None:
    with pytest.warns(UserWarning, match=r"50 of 56 files in .* cannot be read and were left out: bad/archive\.jpg"):
        found = folder(mixed, 8, leave_out=True)
    assert sorted(found.left_out) == sorted(f"bad/{name}" for name in fifty())
    assert found.names == tuple(f"good/good.{suffix}" for suffix in sorted(["png", "jpg", "webp", "tif", "bmp", "gif"]))
    assert repr(found).endswith("50 files left out")
    reasons = {name: found.left_out[f"bad/{name}"] for name in fifty()}
    assert {name for name, said in reasons.items() if "pixels: raise PIL.Image.MAX_IMAGE_PIXELS" in said} == {
        "bomb.png",
        "bomb.gif",
        "bomb.bmp",
    }
    assert {reasons[f"empty.{s}"] for s in ("png", "jpg", "webp", "tif", "bmp", "gif")} == {"it is empty"}
    assert (
        reasons["pipe.png"] == "it is no plain file" and reasons["link_to_nothing.png"] == "No such file or directory"
    )
    assert (
        reasons["floats.tif"]
        == reasons["ints.tif"]
        == ("it has 32 bits a pixel, whose range is not known: save it with 8 or 16")
    )
    assert not [said for said in reasons.values() if str(mixed) in said or "object at 0x" in said]


def test_only_bad_files(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"None of the 1 files in .* can be read: bad\.png \(it is damaged, or no PNG"):
        folder(tmp_path, leave_out=True)


def test_a_file_that_nobody_may_read() -> None:
    with tempfile.TemporaryDirectory() as name:  # not tmp_path, which nobody but its owner may enter
        root = Path(name)
        root.chmod(0o755)
        (root / "secret.png").write_bytes(saved(colorful(), "png"))
        (root / "secret.png").chmod(0)
        with as_anybody(), pytest.raises(DataError, match=r"secret\.png \(Permission denied\)"):
            folder(root, 8, cache=False)
        (root / "secret.png").chmod(0o644)
        assert len(folder(root, 8)) == 1


# The cache


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, in some order."""
    names: list[str] = []

    def counting(path: Path, *how: object) -> np.ndarray:
        names.append(path.name)
        return decode(path, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(sys.modules["aelib.data.folder"], "decode", counting)
    return names


def entries(cache: Path) -> list[Path]:
    return sorted((cache / "folders").glob("*.safetensors"))


def test_the_second_call_decodes_nothing(pets: Path, cache: Path, decoded: list[str]) -> None:
    first = folder(pets, 8)
    assert len(decoded) == 5 and len(entries(cache)) == 1
    second = folder(pets, 8)
    assert len(decoded) == 5
    assert torch.equal(first.x, second.x) and torch.equal(first.y, second.y)
    assert (first.names, first.classes) == (second.names, second.classes)
    second.x[:] = 0  # the entry's arrays are the caller's own
    assert torch.equal(folder(pets, 8).x, first.x)
    for other in ({"size": 9}, {"channels": 1}, {"fit": "pad"}, {"ground": 0}):
        folder(pets, **({"size": 8} | other))  # type: ignore[arg-type]
    assert len(decoded) == 25 and len(entries(cache)) == 5


def touched(root: Path) -> None:
    (root / "cats" / "b.png").write_bytes(saved(Image.new("L", (8, 8), 255), "png"))


def added(root: Path) -> None:
    (root / "cats" / "c.png").write_bytes(saved(Image.new("L", (8, 8), 255), "png"))


def removed(root: Path) -> None:
    (root / "zero.gif").unlink()


def moved(root: Path) -> None:
    (root / "cats").rename(root / "felines")


@pytest.mark.parametrize("change", [touched, added, removed, moved])
def test_another_folder_is_read_again(
    pets: Path, cache: Path, decoded: list[str], change: Callable[[Path], None]
) -> None:
    first = folder(pets, 8)
    change(pets)
    second = folder(pets, 8)
    assert (first.names, first.x.sum()) != (second.names, second.x.sum())
    assert len(decoded) == 5 + len(second) and len(entries(cache)) == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_again(pets: Path, cache: Path, damage: Callable[[Path], None]) -> None:
    first = folder(pets, 8)
    damage(entries(cache)[0])
    assert torch.equal(folder(pets, 8).x, first.x)
    good = entries(cache)[0].stat().st_mtime_ns
    assert torch.equal(folder(pets, 8).x, first.x) and entries(cache)[0].stat().st_mtime_ns == good


def test_bad_files_are_known_too(mixed: Path, decoded: list[str]) -> None:
    for name in ("link_to_nothing.png",):  # what the system refuses is asked for again
        (mixed / "bad" / name).unlink()
    with pytest.raises(DataError, match="49 of 55 files"):
        folder(mixed, 8)
    assert len(decoded) == 55
    with pytest.warns(UserWarning, match="49 of 55 files"):
        folder(mixed, 8, leave_out=True)
    assert len(decoded) == 55


def test_a_link_to_nothing_is_asked_again(pets: Path, cache: Path) -> None:
    (pets / "linked.png").symlink_to(pets / "later.png")
    with pytest.raises(DataError, match=r"linked\.png \(No such file or directory\)"):
        folder(pets, 8)
    assert entries(cache) == []


def test_nothing_is_kept_where_it_is_not_wanted_or_cannot_be(pets: Path, cache: Path) -> None:
    folder(pets, 8, cache=False)
    assert not cache.exists()
    cache.write_text("a file")
    with pytest.warns(UserWarning, match=r"could not be kept in .*: set AELIB_DATA to a folder that you can write to"):
        assert len(folder(pets, 8)) == 5


def test_an_interrupted_reading_leaves_nothing(pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path, *how: object) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["aelib.data.folder"], "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder(pets, 8)
    assert not cache.exists()


def test_all_endings_are_those_of_formats_that_are_read() -> None:
    Image.init()
    assert {Image.EXTENSION[suffix] for suffix in SUFFIXES} <= set(FORMATS)
