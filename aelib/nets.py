"""Small pieces that networks are built from, and how they are started."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aelib.interfaces import Evaluated


def mlp(widths: Sequence[int], activation: Callable[[], nn.Module], *, last: bool = False) -> nn.Sequential:
    """Linear layers of the given widths with an activation between them.

    Args:
        widths: sizes of the layers' inputs and of the final output, e.g. ``(784, 400, 30)``.
        activation: makes an activation module, e.g. ``nn.ReLU``.
        last: whether the activation also follows the last layer.

    Raises:
        ValueError: fewer than two widths, or one that is not positive.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"mlp needs two or more positive widths; it got {tuple(widths)}.")
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*(layers if last else layers[:-1]))


def reading_is_free(x: Tensor) -> bool:
    """Whether a look at the values of *x* is free: a step on a GPU would wait for them, a compiled one has none yet."""
    return x.is_cpu and not torch.compiler.is_compiling()


def check_widths(widths: Sequence[int], shape: Sequence[int], model: nn.Module) -> None:
    """Raise a ValueError unless a dense *model* of images of this shape can have the widths, from the pixels down."""
    if len(widths) < 2 or widths[0] != math.prod(shape):
        raise ValueError(
            f"{type(model).__name__} for images of shape {tuple(shape)} needs two or more widths, "
            f"the first {math.prod(shape)}; it got {tuple(widths)}."
        )


def check_images(x: Tensor, shape: tuple[int, ...], model: nn.Module) -> None:
    """Raise a ValueError unless *x* is a floating-point batch of images of the shape that *model* was built for."""
    if not isinstance(x, Tensor) or tuple(x.shape[1:]) != tuple(shape) or x.ndim != len(shape) + 1:
        came = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{type(model).__name__} expects a batch of images of shape (B, {wanted}); it got {came}.")
    if not x.is_floating_point():
        raise ValueError(
            f"{type(model).__name__} expects floating-point pixels in [0, 1]; it got {x.dtype}. "
            "Take a batch with ImageSet.batch(), which converts bytes."
        )
    _check_type(x, model)


def check_codes(z: Tensor, decoder: nn.Module, model: nn.Module) -> None:
    """Raise a ValueError unless *z* is a floating-point batch of codes that *decoder* can take.

    How many numbers a code has is known where the decoder is, or begins with, a linear layer.
    """
    first = next(iter(decoder.children()), decoder)
    size = getattr(first, "in_features", None)
    if not isinstance(z, Tensor) or not z.is_floating_point() or (size is not None and z.shape[1:] != (size,)):
        came = f"{z.dtype} of shape {tuple(z.shape)}" if isinstance(z, Tensor) else type(z).__name__
        wanted = "(B, ...)" if size is None else f"(B, {size})"
        raise ValueError(f"{type(model).__name__} decodes floating-point codes of shape {wanted}; it got {came}.")
    _check_type(z, model)


def _check_type(x: Tensor, model: nn.Module) -> None:
    weight = next(model.parameters(), None)
    if weight is not None and weight.dtype != x.dtype and not torch.is_autocast_enabled(x.device.type):
        raise TypeError(
            f"{type(model).__name__} has weights of {weight.dtype}; it got {x.dtype}. Convert by .to({weight.dtype})."
        )


class UnitColumns(nn.Linear):
    r"""A linear layer :math:`\hat x = D z + c` whose columns have length one, :math:`D_j = W_j / \lVert W_j \rVert`.

    The gradient of *W* has no part along a column, so nothing needs to be projected after a step.
    """

    def columns(self) -> Tensor:  # (d, units)
        """*D* itself."""
        return F.normalize(self.weight, dim=0)

    def forward(self, z: Tensor) -> Tensor:  # (B, units) -> (B, d)
        return F.linear(z, self.columns(), self.bias)


