"""Two small trained models and a film of one, for the tests of explorers."""

from functools import cache

import torch
from blobs import blobs
from torch import Tensor, nn

from aelib import explorer
from aelib.models.autoencoder import Autoencoder, CrossEntropy, EncoderDecoder
from aelib.training import Phase, fit
from aelib.training.optimizers import adam

NASTY = '</script><img src=x onerror="alert(1)"> é & β'
SMALL = blobs(120, 8)
UNSEEN = blobs(400, 8, seed=1)


class Resized(EncoderDecoder):
    """Every step that the dense network has not: resizing, both convolutions, batch normalization, tanh."""

    def __init__(self) -> None:
        encoder = nn.Sequential(
            nn.Upsample(size=(6, 6), mode="bilinear"),
            nn.Conv2d(1, 5, 3, stride=2, padding=1),
            nn.BatchNorm2d(5),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(45, 2),
        )
        decoder = nn.Sequential(
            nn.Linear(2, 48),
            nn.Tanh(),
            nn.Unflatten(1, (3, 4, 4)),
            nn.ConvTranspose2d(3, 6, 4, stride=2, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 1, 3, padding=1),
        )
        super().__init__(encoder, decoder, (1, 8, 8))


class Symbols(nn.Module):
    """A quantized autoencoder with 3 x 3 places and 5 codes of 2 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codebook", torch.randn(5, 2))
        self.encoder = nn.Conv2d(1, 2, 4, stride=2)
        self.decoder = nn.Sequential(nn.ConvTranspose2d(2, 4, 4, stride=2), nn.ReLU(), nn.Conv2d(4, 1, 1), nn.Sigmoid())
        for weight in self.parameters():
            nn.init.normal_(weight)

    def indices(self, x: Tensor) -> Tensor:
        return (self.encoder(x)[:, None] - self.codebook[:, :, None, None]).square().sum(2).argmin(1)

    def lookup(self, indices: Tensor) -> Tensor:
        return self.codebook[indices].movedim(-1, 1)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


@cache
def symbols() -> Symbols:
    torch.manual_seed(0)
    return Symbols()


@cache
def trained() -> tuple[dict[str, EncoderDecoder], list[explorer.Frame]]:
    torch.manual_seed(0)
    models = {NASTY: Autoencoder((64, 32, 2), nn.SiLU, (1, 8, 8)), "Resized": Resized()}
    frames = [explorer.frame(models[NASTY], SMALL, "start")]
    for model in models.values():
        fit({"ae": model}, Phase(CrossEntropy(), adam(1e-2)), SMALL, epochs=20, batch_size=30)
    return models, [*frames, explorer.frame(models[NASTY], SMALL, NASTY)]
