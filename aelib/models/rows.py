"""A recurrent autoencoder of images: a picture is read row by row, as a sentence of rows, and written so again.

The LSTM is that of Hochreiter & Schmidhuber (1997). Srivastava, Mansimov & Salakhutdinov, "Unsupervised learning of
video representations using LSTMs", ICML 2015, have such a pair for frames of a film. Here the decoder is told the code
at each step and nothing else, so that nothing goes around it.
"""

from torch import Tensor, nn

from aelib.models.autoencoder import EncoderDecoder
from aelib.nets import remember


class RowReader(nn.Module):
    """An LSTM over the rows of a gray image; its last state, through a linear map, is the code.

    Args:
        columns: pixels in a row.
        hidden: size of the LSTM's state.
        latent: size of the code.
    """

    def __init__(self, columns: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.lstm = remember(nn.LSTM(columns, hidden, batch_first=True))
        self.down = nn.Linear(hidden, latent)

    def forward(self, x: Tensor) -> Tensor:  # (B, 1, H, W) -> (B, latent)
        """The codes of a batch of images."""
        _, (h, _) = self.lstm(x[:, 0])  # h: (1, B, hidden)
        return self.down(h[0])


class RowWriter(nn.Module):
    """An LSTM that sees the code at each of its steps; a linear map makes a row of each of its outputs.

    Args:
        latent, hidden, columns: as for :class:`RowReader`.
        rows: how many steps it takes.
    """

    def __init__(self, latent: int, hidden: int, columns: int, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.lstm = remember(nn.LSTM(latent, hidden, batch_first=True))
        self.row = nn.Linear(hidden, columns)

    def forward(self, z: Tensor) -> Tensor:  # (B, latent) -> (B, 1, H, W), logits
        """The logits of the images that the codes stand for."""
        outputs, _ = self.lstm(z[:, None].expand(-1, self.rows, -1))
        return self.row(outputs)[:, None]


def row_autoencoder(latent: int = 64, hidden: int = 128, shape: tuple[int, int, int] = (1, 28, 28)) -> EncoderDecoder:
    """The pair as an autoencoder of gray images.

    Args:
        latent: size of the code.
        hidden: size of both LSTMs' states.
        shape: (1, H, W).

    Raises:
        ValueError: the images are not gray.
    """
    channels, rows, columns = shape
    if channels != 1:
        raise ValueError(f"A row autoencoder reads gray images, (1, H, W); it got the shape {shape}.")
    encoder = nn.Sequential(RowReader(columns, hidden, latent))
    return EncoderDecoder(encoder, nn.Sequential(RowWriter(latent, hidden, columns, rows)), shape)
