"""A sheet to draw on, and what each model makes of the drawing."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from aelib.data import ImageSet
from aelib.explorer import still
from aelib.explorer.inputs import CLASSES, by_name, check, decode, drawings, encode, listed, one_of_each
from aelib.explorer.network.export import error_percentiles, export_autoencoder
from aelib.explorer.network.packing import pack, pack_codes, pack_images
from aelib.explorer.page import Explorer
from aelib.plots import DIGITS


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
        "models": nets,
        "unseen": 0 if unseen is None else len(unseen),
        "labels": pack(reference.y.to(torch.uint8)),
        "classes": list(classes),
        "noun": noun,
        "images": pack_images(reference.x.cpu()),
        "examples": examples,
    }
    alt = f"{len(examples)} {noun}s above what {listed(list(named))} make of them."
    rows = {"drawn": x[examples]} | {name: decode(model, codes[name][examples]) for name, model in named.items()}
    z = codes[nets[0]["name"]][examples[0]]
    return Explorer("draw", data, alt, still.rows(rows), tuple(z.tolist()))
