"""A plane in brief, for a front page: two planes and their pictures, no tools, and a start where they differ."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from aelib.explorer.network.layers import run
from aelib.explorer.network.reading import steps, unpack_codes

SIDE, RIM = 21, 0.9  # of the grid of places, in units of the window's half side
EMPTY = 0.3  # no code of the first model is nearer than this
NEAR = 0.25  # a code of the second model is nearer than this


def brief(payload: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """What a page holds of :func:`~aelib.explorer.plane`, in brief.

    Args:
        payload: an explorer's, as a page holds it.
        names: the two models to show, in this order, and what to call them. The point starts at the :func:`gap`.

    Raises:
        ValueError: the explorer has no such model, or its planes have no gap.
    """
    found = {model["name"]: model for model in payload["models"]}
    if missing := [name for name in names if name not in found]:
        raise ValueError(f"The explorer shows {', '.join(found)}; it has no model {missing[0]!r}.")
    if len(names) != 2:
        raise ValueError(f"A plane in brief compares two models; there are {len(names)}.")
    models = [found[name] for name in names]
    codes = [(unpack_codes(m["codes"]) - torch.tensor(m["center"])) / m["half"] for m in models]
    start = gap(codes, [_decoder(model) for model in models])
    shown = [model | {"name": name} for model, name in zip(models, names.values(), strict=True)]
    return {**payload, "models": shown, "start": start.tolist(), "brief": True}


def gap(codes: Sequence[Tensor], decoders: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
    """The place (2,) that is empty in the first model's plane, inhabited in the second's, and decoded most differently.

    Of a grid of places, those farther than :data:`EMPTY` from every code of the first model and nearer than
    :data:`NEAR` to one of the second; of these the one with the largest squared difference of the two pictures.

    Args:
        codes: of each of two models (N, 2), in units of its window: -1 and 1 are its rims.
        decoders: from places (B, 2) in the same units to pictures (B, pixels).

    Raises:
        ValueError: there is no such place.
    """
    along = torch.linspace(-RIM, RIM, SIDE)
    places = torch.cartesian_prod(along, along)
    empty, near = (torch.cdist(places, z).amin(1) for z in codes)
    there = places[(empty > EMPTY) & (near < NEAR)]
    if len(there) == 0:
        raise ValueError("No place is empty in the first model's plane and inhabited in the second's: start elsewhere.")
    one, other = (decode(there) for decode in decoders)
    return there[(one - other).square().sum(1).argmax()]


def _decoder(model: Mapping[str, Any]) -> Callable[[Tensor], Tensor]:
    layers, center = steps(model["decoder"]["steps"]), torch.tensor(model["center"])
    return lambda places: run(layers, center + model["half"] * places)
