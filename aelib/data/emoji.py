"""Twitter's emoji: 3,786 colored pictures of 64 x 64, which is what a folder of one's own may look like.

Graphics © Twitter, Inc. and other contributors, CC-BY 4.0, https://creativecommons.org/licenses/by/4.0/; names and
categories by Cal Henderson, emoji-data, MIT license.
"""

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from aelib.data.fetch.download import npm_package
from aelib.data.fetch.formats import tar_members
from aelib.data.fetch.sources import Arrays, Expected, Source, cache_folder, load
from aelib.data.pictures import Pictures, check_ground, over
from aelib.extras import extra

ARRAYS = {
    "x": Expected((3786, 64, 64, 4), "e42e3b181f62ecfa4aa418e6968c415904d3d8a942cb874b670c4246802e6d14"),
    "told": Expected((159243,), "8c7e91c54f9df1d560fa95836adb3cba21bf63198d4950dbce755dc0161a8ed9"),
}
# Names of the skin tones: types 1 and 2 of Fitzpatrick's scale share one.
TONES = {f"1F3F{letter}": f"skin-tone-{number}" for number, letter in enumerate("BCDEF", 2)}


def emoji(ground: int | Sequence[int] = 255, channels: int = 3) -> Pictures:
    """Twitter's emoji, version 16.0: 3,786 pictures, (N, channels, 64, 64), with their category as label.

    ``names`` are the short ones, ``"grinning"``; 1,875 are variants of another in skin tone, called
    ``"wave::skin-tone-2"``. So that variants of one do not come to both sides of a split::

        data = emoji()
        splits = data.split(groups=[name.partition("::")[0] for name in data.names])

    The first call fetches 62 MB from the npm registry (package ``emoji-datasource-twitter``); later ones read and
    verify the cache. Whoever shows the pictures names their source: © Twitter, Inc. and other contributors, CC-BY 4.0.

    Args:
        ground: what shows through transparent parts: a gray level, or (red, green, blue), from 0 to 255.
        channels: 3, or 4 for colors as they are and their opacity.

    Raises:
        DataError: neither the cache nor the registry has them.
        ValueError: another number of channels, or a ground that cannot be.
    """
    if channels not in (3, 4):
        raise ValueError(f"Emoji have 3 channels, or 4 with the opacity; channels is {channels}.")
    check_ground(ground)
    arrays, _ = load("emoji", SOURCES, ARRAYS, by_hand=[PACKAGE_FILE])
    told = json.loads(arrays["told"].tobytes())
    x = arrays["x"] if channels == 4 else over(arrays["x"], ground)
    classes = sorted({category for _, category in told})
    y = torch.tensor([classes.index(category) for _, category in told])
    pictures = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
    return Pictures(pictures, y, tuple(name for name, _ in told), tuple(classes))


def _from_npm(folder: Path) -> Arrays:
    return _from_package(npm_package("emoji-datasource-twitter@16.0.0", folder))


def _by_hand(_: Path) -> Arrays:
    return _from_package(cache_folder() / PACKAGE_FILE)


def _from_package(package: Path) -> Arrays:
    """Pictures with their opacity, in the order of Unicode's charts, and [short name, category] of each as JSON."""
    with extra("data"):
        from PIL import Image

    wanted = re.compile(r"package/(?:emoji\.json|img/twitter/64/([0-9a-f-]+\.png))")
    content: dict[str | None, bytes] = {found[1]: data for found, data in tar_members(package, wanted)}
    listed: list[tuple[str, str, str]] = []
    for one in sorted(json.loads(content[None]), key=lambda one: one["sort_order"]):
        listed.append((one["short_name"], one["category"], one["image"]))
        for key, variant in one.get("skin_variations", {}).items():
            tones = "::".join(TONES[tone] for tone in key.split("-"))
            listed.append((f"{one['short_name']}::{tones}", one["category"], variant["image"]))
    pictures = []
    for *_, file in listed:
        with Image.open(io.BytesIO(content[file]), formats=("PNG",)) as picture:
            pictures.append(np.asarray(picture.convert("RGBA")))
    told = json.dumps([[name, category] for name, category, _ in listed]).encode()
    return {"x": np.stack(pictures), "told": np.frombuffer(told, np.uint8)}


PACKAGE_FILE = "emoji-datasource-twitter-16.0.0.tgz"
SOURCES = (
    Source("a package put there by hand", _by_hand),
    Source("npm's package emoji-datasource-twitter", _from_npm, size=61_683_754),
)
