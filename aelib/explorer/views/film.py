"""A film of a training: the plane of codes and the reconstructions, under a slider."""

from collections.abc import Sequence

import torch

from aelib.data import ImageSet
from aelib.explorer import still
from aelib.explorer.inputs import CLASSES, check, window
from aelib.explorer.network.packing import pack, pack_codes, pack_images
from aelib.explorer.page import Explorer
from aelib.explorer.views.frame import FOLLOWED, Frame
from aelib.plots import DIGITS


def film(
    frames: Sequence[Frame],
    images: ImageSet,
    *,
    classes: Sequence[str] = CLASSES,
    colors: Sequence[str] = DIGITS,
    noun: str = "digit",
) -> Explorer:
    """The frames of a training under a slider: the plane of codes, and reconstructions under their originals.

    Args:
        frames: what :func:`aelib.explorer.frame` returned, in order, for these *images*.
        images, classes, colors, noun: as for :func:`aelib.explorer.plane`.

    Raises:
        ValueError: fewer than two frames, or frames of other images.
    """
    check(images, classes, colors)
    if len(frames) < 2:
        raise ValueError(f"A film has two frames or more; it got {len(frames)}.")
    if wrong := [f.label for f in frames if len(f.codes) != len(images)]:
        raise ValueError(f"A film of {len(images)} images needs as many codes in each frame; not so: {wrong}.")
    center, half = window(frames[-1].codes)
    low, high = torch.tensor(center) - half, torch.tensor(center) + half
    data = {
        "frames": [
            # What moves out of the last frame's window before the end is drawn at its edge.
            {"label": f.label, "codes": pack_codes(f.codes.clamp(low, high)), "images": pack_images(f.images)}
            for f in frames
        ],
        "center": center,
        "half": half,
        "images": pack_images(images.x[:FOLLOWED].cpu()),
        "labels": pack(images.y.to(torch.uint8)),
        "classes": list(classes),
        "colors": list(colors[: len(classes)]),
        "noun": noun,
    }
    first, last = frames[0], frames[-1]
    alt = f"{noun.capitalize()}s and their reconstructions, first {first.label}, last {last.label}."
    rows = {f.label: f.images.float() / 255 for f in (first, last)}
    return Explorer("film", data, alt, still.rows({"original": images[:FOLLOWED].images().cpu(), **rows}))
