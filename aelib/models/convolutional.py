"""Convolutional autoencoders for 28x28 images, as they were published: from low resolution, plain, pooled, strided."""

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


class PooledConvolutional(EncoderDecoder):
    """Two convolutions, each followed by pooling, and two transposed convolutions back, for 28x28 images.

    There is no layer between: the code is all of the second pooling's output, 32 x 7 x 7 = 1,568 numbers for 784
    pixels. Vakacharla, "Exploring autoencoders with the FashionMNIST dataset", GitHub (2025).
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


class StridedConvolutional(EncoderDecoder):
    """Two convolutions that halve the side by strides, a dense layer down to the code, and the same way back.

    With twice the channels of :class:`PooledConvolutional`, and batch normalization; under several processes each
    normalizes by its own part of the batch. For 28x28 images.

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
