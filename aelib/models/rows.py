"""Images row by row: LSTMs that read and write the rows of 28x28 images.

:class:`RowStates` is published by Vakacharla, "Exploring autoencoders with the FashionMNIST dataset", GitHub (2025);
:class:`RowCode` is the same with a bottleneck put in.
"""

from torch import Tensor, nn

from aelib.models.autoencoder import EncoderDecoder
from aelib.nets import open_forget_gates


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
                open_forget_gates(module)  # the first row has to last for 27 more
