"""One number of the code at a time."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from aelib.data import ImageSet, Sprites
from aelib.explorer import still
from aelib.explorer.inputs import decode, encode
from aelib.explorer.network.export import export_decoder, frozen
from aelib.explorer.network.packing import pack_codes, pack_images
from aelib.explorer.page import Explorer

REACH = 3.0  # standard deviations of a normal prior: what a slider spans at least
STILL = 7  # pictures of a latent in the still picture
Key = Hashable | tuple[Hashable, ...]


def traversal(
    models: nn.Module | Mapping[Key, nn.Module],
    images: ImageSet | Sprites,
    kl: Mapping[Key, Sequence[float]] | Sequence[float],
    *,
    controls: Sequence[str] = ("model",),
    scores: Mapping[Key, Mapping[str, float]] | None = None,
    noun: str = "image",
) -> Explorer:
    """A slider for each number of the code, the most telling first; a click sweeps one while the others stand still.

    Args:
        models: with ``encode``, ``decode`` and ``decoder``, and codes of one size. Several are picked by *controls*:
            with one control the keys are its values, with two they are pairs, one model for each combination, e.g.
            ``{(beta, seed): model}`` and ``controls=("β", "seed")``.
        images: a few to start from.
        kl: nats that each number of a model's code tells about an image, by key: the order of the sliders.
        scores: numbers shown beside a model, by key and name.
        noun: what one of the images is called.

    Raises:
        ValueError: no image, codes of different sizes, combinations without a model, or a layer that the page cannot
            run.
    """
    if isinstance(models, nn.Module):
        models, kl, scores = {"model": models}, {"model": kl}, {"model": (scores or {})}  # type: ignore[dict-item]
    named = {_parts(key, controls): frozen(model) for key, model in models.items()}
    nats = {_parts(key, controls): [float(v) for v in values] for key, values in dict(kl).items()}  # type: ignore[arg-type]
    told = {_parts(key, controls): dict(values) for key, values in (scores or {}).items()}
    if len(images) == 0:
        raise ValueError("A traversal starts from an image; the set is empty.")
    values = [list(dict.fromkeys(key[i] for key in named)) for i in range(len(controls))]
    if missing := [key for key in product(*values) if key not in named or key not in nats]:
        raise ValueError(f"Each combination of {' and '.join(controls)} needs a model and its kl; missing: {missing}.")
    codes = {key: encode(model, images.images()) for key, model in named.items()}
    if sizes := {key: len(nats[key]) for key, z in codes.items() if z.shape[1:] != (len(nats[key]),)}:
        raise ValueError(f"Each number of a code needs its kl; these have too many or too few: {sizes}.")
    if len({z.shape[1] for z in codes.values()}) > 1:
        raise ValueError(f"The codes must be of one size; they have {[z.shape[1] for z in codes.values()]} numbers.")
    reach = max(REACH, *(z.abs().max().item() for z in codes.values()))
    entries = []
    for key, model in named.items():
        name = ", ".join(f"{c} {v}" for c, v in zip(controls, key, strict=True)) if len(named) > 1 else "the model"
        order = sorted(range(len(nats[key])), key=lambda i: -nats[key][i])
        entries.append(
            export_decoder(model, name, _around(codes[key], reach)).data
            | {
                "keys": [str(v) for v in key],
                "codes": pack_codes(codes[key]),
                "kl": nats[key],
                "order": order,
                "scores": told.get(key, {}),
            }
        )
    data = {
        "models": entries,
        "controls": list(controls),
        "images": pack_images(images.images().cpu()),
        "reach": reach,
        "noun": noun,
    }
    first = next(iter(named))
    z, order = codes[first][0], entries[0]["order"][:5]
    rows = {f"z{i + 1}": decode(named[first], _swept(z, i, reach)) for i in order}
    alt = f"Pictures decoded from one code; in each row one of its numbers runs from {-reach:.3g} to {reach:.3g}."
    return Explorer("traversal", data, alt, still.rows(rows), tuple(z.tolist()))


def _parts(key: Key, controls: Sequence[str]) -> tuple[Hashable, ...]:
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) != len(controls):
        raise ValueError(f"A model is picked by {' and '.join(controls)}; the key {key!r} has {len(parts)} parts.")
    return parts


def _around(codes: Tensor, reach: float) -> Callable[[int], Tensor]:
    """Draws n codes that sliders can reach: an image's, with some of its numbers anywhere."""
    random = torch.Generator().manual_seed(0)

    def draw(n: int) -> Tensor:
        z = codes[torch.randint(len(codes), (n,), generator=random)]
        anywhere = reach * (2 * torch.rand(z.shape, generator=random) - 1)
        return torch.where(torch.rand(z.shape, generator=random) < 0.5, anywhere, z)

    return draw


def _swept(z: Tensor, i: int, reach: float) -> Tensor:
    """The code z (latent,) with its i-th number from -reach to reach: (STILL, latent)."""
    swept = z.repeat(STILL, 1)
    swept[:, i] = torch.linspace(-reach, reach, STILL)
    return swept
