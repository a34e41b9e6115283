"""From an ``nn.Module`` to the short list of steps that ``js/network/`` runs.

Every weighted layer becomes one matrix W of shape (rows, columns):

- ``linear``: ``y = W x + b``;
- ``conv``: ``y = W unfold(x) + b``, a column for each (input channel, kernel row, kernel column);
- ``transposed``: ``y = fold(W x) + b``, a row for each (output channel, kernel row, kernel column).

Batch-norm folding, quantization and the page's inner loop are therefore written once for all three.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Shape = tuple[int, ...]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


@dataclass(frozen=True)
class Step:
    """One step: its kind, its geometry (ready for JSON), and a matrix and a bias where it has weights."""

    kind: str
    geometry: dict[str, Any] = field(default_factory=dict)
    weight: Tensor = field(default_factory=lambda: torch.empty(0))  # (rows, columns); (channels,) if "affine"
    bias: Tensor = field(default_factory=lambda: torch.empty(0))  # (channels,)


def read(module: nn.Module, shape: Sequence[int], name: str = "model") -> tuple[list[Step], Shape]:
    """The steps of a module, and the shape of its output.

    Args:
        module: a layer or a (nested) ``nn.Sequential``, on the CPU, in evaluation mode.
        shape: of one input, without the batch axis.
        name: what errors call the module.

    Raises:
        ValueError: the page cannot run a layer; the message names it.
    """
    steps: list[Step] = []
    x = torch.zeros(1, *shape)
    for path, layer in _leaves(module, name):
        before = tuple(x.shape[1:])
        try:
            with torch.no_grad():
                x = layer(x)
                step = _reader(layer)(layer, before, tuple(x.shape[1:]))
        except (RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"The explorer cannot run {path}, {layer}, on an input {before}: {reason}") from error
        if step is not None:
            steps = [*steps[:-1], *_merge(steps[-1], step)] if steps else [step]
    return steps, tuple(x.shape[1:])


def run(steps: Sequence[Step], x: Tensor, chunk: int = 100) -> Tensor:
    """The page's arithmetic in PyTorch: x (B, …) -> (B, features), every array flat, row by row."""
    with torch.no_grad():
        return torch.cat([_run(steps, part.flatten(1)) for part in x.split(chunk)])


def _run(steps: Sequence[Step], x: Tensor) -> Tensor:
    for step in steps:
        g, w, b = step.geometry, step.weight, step.bias
        match step.kind:
            case "linear":
                x = F.linear(x, w, b)
            case "conv":
                x = (w @ _unfold(g, x) + b[:, None]).flatten(1)
            case "transposed":
                parts = w @ x.unflatten(1, (g["in"][0], -1))
                y = F.fold(parts, g["out"][1:], g["kernel"], padding=g["padding"], stride=g["stride"])
                x = (y + b[:, None, None]).flatten(1)
            case "affine":
                x = (x.unflatten(1, (len(b), -1)) * w[:, None] + b[:, None]).flatten(1)
            case "resize":
                rows = _blend(x.unflatten(1, g["in"]).transpose(2, 3), *g["rows"]).transpose(2, 3)
                x = _blend(rows, *g["columns"]).flatten(1)
            case activation:
                x = ACTIVATIONS[activation](x)
    return x


def _unfold(g: dict[str, Any], x: Tensor) -> Tensor:  # (B, C·H·W) -> (B, C · kernel, positions)
    return F.unfold(x.unflatten(1, g["in"]), g["kernel"], padding=g["padding"], stride=g["stride"])


def _blend(x: Tensor, low: list[int], high: list[int], part: list[float]) -> Tensor:
    return torch.lerp(x[..., low], x[..., high], torch.tensor(part))


