"""CelebA for readers who have it: 202,599 photographs of faces, which no package registry carries.

Liu, Luo, Wang & Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015. Its license allows research only.
"""

from pathlib import Path

import torch
from tqdm.auto import tqdm

from aelib.data.fetch.sources import DataError, cache_folder
from aelib.data.imageset import ImageSet
from aelib.extras import extra

CROP = 178  # pixels; the aligned photographs are 178 wide and 218 high


def celeba(split: str = "train", limit: int | None = None, folder: Path | None = None, size: int = 64) -> ImageSet:
    """Aligned faces, cropped to a square and resized, (N, 3, size, size), with the identity number as label.

    Read by torchvision's ``CelebA``, which verifies the lists (not the photographs). Nothing is downloaded. All
    162,770 training images take 2 GB at 64 x 64.

    Args:
        split: ``"train"``, ``"valid"``, ``"test"`` or ``"all"``.
        limit: how many images to read at most, the first of the split; all when None.
        folder: where ``celeba/img_align_celeba/`` and the lists beside it are; the cache folder by default.
        size: side of the images, in pixels.

    Raises:
        DataError: the folder does not hold CelebA as torchvision lays it out.
        ValueError: an unknown split, or a limit below 1.
    """
    with extra("data"):  # torchvision is slow to import, and seldom needed
        from torchvision.datasets import CelebA
        from torchvision.transforms.v2 import CenterCrop, Compose, PILToTensor, Resize

    if limit is not None and limit < 1:
        raise ValueError(f"limit must be 1 or more, or None for all images; it is {limit}.")
    folder = cache_folder() if folder is None else folder
    transform = Compose([CenterCrop(CROP), Resize((size, size), antialias=True), PILToTensor()])
    try:
        faces = CelebA(folder, split, "identity", transform)
    except RuntimeError as error:
        raise DataError(
            f"{folder / 'celeba'} does not hold CelebA ({error}). Put the folder img_align_celeba, the four lists "
            "list_*.txt and identity_CelebA.txt there, from the address in the data set's paper."
        ) from error
    count = len(faces) if limit is None else min(limit, len(faces))
    x, y = torch.empty(count, 3, size, size, dtype=torch.uint8), torch.empty(count, dtype=torch.int64)
    for i in tqdm(range(count), desc="CelebA", unit="image", delay=1, leave=False):
        x[i], y[i] = faces[i]
    return ImageSet(x, y)
