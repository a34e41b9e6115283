"""A model's weights, ready for the page, and the proof that the page's answer is the model's."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from aelib.explorer.network.layers import Shape, Step, read, run
from aelib.explorer.network.packing import to_json
from aelib.explorer.network.quantize import quantize

BOUND = 0.01  # of the difference to PyTorch, at every pixel
LIMIT = 600_000  # bytes of a model in the page, as text
CHECKS = 1000  # random codes (or images) on which the bound is checked
HEADROOM = 0.75  # the bits are chosen at this part of the bound, on other codes than it is then checked on
SAME = 1e-4  # what counts as the same before quantization: rounding of 32-bit floats


@dataclass(frozen=True)
class Net:
    """A network as the page runs it, and what was measured about it."""

    name: str
    data: dict[str, Any]  # {"decoder": {...}} and, where the page encodes too, {"encoder": {...}}
    weights: int  # how many numbers, biases included
    bits: int  # of a weight
    bytes: int  # as text in the page: deflated, base64, JSON
    error: float  # the largest difference to PyTorch, over all pixels of CHECKS random inputs
    steps: Sequence[Step] = field(repr=False)  # as the page runs them, with rounded weights

    def __call__(self, x: Tensor) -> Tensor:
        """The page's answer (B, pixels) to codes, or to images where the page encodes too."""
        return run(self.steps, x)


def export_decoder(
    model: nn.Module, name: str, codes: Callable[[int], Tensor], bound: float = BOUND, limit: int = LIMIT
) -> Net:
    """The decoder of a model.

    Args:
        model: with ``decode``, and ``decoder`` followed by ``output`` (if it has one); or an ``nn.Sequential``.
        name: what page and errors call it.
        codes: ``codes(n)`` draws n random codes (n, latent) that a reader can reach, new ones at each call.
        bound: how far a pixel may be from PyTorch's.
        limit: how many bytes the model may add to the page.

    Raises:
        ValueError: a layer that the page cannot run; or ``decode`` does something else than these layers; or
            bound and limit cannot both be kept.
    """
    model = frozen(model)
    steps, shape = _read_decoder(model, name, codes(1).shape[1:])
    truth = getattr(model, "decode", model)
    _check_same(steps, truth, codes(CHECKS), f"{name}.decode")
    return _fit(name, steps, 0, shape, truth, codes, bound, limit)


def export_autoencoder(
    model: nn.Module, name: str, images: Callable[[int], Tensor], bound: float = BOUND, limit: int = LIMIT
) -> Net:
    """Encoder and decoder of a model, checked end to end: ``decode(encode(x))`` on images that ``images(n)`` draws.

    Arguments and errors as for :func:`export_decoder`.
    """
    model = frozen(model)
    encoder = getattr(model, "encoder", None)
    if encoder is None:
        raise ValueError(f"The model {name!r} ({type(model).__name__}) has no encoder to draw for.")
    x = images(CHECKS)
    up, code = read(encoder, x.shape[1:], f"{name}.encoder")
    encode: Callable[[Tensor], Tensor] = getattr(model, "encode", encoder)
    _check_same(up, encode, x, f"{name}.encode")
    down, shape = _read_decoder(model, name, code)
    decode: Callable[[Tensor], Tensor] = getattr(model, "decode", None) or _decoder(model)
    with torch.no_grad():
        _check_same(down, decode, encode(x), f"{name}.decode")
    return _fit(name, [*up, *down], len(up), shape, lambda x: decode(encode(x)), images, bound, limit)


def error_percentiles(net: Net, x: Tensor) -> Tensor:
    """Percentiles 0, 1, …, 100 (101,) of the squared errors ``Σ (net(x) - x)²`` of images x (N, C, H, W)."""
    errors = torch.cat([(net(part) - part.flatten(1)).square().sum(1) for part in x.cpu().split(CHECKS)])
    return errors.quantile(torch.linspace(0, 1, 101))


def _fit(
    name: str,
    steps: Sequence[Step],
    split: int,
    shape: Shape,
    truth: Callable[[Tensor], Tensor],
    draw: Callable[[int], Tensor],
    bound: float,
    limit: int,
) -> Net:
    def error(steps: Sequence[Step], x: Tensor) -> float:
        with torch.no_grad():
            return float((run(steps, x) - truth(x).flatten(1)).abs().max())

    sample, fresh = draw(CHECKS), draw(CHECKS)
    allowed = HEADROOM * bound
    rounded = quantize(steps, lambda changed: error(changed, sample), allowed)
    while (measured := error([r.step for r in rounded], fresh)) > bound:  # the sample was too kind
        allowed *= HEADROOM
        rounded = quantize(steps, lambda changed: error(changed, sample), allowed)

    pages = [r.payload() for r in rounded]
    data: dict[str, Any] = {"name": name, "decoder": {"steps": pages[split:], "shape": shape}}
    if split:
        data["encoder"] = {"steps": pages[:split]}
    size = len(to_json(data))
    if size > limit:
        raise ValueError(
            f"The model {name!r} would add {size / 1000:.0f} kB to the page (as base64 text), more than the limit of "
            f"{limit / 1000:.0f} kB. Train a smaller one for the page, e.g. with one hidden layer of 400 units."
        )
    weights = sum(step.weight.numel() + step.bias.numel() for step in steps)
    return Net(name, data, weights, max(r.bits for r in rounded), size, measured, [r.step for r in rounded])


def frozen(model: nn.Module) -> nn.Module:
    """A copy on the CPU, in evaluation mode."""
    return copy.deepcopy(model).cpu().float().eval().requires_grad_(False)


def _decoder(model: nn.Module) -> nn.Module:
    decoder, output = getattr(model, "decoder", model), getattr(model, "output", None)
    return nn.Sequential(decoder, output) if output is not None else decoder


def _read_decoder(model: nn.Module, name: str, code: Sequence[int]) -> tuple[list[Step], Shape]:
    steps, shape = read(_decoder(model), code, f"{name}.decoder")
    shape = tuple(getattr(model, "shape", shape))
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"The decoder of {name!r} gives {shape}; the explorer shows images (1, H, W) or (3, H, W).")
    return steps, shape


def _check_same(steps: Sequence[Step], truth: Callable[[Tensor], Tensor], x: Tensor, what: str) -> None:
    with torch.no_grad():
        expected, ours = truth(x).flatten(1), run(steps, x)
    if expected.shape != ours.shape or not torch.allclose(expected, ours, rtol=SAME, atol=SAME):
        gap = (
            f"differ by {(expected - ours).abs().max():.2g}"
            if expected.shape == ours.shape
            else f"have the shapes {tuple(ours.shape)} and {tuple(expected.shape)}"
        )
        raise ValueError(f"The layers read from the model do not compute {what}: the two answers {gap}.")
