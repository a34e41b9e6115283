"""A plane of codes: drag to decode, hover to see, draw a line to interpolate."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from aelib.data import ImageSet
from aelib.explorer import still
from aelib.explorer.inputs import CLASSES, anywhere, by_name, check, check_pairs, encode, listed, window
from aelib.explorer.network.export import export_decoder
from aelib.explorer.network.packing import pack, pack_codes, pack_images
from aelib.explorer.page import Explorer
from aelib.plots import DIGITS

INNER = 0.7  # part of a plane's half width


def plane(
    models: nn.Module | Mapping[str, nn.Module],
    images: ImageSet,
    *,
    classes: Sequence[str] = CLASSES,
    colors: Sequence[str] = DIGITS,
    noun: str = "digit",
    thumbnails: int = 500,
) -> Explorer:
    """Codes of two numbers as a plane: drag to decode, hover a point to see its image, draw a line to interpolate.

    Args:
        models: with ``encode``, ``decode`` and ``decoder``; several stand side by side under one cursor. By name.
        images: their codes are the points, their labels the colors.
        classes, colors: a name and a color for each label.
        noun: what one of the images is called.
        thumbnails: how many of the images are put into the page, the first ones; about 0.2 kB each for digits.

    Raises:
        ValueError: codes that are not pairs, labels without a name, no image, or a layer that the page cannot run.
    """
    named = by_name(models)
    check(images, classes, colors)
    codes = {name: encode(model, images.images()) for name, model in named.items()}
    for name, z in codes.items():
        check_pairs(z, name, "A plane")
    windows = {name: window(z) for name, z in codes.items()}
    nets = [
        export_decoder(model, name, anywhere(*windows[name])).data
        | {"center": windows[name][0], "half": windows[name][1], "codes": pack_codes(codes[name])}
        for name, model in named.items()
    ]
    center, half = windows[nets[0]["name"]]
    units = (codes[nets[0]["name"]] - torch.tensor(center)) / half
    start = units[units.abs().amax(1).le(INNER).int().argmax()].clamp(-1, 1)  # of an image that does not lie at the rim
    data = {
        "models": nets,
        "start": start.tolist(),
        "labels": pack(images.y.to(torch.uint8)),
        "classes": list(classes),
        "colors": list(colors[: len(classes)]),
        "noun": noun,
        "images": pack_images(images.x[:thumbnails].cpu()),
    }
    alt = f"Codes of {len(images)} {noun}s as points in the plane, colored by class, for {listed(list(named))}."
    picture = still.planes(codes, images.y.cpu(), colors, windows)
    return Explorer("plane", data, alt, picture, tuple((torch.tensor(center) + half * start).tolist()))
