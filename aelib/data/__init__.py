"""Data sets as tensors in memory, fetched once, verified on every load."""

from aelib.data.binarize import Binarized, binarize
from aelib.data.images import mnist
from aelib.data.imageset import Batch, ImageSet, Splits
from aelib.data.photographs import photographs, whiten, whitened_patches
from aelib.data.sources import DataError

__all__ = [
    "Batch",
    "Binarized",
    "DataError",
    "ImageSet",
    "Splits",
    "binarize",
    "mnist",
    "photographs",
    "whiten",
    "whitened_patches",
]
