"""The models of the book, one paper a file, each with its objective beside it."""

from aelib.models.autoencoder import Autoencoder, CrossEntropy, EncoderDecoder, Reconstruction, SquaredError
from aelib.models.boltzmann import RBM, ContrastiveDivergence, RBMStep, unroll
from aelib.models.convolutional import Convolutional, SuperResolution
from aelib.models.linear import LogisticPCA, pca

__all__ = [
    "RBM",
    "Autoencoder",
    "ContrastiveDivergence",
    "Convolutional",
    "CrossEntropy",
    "EncoderDecoder",
    "LogisticPCA",
    "RBMStep",
    "Reconstruction",
    "SquaredError",
    "SuperResolution",
    "pca",
    "unroll",
]
