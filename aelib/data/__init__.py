"""Data sets as tensors in memory, fetched once, verified on every load."""

from aelib.data.images import mnist
from aelib.data.imageset import Batch, ImageSet, Splits
from aelib.data.sources import DataError

__all__ = ["Batch", "DataError", "ImageSet", "Splits", "mnist"]
