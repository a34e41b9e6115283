"""A model drawn from itself."""

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import nn

from aelib.nets import evaluating
from aelib.plots.style import BLUE, GRAY, ORANGE, finish


def architecture(model: nn.Module, shape: tuple[int, ...] = (1, 28, 28)) -> Figure:
    """The model drawn from itself: a bar for each layer with weights (or each resizing), its output's size high.

    Args:
        model: has ``encode``, and an ``encoder`` and a ``decoder``, both ``nn.Sequential``.
        shape: of one input image.
    """
    stages: list[tuple[str, tuple[int, ...], str]] = [("input", tuple(shape), GRAY)]
    with evaluating(model) as device:
        x = torch.zeros(1, *shape, device=device)
        code = model.encode(x)  # type: ignore[operator]  # of a variational encoder's output, the half decoded
        for part, value, color in ((model.encoder, x, BLUE), (model.decoder, code, ORANGE)):
            for layer in part:  # type: ignore[union-attr]
                value = layer(value)
                if next(layer.parameters(), None) is not None and value.ndim in (2, 4) and not _is_norm(layer):
                    stages.append((type(layer).__name__, tuple(value.shape[1:]), color))
                elif isinstance(layer, nn.Upsample):
                    stages.append(("Resize", tuple(value.shape[1:]), color))
    figure, axis = plt.subplots(figsize=(0.85 * len(stages), 2.9))
    sizes = [math.prod(size) for _, size, _ in stages]
    axis.bar(range(len(stages)), sizes, color=[color for *_, color in stages], width=0.6)
    for i, (_, size, _) in enumerate(stages):
        axis.text(i, sizes[i] * 1.15, "×".join(map(str, size)), ha="center", fontsize=8)
    axis.set_xticks(
        range(len(stages)), [name.replace("Transpose", "T").replace("2d", "") for name, *_ in stages], fontsize=8
    )
    axis.set(yscale="log", ylabel="numbers in the output", ylim=(min(sizes) / 3, max(sizes) * 2.5))
    axis.grid(visible=False, axis="x")
    return finish(figure)


def _is_norm(layer: nn.Module) -> bool:
    return isinstance(layer, nn.BatchNorm2d)
