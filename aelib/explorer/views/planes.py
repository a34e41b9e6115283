"""The explorers: a plane of codes, a drawing, a film of a training."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from aelib.data import ImageSet
from aelib.explorer import still
from aelib.explorer.inputs import anywhere, by_name, check, check_pairs, decode, drawings, encode, one_of_each, window
from aelib.explorer.network.export import error_percentiles, export_autoencoder, export_decoder, frozen
from aelib.explorer.network.packing import pack, pack_codes, pack_images
from aelib.explorer.page import Explorer
from aelib.plots import DIGITS

CLASSES = tuple("0123456789")
INNER = 0.7  # part of a plane's half width
FOLLOWED = 10  # images that a film shows the reconstructions of


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
        "models": nets, "start": start.tolist(), "labels": pack(images.y.to(torch.uint8)), "classes": list(classes),
        "colors": list(colors[: len(classes)]), "noun": noun, "images": pack_images(images.x[:thumbnails].cpu()),
    }  # fmt: skip
    alt = f"Codes of {len(images)} {noun}s as points in the plane, colored by class, for {_and(list(named))}."
    picture = still.planes(codes, images.y.cpu(), colors, windows)
    return Explorer("plane", data, alt, picture, tuple((torch.tensor(center) + half * start).tolist()))


def draw(
    models: nn.Module | Mapping[str, nn.Module],
    reference: ImageSet,
    unseen: ImageSet | None = None,
    *,
    classes: Sequence[str] = CLASSES,
    noun: str = "digit",
) -> Explorer:
    """A sheet to draw on: each model encodes and decodes the drawing, shows its error and the nearest known images.

    With *unseen* the error becomes an anomaly score: the share of those images whose own error is smaller.

    Args:
        models: with ``encode``, ``decode``, ``encoder`` and ``decoder``, for images of one channel. By name.
        reference: the images, say 300 of the training set, among which those with the nearest codes are shown; one of
            each class, in their order, is offered to start from.
        unseen: images that the models were not trained on, such as the test set. (Errors of training images are too
            small to compare with.) They stay out of the page, which holds the percentiles of their errors.
        classes: a name for each label.
        noun: what one of the images is called.

    Raises:
        ValueError: images of more than one channel or of two sizes, no image, labels without a name, or a layer that
            the page cannot run.
    """
    named = by_name(models)
    check(reference, classes, DIGITS)
    if reference.x.shape[1] != 1:
        raise ValueError(f"A drawing has one channel; the images have {reference.x.shape[1]}.")
    if unseen is not None and (len(unseen) == 0 or unseen.x.shape[1:] != reference.x.shape[1:]):
        raise ValueError(
            f"The drawing's error is ranked among those of images {tuple(reference.x.shape[1:])}; the unseen ones are "
            f"{tuple(unseen.x.shape)}."
        )
    examples = one_of_each(reference.y)
    x = reference.images()
    random = torch.Generator().manual_seed(0)
    codes = {name: encode(model, x) for name, model in named.items()}
    nets = []
    for name, model in named.items():
        net = export_autoencoder(model, name, lambda n: drawings(x, n, random))
        ranks = {} if unseen is None else {"unseen": pack(error_percentiles(net, unseen.images()))}
        nets.append(net.data | {"codes": pack_codes(codes[name])} | ranks)
    data = {
        "models": nets, "unseen": 0 if unseen is None else len(unseen), "labels": pack(reference.y.to(torch.uint8)),
        "classes": list(classes), "noun": noun, "images": pack_images(reference.x.cpu()), "examples": examples,
    }  # fmt: skip
    alt = f"{len(examples)} {noun}s above what {_and(list(named))} make of them."
    rows = {"drawn": x[examples]} | {name: decode(model, codes[name][examples]) for name, model in named.items()}
    z = codes[nets[0]["name"]][examples[0]]
    return Explorer("draw", data, alt, still.rows(rows), tuple(z.tolist()))


class Frame(NamedTuple):
    """A model at one moment of its training."""

    label: str
    codes: Tensor  # (N, 2)
    images: Tensor  # (≤ 10, C, H, W) uint8, reconstructions of the first images


def frame(model: nn.Module, images: ImageSet, label: str) -> Frame:
    """What a film shows of a model as it now is; for a callback of ``fit``:

    ``frames.append(frame(model, images, f"epoch {end.epoch}"))``.
    """
    model = frozen(model)
    codes = encode(model, images.images())
    check_pairs(codes, label, "A film")
    reconstructed = decode(model, codes[:FOLLOWED])
    return Frame(label, codes, (255 * reconstructed).round().to(torch.uint8))


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
        frames: what :func:`frame` returned, in order, for these *images*.
        images, classes, colors, noun: as for :func:`plane`.

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
        "center": center, "half": half, "images": pack_images(images.x[:FOLLOWED].cpu()),
        "labels": pack(images.y.to(torch.uint8)), "classes": list(classes), "colors": list(colors[: len(classes)]),
        "noun": noun,
    }  # fmt: skip
    first, last = frames[0], frames[-1]
    alt = f"{noun.capitalize()}s and their reconstructions, first {first.label}, last {last.label}."
    rows = {f.label: f.images.float() / 255 for f in (first, last)}
    return Explorer("film", data, alt, still.rows({"original": images[:FOLLOWED].images().cpu(), **rows}))


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
