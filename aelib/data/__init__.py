"""Data sets as tensors in memory, fetched once, verified on every load; and the reader's own: :func:`folder`,
:func:`table`, :func:`series`."""

from aelib.data.binarize import Binarized, binarize
from aelib.data.celeba import celeba
from aelib.data.columns import Columns
from aelib.data.emoji import emoji
from aelib.data.fashion import CLOTHES, fashion_mnist
from aelib.data.fetch.sources import DataError
from aelib.data.folder import folder
from aelib.data.grammar import Grammar
from aelib.data.grids import Grids
from aelib.data.images import mnist
from aelib.data.imageset import Batch, ImageSet, Splits
from aelib.data.photographs import photographs, whiten, whitened_patches
from aelib.data.pictures import Pictures
from aelib.data.reviews import Reviews, ReviewSplits, imdb, rotten_tomatoes
from aelib.data.series import Scaling, Series, Windows, series
from aelib.data.sprites import Sprites, sprites
from aelib.data.table import Table, table
from aelib.data.text import EOS, PAD, UNKNOWN, Buckets, TextSet, Vocabulary, reversed_words, tokenize, with_end
from aelib.data.variations import Variation, variation
from aelib.data.vectors import Vectors

__all__ = [
    "CLOTHES",
    "EOS",
    "PAD",
    "UNKNOWN",
    "Batch",
    "Binarized",
    "Buckets",
    "Columns",
    "DataError",
    "Grammar",
    "Grids",
    "ImageSet",
    "Pictures",
    "ReviewSplits",
    "Reviews",
    "Scaling",
    "Series",
    "Splits",
    "Sprites",
    "Table",
    "TextSet",
    "Variation",
    "Vectors",
    "Vocabulary",
    "Windows",
    "binarize",
    "celeba",
    "emoji",
    "fashion_mnist",
    "folder",
    "imdb",
    "mnist",
    "photographs",
    "reversed_words",
    "rotten_tomatoes",
    "series",
    "sprites",
    "table",
    "tokenize",
    "variation",
    "whiten",
    "whitened_patches",
    "with_end",
]
