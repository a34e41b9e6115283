"""Pictures with the names of their files and classes, and transparent ones laid over a ground."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from aelib.data.imageset import ImageSet, Index, Splits


@dataclass(frozen=True, eq=False, repr=False)
class Pictures(ImageSet):
    """An :class:`~aelib.data.ImageSet` that knows what its pictures are called.

    Raises:
        ValueError: not one name for each picture, or a label without a class.
    """

    names: tuple[str, ...] = field(default=(), compare=False)  # N, of the pictures
    classes: tuple[str, ...] = field(default=(), compare=False)  # of the labels: picture i is of classes[y[i]]
    left_out: Mapping[str, str] = field(
        default_factory=dict, compare=False
    )  # files that could not be read, and why not

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.names) != len(self.x):
            raise ValueError(f"Each picture has a name; there are {len(self.x)} pictures and {len(self.names)} names.")
        if len(self.y) and not 0 <= int(self.y.min()) <= int(self.y.max()) < len(self.classes):
            raise ValueError(f"Labels run from 0 to {len(self.classes) - 1}, by the classes; these do not.")

    def __repr__(self) -> str:
        left = f", {len(self.left_out)} files left out" if self.left_out else ""
        return f"{len(self):,} pictures {tuple(self.x.shape[1:])} of {len(self.classes)} classes{left}"

    def __getitem__(self, index: Index) -> "Pictures":
        """The pictures at a slice, or at the positions in a list or an int64 tensor."""
        chosen = super().__getitem__(index)
        places = range(len(self))[index] if isinstance(index, slice) else torch.as_tensor(index).tolist()
        return replace(self, x=chosen.x, y=chosen.y, names=tuple(self.names[i] for i in places))

    def to(self, device: torch.device | str) -> "Pictures":
        """The same pictures on another device."""
        return replace(self, x=self.x.to(device), y=self.y.to(device))

    def split(self, test: float = 0.1, seed: int = 0, groups: Sequence[object] | None = None) -> Splits:
        """Random training and test pictures.

        Args:
            test: the fraction of the groups that becomes the test part, rounded, one at least.
            seed: of the choice.
            groups: one entry a picture. Pictures with the same entry, such as photographs of one person, come to the
                same side: else the test asks for what was learned by heart. By default each picture is its own group.

        Raises:
            ValueError: *test* is not between 0 and 1, there are fewer than two groups, or not one entry a picture.
        """
        own = list(range(len(self))) if groups is None else list(groups)
        if len(own) != len(self):
            raise ValueError(f"groups has an entry for each of the {len(self)} pictures; it got {len(own)}.")
        kinds = {group: number for number, group in enumerate(dict.fromkeys(own))}
        if not 0 < test < 1 or len(kinds) < 2:
            raise ValueError(
                f"A split takes a fraction between 0 and 1 of two groups or more; it got {test} of {len(kinds)}."
            )
        number = min(max(1, round(test * len(kinds))), len(kinds) - 1)
        order = torch.randperm(len(kinds), generator=torch.Generator().manual_seed(seed))
        held = torch.zeros(len(kinds), dtype=torch.bool).index_fill_(0, order[:number], True)
        tested = held[torch.tensor([kinds[group] for group in own])]
        train, held_out = (self[mask.nonzero()[:, 0]] for mask in (~tested, tested))
        return Splits(train, held_out, source=f"a random split, seed {seed}", official=False)


def over(rgba: NDArray[np.uint8], ground: int | Sequence[int]) -> NDArray[np.uint8]:  # (..., 4) -> (..., 3)
    r"""Pictures with an opacity :math:`\alpha` over an opaque ground *g*, :math:`\alpha c + (1 - \alpha) g`, rounded.

    Porter & Duff, "Compositing digital images", SIGGRAPH 1984. Colors and opacity are bytes; *ground* is one gray
    level or three, from 0 to 255.
    """
    alpha = rgba[..., 3:].astype(np.uint16)  # 255 * 255 + 127 fits
    mixed = rgba[..., :3] * alpha + np.asarray(ground, np.uint16) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def check_ground(ground: int | Sequence[int]) -> None:
    """Raise a ValueError unless *ground* is a gray level or three levels, from 0 to 255."""
    levels = [ground] if isinstance(ground, int) else list(ground)
    if len(levels) not in (1, 3) or not all(isinstance(v, int) and 0 <= v <= 255 for v in levels):
        raise ValueError(f"A ground is one level or (red, green, blue), whole numbers from 0 to 255; it got {ground}.")
