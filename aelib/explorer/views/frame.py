"""A model at one moment of its training: what a film is made of."""

from typing import NamedTuple

from torch import Tensor, nn

from aelib.data import ImageSet
from aelib.explorer.inputs import check_pairs, decode, encode
from aelib.explorer.network.export import frozen
from aelib.explorer.network.packing import as_bytes

FOLLOWED = 10  # images that a film shows the reconstructions of


class Frame(NamedTuple):
    """A model at one moment of its training."""

    label: str
    codes: Tensor  # (N, 2)
    images: Tensor  # (≤ 10, C, H, W) uint8, reconstructions of the first images


def frame(model: nn.Module, images: ImageSet, label: str) -> Frame:
    """What a film shows of a model as it now is; for a callback of ``fit``:

    ``frames.append(frame(model, images, f"epoch {end.epoch}"))``.
    """
    model = frozen(model)
    codes = encode(model, images.images())
    check_pairs(codes, label, "A film")
    return Frame(label, codes, as_bytes(decode(model, codes[:FOLLOWED])))