def _leaves(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(module, nn.Sequential):
        for name, child in module.named_children():
            yield from _leaves(child, f"{path}.{name}")
    else:
        yield path, module


def _merge(before: Step, step: Step) -> list[Step]:
    """Fold a per-channel affine map into the weighted step before it: a (W x + b) + c = (a W) x + (a b + c)."""
    if step.kind != "affine" or len(before.bias) != len(step.bias):
        return [before, step]
    scale = step.weight.repeat_interleave(len(before.weight) // len(before.bias))  # rows of the same channel
    weight = (before.weight.T * scale).T
    return [replace(before, weight=weight, bias=before.bias * step.weight + step.bias)]


Reader = Callable[[Any, Shape, Shape], Step | None]


def _reader(layer: nn.Module) -> Reader:
    """What reads a layer: by its type, or by its parent's type if it inherits that one's ``forward``."""
    for kind, reader in _READERS.items():
        if isinstance(layer, kind) and type(layer).forward is kind.forward:
            return reader
    raise ValueError(f"it runs {', '.join(sorted(kind.__name__ for kind in _READERS))}.")


def _linear(layer: nn.Linear, before: Shape, after: Shape) -> Step:
    _require(len(before) == 1, "a linear layer needs a flat input; put nn.Flatten before it.")
    return Step("linear", {}, layer.weight.detach(), _bias(layer, layer.out_features))


def _conv(layer: nn.Conv2d, before: Shape, after: Shape) -> Step:
    weight = layer.weight.detach().flatten(1)  # (out, in · kernel)
    return Step("conv", _window(layer, before, after), weight, _bias(layer, layer.out_channels))


def _transposed(layer: nn.ConvTranspose2d, before: Shape, after: Shape) -> Step:
    weight = layer.weight.detach().flatten(1).T  # (out · kernel, in)
    return Step("transposed", _window(layer, before, after), weight, _bias(layer, layer.out_channels))


def _window(layer: nn.Conv2d | nn.ConvTranspose2d, before: Shape, after: Shape) -> dict[str, Any]:
    _require(layer.groups == 1, "groups must be 1.")
    _require(layer.dilation == (1, 1), "dilation must be 1.")
    _require(layer.padding_mode == "zeros", "padding_mode must be 'zeros'.")
    _require(not isinstance(layer.padding, str), "padding must be given as a number.")
    return {
        "in": before,
        "out": after,
        "kernel": layer.kernel_size,
        "stride": layer.stride,
        "padding": layer.padding,
    }


def _batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d, before: Shape, after: Shape) -> Step:
    mean, variance = layer.running_mean, layer.running_var
    if mean is None or variance is None:
        raise ValueError("it keeps no running statistics.")
    scale = torch.rsqrt(variance + layer.eps) * (layer.weight.detach() if layer.affine else 1)
    return Step("affine", {}, scale, (layer.bias.detach() if layer.affine else 0) - mean * scale)


def _resize(layer: nn.Upsample, before: Shape, after: Shape) -> Step:
    """Two taps along each axis. PyTorch's answer to a ramp says where they lie, whatever the layer's options."""
    _require(layer.mode in ("nearest", "nearest-exact", "bilinear"), "mode must be 'bilinear' or 'nearest'.")
    _, height, width = before
    taps = {}
    for name, size, ramp in (
        ("rows", height, torch.arange(height).view(1, 1, -1, 1).expand(1, 1, height, width)),
        ("columns", width, torch.arange(width).expand(1, 1, height, width)),
    ):
        answer = layer(ramp.float())[0, 0]
        at = answer[:, 0] if name == "rows" else answer[0]  # (out,), the position in the input of each output
        low = at.floor().long().clamp(0, size - 1)
        taps[name] = [low.tolist(), (low + 1).clamp(max=size - 1).tolist(), (at - low).tolist()]
    return Step("resize", {"in": before, "out": after, **taps})


def _reshape(layer: nn.Module, before: Shape, after: Shape) -> None:
    """Nothing to do: every array is flat in the page."""
    _require(torch.Size(before).numel() == torch.Size(after).numel(), "it must keep the batch axis.")


def _activation(kind: str) -> Reader:
    return lambda layer, before, after: Step(kind)


def _bias(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, channels: int) -> Tensor:
    return torch.zeros(channels) if layer.bias is None else layer.bias.detach()


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)


_READERS: dict[type[nn.Module], Reader] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv,
    nn.ConvTranspose2d: _transposed,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.Upsample: _resize,
    nn.ReLU: _activation("relu"),
    nn.SiLU: _activation("silu"),
    nn.Tanh: _activation("tanh"),
    nn.Sigmoid: _activation("sigmoid"),
    nn.Flatten: _reshape,
    nn.Unflatten: _reshape,
    nn.Identity: _reshape,
    nn.Dropout: _reshape,
}