def _forget_second_copy(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """States of the first edition hold the shared layer a second time, as ``up``."""
    for name in ("up.weight", "up.bias"):
        state.pop(prefix + name, None)


class Transposed(nn.Module):
    """A linear layer whose matrix is the transpose of another layer's: tied weights, with a bias of its own."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features = layer.out_features
        self.bias = nn.Parameter(torch.zeros(layer.in_features))
        self._layer = (layer,)  # in a tuple it is no submodule: its weight is counted, moved and saved once
        self.register_load_state_dict_pre_hook(_forget_second_copy)

    def columns(self) -> Tensor:  # (d, units)
        """The shared matrix, transposed."""
        return self._layer[0].weight.T

    def forward(self, z: Tensor) -> Tensor:  # (B, units) -> (B, d)
        return F.linear(z, self.columns(), self.bias)


def he_init(module: nn.Module) -> nn.Module:
    r"""Start every linear and convolutional layer as He et al. (2015), equation 10: :math:`W \sim N(0, 2/n_\text{in})`.

    Biases start at zero. Made for ReLU stacks: it keeps the signal's variance from layer to layer, where
    PyTorch's default (uniform with variance :math:`1/3n_\text{in}`) shrinks it about 6-fold at each.

    Returns:
        The module itself, changed in place.
    """
    for layer in module.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            # An output pixel of a transposed convolution is reached by (kernel/stride)^2 taps of each input channel.
            taps = math.prod(layer.kernel_size) / math.prod(layer.stride)
            fan_in = layer.in_channels * taps
            nn.init.normal_(layer.weight, std=(2 / fan_in) ** 0.5)
        elif isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return module


def glorot_init(module: nn.Module, gain: float = 1.0) -> nn.Module:
    r"""Start every linear and convolutional layer as Glorot & Bengio (2010), equation 16; biases at zero.

    .. math:: W \sim U(-r, r), \qquad r = \text{gain} \cdot \sqrt{\frac{6}{n_\text{in} + n_\text{out}}}

    The standard deviation is :math:`\text{gain} \sqrt{2 / (n_\text{in} + n_\text{out})}`. A gain of 1 keeps the signal
    and its gradient in a stack of tanh; logistic units need 4 (Bengio 2012, "Practical recommendations", section 3.2):
    their slope at 0 is a quarter of tanh's.

    Returns:
        The module itself, changed in place.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight, gain)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


@torch.no_grad()
def set_output_bias(model: nn.Module, images: Tensor) -> nn.Module:
    r"""Let the decoder's last layer start at the data's mean, so that the code has not to carry it.

    Its bias becomes the mean of each pixel (a linear layer) or of each channel (a convolution) or, where the output is
    a sigmoid, that mean's logit, :math:`\log \frac{m}{1 - m}`, with *m* held between 0.001 and 0.999.

    Args:
        model: with a ``decoder``, and an ``output`` that is ``nn.Sigmoid`` or ``nn.Identity``.
        images: of the training set, shape (N, C, H, W).

    Returns:
        The model itself, changed in place.

    Raises:
        ValueError: the output is another; or the decoder's last layer with weights has no bias, or one of another size.
    """
    decoder, output = model.get_submodule("decoder"), model.get_submodule("output")
    if not isinstance(output, nn.Sigmoid | nn.Identity):
        raise ValueError(f"A bias starts a sigmoid or a linear output at the mean; this one is {output}.")
    weighted = [layer for layer in decoder.modules() if [*layer.parameters(recurse=False)]]
    bias = getattr(weighted[-1], "bias", None) if weighted else None
    mean = images.mean(0)
    if isinstance(weighted[-1] if weighted else None, nn.Conv2d | nn.ConvTranspose2d):
        mean = mean.flatten(1).mean(1)
    if not isinstance(bias, Tensor) or bias.numel() != mean.numel():
        raise ValueError(
            f"The decoder's last layer needs a bias of {mean.numel()} numbers to start at the mean; "
            f"it has {bias.numel() if isinstance(bias, Tensor) else 'none'}."
        )
    start = torch.logit(mean.clamp(1e-3, 1 - 1e-3)) if isinstance(output, nn.Sigmoid) else mean
    bias.copy_(start.flatten())
    return model


def open_forget_gates(lstm: nn.LSTM, bias: float = 1.0) -> nn.LSTM:
    """Start the forget gates of an LSTM nearly open, so that its cells keep what they hold (Gers et al. 2000).

    PyTorch starts them half closed: what enters a cell is then gone after a few steps, and so is its gradient.

    Returns:
        The LSTM itself, changed in place: its forget gates' input biases are *bias*, the rest is as it was.
    """
    size = lstm.hidden_size
    for name, parameter in lstm.named_parameters():
        if name.startswith("bias_ih"):
            nn.init.constant_(parameter.data[size : 2 * size], bias)  # the order is input, forget, cell, output
    return lstm


@contextmanager
def evaluating(model: Evaluated) -> Iterator[torch.device]:
    """The model in evaluation mode and without gradients; afterwards every module is in the mode that it was in.

    Gives the device of the model's parameters (the CPU if it has none). What is computed inside are ordinary tensors:
    unlike those of ``torch.inference_mode``, they can be trained on.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield next((p.device for p in model.parameters()), torch.device("cpu"))
    finally:
        for module, mode in modes:
            module.training = mode


def count_parameters(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
