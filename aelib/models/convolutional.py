"""The two convolutional autoencoders of chapter 9, for 28x28 images: super-resolution and plain."""

from torch import nn

from aelib.models.autoencoder import EncoderDecoder


class SuperResolution(EncoderDecoder):
    """Sees the image at half its size and must give it back at full size.

    The encoder first shrinks its input to 14x14 (bilinear), so every reconstruction is an enlargement from
    14x14 through a code of 64 numbers. 1,702,081 parameters at the default size.

    Args:
        latent: size of the code.
    """

    def __init__(self, latent: int = 64) -> None:
        encoder = nn.Sequential(  # (B, 1, 28, 28)
            nn.Upsample(size=(14, 14), mode="bilinear"),  # (B, 1, 14, 14)
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),  # (B, 64, 7, 7)
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(3136, 256),
            nn.ReLU(),
            nn.Linear(256, latent),
        )
        decoder = nn.Sequential(  # (B, latent)
            nn.Linear(latent, 256),
            nn.ReLU(),
            nn.Linear(256, 3136),
            nn.ReLU(),
            nn.Unflatten(1, (64, 7, 7)),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),  # (B, 32, 14, 14)
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),  # (B, 16, 28, 28)
            nn.ReLU(),
            nn.Conv2d(16, 1, 3, padding=1),  # (B, 1, 28, 28), logits
        )
        super().__init__(encoder, decoder)


class Convolutional(EncoderDecoder):
    """Strided convolutions with batch normalization, and a linear layer down to the code.

    1,009,569 parameters at the default size. Under several processes each normalizes by its own part of the batch.

    Args:
        latent: size of the code.
    """

    def __init__(self, latent: int = 64) -> None:
        encoder = nn.Sequential(  # (B, 1, 28, 28)
            nn.Conv2d(1, 32, 3, stride=2, padding=1),  # (B, 32, 14, 14)
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),  # (B, 64, 7, 7)
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Conv2d(64, 128, 3, padding=1),  # (B, 128, 7, 7)
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(6272, latent),
        )
        decoder = nn.Sequential(  # (B, latent)
            nn.Linear(latent, 6272),
            nn.ReLU(),
            nn.Unflatten(1, (128, 7, 7)),
            nn.Conv2d(128, 64, 3, padding=1),  # (B, 64, 7, 7)
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),  # (B, 32, 14, 14)
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),  # (B, 1, 28, 28), logits
        )
        super().__init__(encoder, decoder)
