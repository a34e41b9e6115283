"""Twitter's emoji: the pictures and names that Unicode's charts have, from the registry's package."""

import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_data import skip_where_unreachable

from aelib.data import DataError, Pictures, emoji
from aelib.data.pictures import over


@pytest.fixture(scope="module")
def real() -> Pictures:
    try:
        return emoji()
    except DataError as error:
        skip_where_unreachable(error)
        raise


@pytest.mark.slow
def test_it_is_what_is_known_of_it(real: Pictures) -> None:
    assert real.x.shape == (3786, 3, 64, 64) and len(set(real.names)) == 3786
    assert len(real.classes) == 10 and real.y.bincount()[real.classes.index("Flags")] == 270
    assert real.names[0] == "grinning" and real.classes[real.y[0]] == "Smileys & Emotion"
    # Faces are yellow in the middle, the ground is white in the corners.
    assert real.x[0, :, 20, 32].tolist() == pytest.approx([255, 204, 77], abs=3)
    assert real.x[0, :, [0, 0, -1, -1], [0, -1, 0, -1]].unique().tolist() == [255]
    flag = real.x[real.names.index("it")]
    assert [flag[:, 32, column].argmax().item() for column in (10, 54)] == [1, 0]  # green, white, red
    tones = [i for i, name in enumerate(real.names) if name.partition("::")[0] == "wave"]
    assert [real.names[i].partition("::")[2] for i in tones] == ["", *(f"skin-tone-{i}" for i in range(2, 7))]
    light = real.x[tones[1:]].float().mean((1, 2, 3))
    assert (light.diff() < 0).all()  # from light to dark


@pytest.mark.slow
def test_variants_do_not_come_to_both_sides(real: Pictures) -> None:
    groups = [name.partition("::")[0] for name in real.names]
    splits = real.split(groups=groups)
    sides = [{name.partition("::")[0] for name in part.names} for part in (splits.train, splits.test)]
    assert not sides[0] & sides[1] and len(sides[1]) == round(0.1 * len(set(groups)))


@pytest.mark.slow
def test_the_ground_is_seen_where_nothing_is(real: Pictures) -> None:
    whole = emoji(channels=4)
    clear, solid = whole.x[:, 3:] == 0, whole.x[:, 3:] == 255
    assert torch.equal(emoji((1, 2, 3)).x[:, 1][clear[:, 0]].unique(), torch.tensor([2], dtype=torch.uint8))
    assert torch.equal(real.x[solid.expand_as(real.x)], whole.x[:, :3][solid.expand_as(real.x)])


def test_arguments_that_cannot_be(cache: Path) -> None:
    for wrong in ({"channels": 1}, {"ground": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            emoji(**wrong)
    assert not cache.exists()


def package(folder: Path) -> Path:
    """A package of three emoji in the layout of npm's, one of them in two tones, in another order than Unicode's."""

    def entry(name: str, order: int, **more: object) -> dict[str, object]:
        image = f"{name}.png"
        return {"short_name": name, "category": "C", "sort_order": order, "image": image, **more}

    tones = {"1F3FB": {"image": "aa-1.png"}, "1F3FF-1F3FB": {"image": "aa-2.png"}}
    told = [entry("bb", 2), entry("aa", 1, skin_variations=tones)]
    path = folder / "emoji-datasource-twitter-16.0.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        files = {"emoji.json": json.dumps(told).encode(), "img/twitter/sheets/64.png": b"not wanted"}
        for level, name in enumerate(["aa", "aa-1", "aa-2", "bb"]):
            content = io.BytesIO()
            Image.new("RGBA", (64, 64), (level, 0, 0, 255)).save(content, "PNG")
            files[f"img/twitter/64/{name}.png"] = content.getvalue()
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_a_package_is_read_in_the_order_of_the_charts(tmp_path: Path) -> None:
    arrays = sys.modules["aelib.data.emoji"]._from_package(package(tmp_path))
    assert json.loads(arrays["told"].tobytes()) == [
        ["aa", "C"],
        ["aa::skin-tone-2", "C"],
        ["aa::skin-tone-6::skin-tone-2", "C"],
        ["bb", "C"],
    ]
    assert arrays["x"].shape == (4, 64, 64, 4) and arrays["x"][:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_another_package_is_refused(cache: Path, offline: None) -> None:
    cache.mkdir()
    package(cache)
    with pytest.raises(DataError, match=r"a package put there by hand: x is uint8 of shape .* expected uint8 of shape"):
        emoji()


def test_a_ground_is_mixed_by_the_opacity() -> None:
    """Porter & Duff's "over" in exact arithmetic, at every color, opacity and ground."""
    color, alpha = (a.ravel() for a in np.meshgrid(np.arange(256), np.arange(256)))
    rgba = np.stack([color, color, color, alpha], -1).astype(np.uint8)
    for one in (0, 100, 255):
        exact = (color * alpha + one * (255 - alpha)) / 255
        assert np.abs(over(rgba, one)[:, 0] - exact).max() <= 0.5
    assert over(rgba[:1], (1, 2, 3)).tolist() == [[1, 2, 3]]
