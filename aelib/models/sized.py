"""Networks for data of any shape, whose sizes follow from stated rules: pictures, tables, windows of series.

Pictures (C, H, W), from 8 x 8 on and of any proportions, odd sizes included:

1. Each stage halves the sides that are longer than 7, rounding up, by a convolution with stride 2, until no side is: 28
   becomes 14, 7; 64 becomes 32, 16, 8, 4; 458 x 690 ends at 4 x 6. Its kernel is 4 along an even side, else 3.
2. The first stage has *width* channels, each further one twice as many as the one before, but no more than 8 *width*.
3. A linear layer leads from what is left to the code.
4. The decoder goes the same way back. It repeats pixels up to the very size that the encoder had there, then convolves
   by 3 x 3: so odd sizes come back, and no checkerboard (Odena et al., "Deconvolution and checkerboard artifacts",
   Distill 2016).

Rows of *d* numbers: two hidden layers, the first as wide as the power of two at or above *d*, from 32 to 512, the
second half as wide.

Windows of *T* steps: an LSTM reads them; a linear layer leads from its last state to the code. Another LSTM writes them
from the code, which it is given at each step together with the step's place. Without its place an LSTM has to count,
and often learns no more than the mean.

All layers before ReLUs start as He et al. (2015).
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

from aelib.interfaces import Likelihood
from aelib.likelihoods import Bernoulli, Gaussian
from aelib.models.autoencoder import EncoderDecoder
from aelib.models.quantizers import EMAQuantizer
from aelib.models.rows import States
from aelib.models.vae import VAE
from aelib.models.vqvae import VQVAE
from aelib.nets import count_parameters, he_init, mlp, open_forget_gates

LONGEST = 4096  # pixels of a side
SHORT = 7  # a side that is no longer is halved no more
GROWTH = 8  # the last stage has so many times the channels of the first at most
NARROWEST, WIDEST = 32, 512  # a table's first hidden layer
WAVES = 8  # pairs of sine and cosine that tell a step's place
BITS, NUMBERS = Bernoulli(), Gaussian()

Size = tuple[int, int, int]
M = TypeVar("M", bound=nn.Module)


def conv_autoencoder(
    shape: Sequence[int], latent: int, *, width: int = 32, likelihood: Likelihood = BITS, show: bool = True
) -> EncoderDecoder:
    """A convolutional autoencoder of pictures of any size; its sizes are printed.

    Args:
        shape: (C, H, W) of a picture, one side at least of 8 pixels or more.
        latent: size of the code.
        width: channels of the first stage.
        likelihood: of the pixels; its mean is the output, a sigmoid by default.
        show: whether to print the sizes.

    Raises:
        ValueError: a shape or size that cannot be.
    """
    sizes = stages(shape, width)
    encoder = nn.Sequential(*_down(sizes), nn.Flatten(), nn.Linear(math.prod(sizes[-1]), latent))
    decoder = nn.Sequential(nn.Linear(latent, math.prod(sizes[-1])), nn.ReLU(), nn.Unflatten(1, sizes[-1]), *_up(sizes))
    model = EncoderDecoder(_started(encoder), _started(decoder), sizes[0], likelihood)
    return _shown(model, sizes, f"{latent:,} numbers", show)


def conv_vae(
    shape: Sequence[int], latent: int, *, width: int = 32, likelihood: Likelihood = BITS, show: bool = True
) -> VAE:
    """The variational kin of :func:`conv_autoencoder`: the encoder ends in a mean and a log variance for each latent.

    Arguments and errors as there.
    """
    sizes = stages(shape, width)
    encoder = nn.Sequential(*_down(sizes), nn.Flatten(), nn.Linear(math.prod(sizes[-1]), 2 * latent))
    decoder = nn.Sequential(nn.Linear(latent, math.prod(sizes[-1])), nn.ReLU(), nn.Unflatten(1, sizes[-1]), *_up(sizes))
    model = VAE(_started(encoder), _started(decoder), sizes[0], likelihood)
    return _shown(model, sizes, f"{latent:,} latents", show)


def conv_vqvae(
    shape: Sequence[int], codes: int = 512, dim: int = 16, *, halvings: int = 2, width: int = 64, show: bool = True
) -> VQVAE:
    """The quantized kin: a grid of symbols, each side of the picture halved *halvings* times, rounding up.

    The codebook follows the encoder by moving averages (:class:`~aelib.models.quantizers.EMAQuantizer`).

    Args:
        shape: (C, H, W) of a picture.
        codes: K, the number of symbols.
        dim: numbers in the vector of a symbol.
        halvings: of each side, 1 to 4.
        width: channels of the last stage; the first has half as many.
        show: whether to print the sizes.

    Raises:
        ValueError: a shape or size that cannot be.
    """
    if not 1 <= halvings <= 4:
        raise ValueError(f"A grid of symbols is made by 1 to 4 halvings; it got {halvings}.")
    sizes = stages(shape, width // 2, halvings, growth=2)
    encoder = nn.Sequential(*_down(sizes), nn.Conv2d(sizes[-1][0], dim, 1))
    decoder = nn.Sequential(nn.Conv2d(dim, sizes[-1][0], 3, padding=1), nn.ReLU(), *_up(sizes))
    model = VQVAE(_started(encoder), EMAQuantizer(codes, dim), _started(decoder), sizes[0])
    return _shown(model, sizes, f"a grid of {sizes[-1][1]}×{sizes[-1][2]} of {codes:,} symbols", show)


def row_autoencoder(width: int, latent: int, likelihood: Likelihood = NUMBERS, *, show: bool = True) -> EncoderDecoder:
    """A dense autoencoder of rows of *width* numbers, as a table has them; its sizes are printed.

    Args:
        width: numbers of a row.
        latent: size of the code.
        likelihood: of a row, such as ``Mixed(table.columns.blocks)``; its mean is the output.
        show: whether to print the sizes.

    Raises:
        ValueError: a size below 1.
    """
    widths = _widths(width, latent)
    down, up = mlp(widths, nn.ReLU), mlp(widths[::-1], nn.ReLU)
    return _told(EncoderDecoder(_started(down), _started(up), (width,), likelihood), widths, show)


def row_vae(width: int, latent: int, likelihood: Likelihood = NUMBERS, *, show: bool = True) -> VAE:
    """The variational kin of :func:`row_autoencoder`; arguments and errors as there."""
    widths = _widths(width, latent)
    down, up = mlp((*widths[:-1], 2 * latent), nn.ReLU), mlp(widths[::-1], nn.ReLU)
    return _told(VAE(_started(down), _started(up), (width,), likelihood), widths, show)


def sequence_autoencoder(
    shape: Sequence[int], latent: int, *, hidden: int = 64, likelihood: Likelihood = NUMBERS, show: bool = True
) -> EncoderDecoder:
    """An LSTM autoencoder of windows (T, channels); its sizes are printed.

    Args:
        shape: (T, channels) of a window.
        latent: size of the code.
        hidden: numbers in a state, of both LSTMs.
        likelihood: of the values; its mean is the output.
        show: whether to print the sizes.

    Raises:
        ValueError: a shape or size that cannot be.
    """
    encoder, decoder = _sequence(shape, latent, latent, hidden)
    model = EncoderDecoder(encoder, decoder, tuple(shape), likelihood)
    return _told(model, (math.prod(shape), hidden, latent), show, f"{shape[0]} steps of {shape[1]}")


def sequence_vae(
    shape: Sequence[int], latent: int, *, hidden: int = 64, likelihood: Likelihood = NUMBERS, show: bool = True
) -> VAE:
    """The variational kin of :func:`sequence_autoencoder`; arguments and errors as there."""
    encoder, decoder = _sequence(shape, latent, 2 * latent, hidden)
    model = VAE(encoder, decoder, tuple(shape), likelihood)
    return _told(model, (math.prod(shape), hidden, latent), show, f"{shape[0]} steps of {shape[1]}")


class Unroll(nn.Module):
    """The same code at each of *steps* steps, with the step's place: (B, latent) to (B, steps, latent + 16).

    The place is told as in Vaswani et al. (2017), section 3.5, by sines and cosines whose wavelengths are spaced
    geometrically, here from 4 steps to twice the window.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        wavelengths = torch.logspace(math.log10(4), math.log10(max(4, 2 * steps)), WAVES)
        angles = 2 * math.pi * torch.arange(steps)[:, None] / wavelengths
        self.register_buffer("places", torch.cat([angles.sin(), angles.cos()], 1), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        places = self.get_buffer("places").to(z.dtype)
        return torch.cat([z[:, None].expand(-1, self.steps, -1), places.expand(z.shape[0], -1, -1)], 2)


def stages(shape: Sequence[int], width: int, halvings: int | None = None, growth: int = GROWTH) -> list[Size]:
    """The sizes from a picture down, (channels, height, width) of each stage, by the rules of this module.

    Args:
        shape: (C, H, W) of the picture, which comes first.
        width: channels of the first stage.
        halvings: how many stages; by default until no side is longer than 7.
        growth: the last stage has so many times *width* channels at most.

    Raises:
        ValueError: no (C, H, W) whose longer side is from 8 to 4,096; or no channel.
    """
    if len(shape) != 3 or min(shape) < 1 or not SHORT < max(shape[1:]) <= LONGEST:
        raise ValueError(f"A picture is (C, H, W), its longer side from 8 to {LONGEST}; it got {tuple(shape)}.")
    if width < 1:
        raise ValueError(f"A stage has 1 channel or more; width is {width}.")
    channels, height, across = shape
    found: list[Size] = [(channels, height, across)]
    while len(found) <= halvings if halvings is not None else max(height, across) > SHORT:
        height, across = (-(-side // 2) if side > (1 if halvings else SHORT) else side for side in (height, across))
        found.append((min(width * 2 ** (len(found) - 1), growth * width), height, across))
    return found


def _down(sizes: Sequence[Size]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for (inputs, *before), (outputs, *after) in pairwise(sizes):
        # A side n becomes ceil(n / 2): of an odd one a kernel of 3 sees every pixel, of an even one it takes 4.
        stride = (1 + (before[0] != after[0]), 1 + (before[1] != after[1]))
        kernel = (3 + (2 * after[0] == before[0]), 3 + (2 * after[1] == before[1]))
        layers += [nn.Conv2d(inputs, outputs, kernel, stride, padding=1), nn.ReLU()]
    return layers


def _up(sizes: Sequence[Size]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for (outputs, *after), (inputs, *_) in zip(sizes[-2::-1], sizes[:0:-1], strict=True):
        layers += [nn.Upsample(tuple(after)), nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
    return layers[:-1]


def _started(net: nn.Sequential) -> nn.Sequential:
    he_init(net)
    return net


def _widths(width: int, latent: int) -> tuple[int, ...]:
    if width < 1 or latent < 1:
        raise ValueError(f"A row and its code have 1 number or more; they have {width} and {latent}.")
    first = min(WIDEST, max(NARROWEST, 2 ** math.ceil(math.log2(width))))
    return width, first, first // 2, latent


def _sequence(shape: Sequence[int], latent: int, encoded: int, hidden: int) -> tuple[nn.Sequential, nn.Sequential]:
    if len(shape) != 2 or min(*shape, latent, hidden) < 1:
        raise ValueError(
            f"A window is (steps, channels), its code and the LSTMs' states have 1 number or more; it got "
            f"{tuple(shape)}, latent {latent}, hidden {hidden}."
        )
    steps, channels = shape
    encoder = nn.Sequential(States(channels, hidden, last=True), nn.Linear(hidden, encoded))
    decoder = nn.Sequential(Unroll(steps), States(latent + 2 * WAVES, hidden), nn.Linear(hidden, channels))
    for module in (*encoder.modules(), *decoder.modules()):
        if isinstance(module, nn.LSTM):
            open_forget_gates(module)
    return encoder, decoder


def _shown(model: M, sizes: Sequence[Size], code: str, show: bool) -> M:
    if show:
        told = " → ".join("×".join(map(str, size)) for size in sizes)
        print(f"{told} → {code}; {count_parameters(model):,} parameters")
    return model


def _told(model: M, widths: Sequence[int], show: bool, first: str = "") -> M:
    if show:
        told = [first or f"{widths[0]:,}", *(f"{width:,}" for width in widths[1:])]
        print(f"{' → '.join(told)} numbers; {count_parameters(model):,} parameters")
    return model
