"""The networks that the benchmarks train: one of each kind that the book has, with its objective."""

from loops import Recipe
from torch import nn

from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.convolutional import Convolutional
from aelib.models.quantizers import EMAQuantizer
from aelib.models.rows import RowCode
from aelib.models.vae import ELBO, DenseVAE
from aelib.models.vqvae import VQLoss, small_vqvae

BATCH = 128


RECIPES = {
    "dense": Recipe(lambda: Autoencoder((784, 512, 256, 128, 64), nn.ReLU), "ae", SquaredError()),
    "VAE": Recipe(lambda: DenseVAE((784, 400, 20), nn.ReLU), "vae", ELBO()),
    "convolutional": Recipe(Convolutional, "ae", SquaredError()),
    "VQ-VAE": Recipe(lambda: small_vqvae(EMAQuantizer(512, 16)), "ae", VQLoss(codebook=0.0)),
    "LSTM": Recipe(RowCode, "ae", SquaredError()),
}
