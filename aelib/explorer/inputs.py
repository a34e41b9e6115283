"""What explorers ask of their arguments, and what they derive from them."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from aelib.data import ImageSet
from aelib.explorer.network.export import frozen

CLASSES = tuple("0123456789")
TAIL = 0.01  # the part of the codes that may lie outside of the window, at each of its sides
MARGIN = 1.08
CHUNK = 1000
SHIFT = 4  # pixels


def by_name(models: nn.Module | Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Copies of the models on the CPU, in evaluation mode; a single model is named for its class.

    Raises:
        ValueError: there is none.
    """
    named = {type(models).__name__: models} if isinstance(models, nn.Module) else dict(models)
    if not named:
        raise ValueError('An explorer needs a model, e.g. {"Autoencoder": model}.')
    return {str(name): frozen(model) for name, model in named.items()}


def check(images: ImageSet, classes: Sequence[str], colors: Sequence[str]) -> None:
    """Raise ValueError unless there is an image, and a name and a color for each label."""
    if len(images) == 0:
        raise ValueError("An explorer needs an image; the set is empty.")
    low, high = int(images.y.min()), int(images.y.max())
    if low < 0 or high >= min(len(classes), len(colors)):
        raise ValueError(
            f"The labels run from {low} to {high}; there are {len(classes)} classes and {len(colors)} colors. "
            "Give one of each for every label, from 0 on."
        )


def encode(model: nn.Module, x: Tensor) -> Tensor:
    """Codes (N, latent) of images (N, C, H, W), by a model that :func:`by_name` returned."""
    with torch.no_grad():
        codes = torch.cat([model.encode(part) for part in x.cpu().split(CHUNK)])  # type: ignore[operator]
    if not codes.isfinite().all():
        raise ValueError(f"{type(model).__name__} gives codes that are not finite; its training may have diverged.")
    return codes


def decode(model: nn.Module, z: Tensor) -> Tensor:
    """Images in [0, 1] of codes (N, latent)."""
    with torch.no_grad():
        return model.decode(z)  # type: ignore[operator]


def check_pairs(codes: Tensor, name: str, what: str) -> None:
    """Raise ValueError unless the codes are (N, 2)."""
    if codes.ndim != 2 or codes.shape[1] != 2:
        raise ValueError(f"{what} shows codes of two numbers; those of {name!r} have the shape {tuple(codes.shape)}.")


def window(codes: Tensor) -> tuple[list[float], float]:
    """The square that the codes (N, 2) are seen through: its center and half a side."""
    low, high = codes.quantile(TAIL, 0), codes.quantile(1 - TAIL, 0)
    half = MARGIN * float((high - low).max()) / 2
    return ((low + high) / 2).tolist(), half or 1.0


def anywhere(center: Sequence[float], half: float) -> Callable[[int], Tensor]:
    """Draws n codes (n, 2), uniformly from the window, new ones at each call."""
    random = torch.Generator().manual_seed(0)
    return lambda n: torch.tensor(center) + half * (2 * torch.rand(n, 2, generator=random) - 1)


def drawings(x: Tensor, n: int, random: torch.Generator) -> Tensor:
    """What a reader may draw: images out of x (N, 1, H, W), moved, laid over one another, under noise; (n, 1, H, W)."""

    def some() -> Tensor:
        return x[torch.randint(len(x), (n,), generator=random)]

    def part() -> Tensor:
        return torch.rand(n, 1, 1, 1, generator=random)

    dy, dx = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=random).tolist()
    drawn = torch.maximum(some(), some().roll((dy, dx), (2, 3)) * (part() < 0.5))
    return (drawn + part() * torch.randn(drawn.shape, generator=random)).clamp(0, 1)


def one_of_each(labels: Tensor) -> list[int]:
    """Where each label first occurs."""
    return [int((labels == k).nonzero()[0]) for k in labels.unique()]


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
