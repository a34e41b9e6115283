"""The five autoencoders of chapter 10, as they were published, and those without a bottleneck with one put in.

Vakacharla, "Exploring autoencoders with the FashionMNIST dataset", GitHub (2025). The fifth, variational one is
:class:`aelib.models.vae.DenseVAE`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from aelib.data import Batch
from aelib.likelihoods import squared_error
from aelib.models.autoencoder import EncoderDecoder
from aelib.nets import UnitColumns, check_widths, mlp, remember


class RectifiedDense(EncoderDecoder):
    """Dense layers down to a code without negative numbers, and back up: a ReLU follows the code's layer too.

    ``RectifiedDense()`` is published twice, as "fully connected" and as "sparse".

    Args:
        widths: from the number of pixels down to the size of the code.
        unit_columns: whether the weights that leave each number of the code have length one. A penalty on the code
            needs it: else the code shrinks and these weights grow instead.
        shape: (C, H, W) of an image.

    Raises:
        ValueError: the first width is not C·H·W, or there are fewer than two.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 128, 64),
        *,
        unit_columns: bool = False,
        shape: Sequence[int] = (1, 28, 28),
    ) -> None:
        check_widths(widths, shape, self)
        encoder = nn.Sequential(nn.Flatten(), *mlp(widths, nn.ReLU, last=True))
        up = mlp(widths[::-1], nn.ReLU)
        if unit_columns:
            up[0] = UnitColumns(widths[-1], widths[-2])
        super().__init__(encoder, nn.Sequential(*up, nn.Unflatten(1, tuple(shape))), shape)


class Pooled(EncoderDecoder):
    """Two convolutions, each followed by pooling, and two transposed convolutions back, for 28x28 images.

    There is no layer between: the code is all of the second pooling's output, 32 x 7 x 7 = 1,568 numbers for 784
    pixels.
    """

    def __init__(self) -> None:
        encoder = nn.Sequential(  # (B, 1, 28, 28)
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),  # (B, 16, 14, 14)
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),  # (B, 32, 7, 7)
            nn.Flatten(),
        )
        decoder = nn.Sequential(  # (B, 1568)
            nn.Unflatten(1, (32, 7, 7)),
            nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1),  # (B, 16, 14, 14)
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1),  # (B, 1, 28, 28), logits
        )
        super().__init__(encoder, decoder)


class Strided(EncoderDecoder):
    """Two convolutions that halve the side by strides, a dense layer down to the code, and the same way back.

    With twice the channels of :class:`Pooled`, and batch normalization; under several processes each normalizes by its
    own part of the batch. For 28x28 images.

    Args:
        latent: size of the code.
    """

    def __init__(self, latent: int = 64) -> None:
        encoder = nn.Sequential(  # (B, 1, 28, 28)
            nn.Conv2d(1, 32, 3, stride=2, padding=1, bias=False),  # (B, 32, 14, 14)
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False),  # (B, 64, 7, 7)
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(3136, latent),
        )
        decoder = nn.Sequential(  # (B, latent)
            nn.Linear(latent, 3136),
            nn.ReLU(),
            nn.Unflatten(1, (64, 7, 7)),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1, bias=False),  # (B, 32, 14, 14)
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),  # (B, 1, 28, 28), logits
        )
        super().__init__(encoder, decoder)


class States(nn.Module):
    """An LSTM that passes its hidden states on: after each step, (B, T, hidden), or the last alone, (B, hidden).

    Args:
        inputs: numbers at each step.
        hidden: numbers in a state, each between -1 and 1.
        last: whether only the state after the last step is passed on.
    """

    def __init__(self, inputs: int, hidden: int, *, last: bool = False) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:  # (B, T, inputs)
        states = self.lstm(x)[0]
        return states[:, -1] if self.last else states


class Repeat(nn.Module):
    """The same vector at each of *steps* steps: (B, numbers) to (B, steps, numbers)."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, z: Tensor) -> Tensor:
        return z[:, None].expand(-1, self.steps, -1)


class RowStates(EncoderDecoder):
    """One LSTM reads an image row by row, another writes it, and is given *each* state of the first: no bottleneck.

    The code is the states after all 28 rows, 28 x 128 = 3,584 numbers for 784 pixels; row *t* of the reconstruction is
    made when the encoder has just read row *t*. The decoder's states are the pixels: there is no sigmoid.

    Args:
        hidden: numbers in a state of the encoder.
    """

    def __init__(self, hidden: int = 128) -> None:
        encoder = nn.Sequential(nn.Flatten(1, 2), States(28, hidden), nn.Flatten())  # (B, 28 * hidden)
        decoder = nn.Sequential(nn.Unflatten(1, (28, hidden)), States(hidden, 28), nn.Unflatten(1, (1, 28)))
        super().__init__(encoder, decoder)
        self.output = nn.Identity()


class RowCode(EncoderDecoder):
    """One LSTM reads an image row by row; from a code made of its *last* state alone another writes all rows.

    A linear layer leads from the last state to the code. The decoder sees the code at each of the 28 steps; a linear
    layer turns each of its states into a row. The forget gates start open.

    Args:
        latent: size of the code.
        hidden: numbers in a state, of both.
    """

    def __init__(self, latent: int = 64, hidden: int = 128) -> None:
        encoder = nn.Sequential(nn.Flatten(1, 2), States(28, hidden, last=True), nn.Linear(hidden, latent))
        decoder = nn.Sequential(
            Repeat(28), States(latent, hidden), nn.Linear(hidden, 28), nn.Unflatten(1, (1, 28))
        )  # (B, 1, 28, 28), logits
        super().__init__(encoder, decoder)
        for module in self.modules():
            if isinstance(module, nn.LSTM):
                remember(module)  # the first row has to last for 27 more


@dataclass(frozen=True)
class SquaredErrorL1:
    r"""The squared error and the sum of the code's absolute values, :math:`\lVert x - \hat x \rVert^2 + \alpha
    \lVert z \rVert_1`, averaged over the batch.

    Calls ``nets["ae"]``. Reports both terms, and ``active``: how many numbers of a code are not zero.
    """

    alpha: float

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        out = nets["ae"](batch.x)
        error, penalty = squared_error(out.x_hat, batch.x), out.z.abs().sum(1).mean()
        active = (out.z != 0).sum(1).float().mean()
        return {"loss": error + self.alpha * penalty, "squared error": error, "penalty": penalty, "active": active}
