"""Patches of whitened photographs, as sparse coding is taught on, from photographs that scikit-image ships.

Olshausen & Field, "Emergence of simple-cell receptive field properties by learning a sparse code for natural
images", Nature 381 (1996), whitened ten photographs of their own; UFLDL's exercise (Ng 2011) takes patches of those.
They are not to be had any more as a package; these are others.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aelib.data.imageset import ImageSet
from aelib.extras import extra

Gray = NDArray[np.float64]
BORDER = 8  # pixels at the edges that the filter, which takes the image as periodic, has spoiled

PHOTOGRAPHS = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "moon", "motorcycle")


def photographs() -> dict[str, Gray]:
    """Ten photographs and textures as gray images in [0, 1], of different sizes, by name.

    They lie in scikit-image's own package, which checks each file's SHA-256; nothing is fetched.
    """
    with extra("data"):
        from skimage import color, data

    found = {name: getattr(data, name)() for name in PHOTOGRAPHS if name != "motorcycle"}
    found["motorcycle"] = data.stereo_motorcycle()[0]
    return {name: color.rgb2gray(x) if x.ndim == 3 else x / 255.0 for name, x in found.items()}


def whiten(image: Gray, cutoff: float = 0.4) -> Gray:
    r"""An image with equal power at all frequencies up to a cutoff, mean 0 and variance 1.

    Each frequency is multiplied by :math:`|f| \, e^{-(|f| / f_0)^4}`: photographs have an amplitude of about
    :math:`1 / |f|`, and beyond the cutoff there is mostly noise. Source: Olshausen & Field (1996), footnote on methods.

    Args:
        image: gray, (H, W).
        cutoff: :math:`f_0`, in cycles per pixel (theirs: 200 cycles per 512 pixels).

    Raises:
        ValueError: the image is not two-dimensional, or constant.
    """
    if image.ndim != 2 or image.size == 0 or not np.isfinite(image).all() or np.ptp(image) == 0:
        raise ValueError(
            f"whiten takes a gray image (H, W) of finite numbers that is not constant; it got the shape {image.shape}."
        )
    f = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1]))
    white = np.fft.ifft2(np.fft.fft2(image) * f * np.exp(-((f / cutoff) ** 4))).real
    return (white - white.mean()) / white.std()


def whitened_patches(n: int, size: int = 8, seed: int = 0) -> ImageSet:
    """Random patches of the whitened photographs, in random order; the label is the photograph, 0 to 9.

    As in UFLDL's exercise each patch loses its mean; what is farther from 0 than three standard deviations of all
    patches is cut there; and ±3 deviations become 0.1 and 0.9, so that logistic units can reconstruct them.
    Stored as bytes: a step is 1/34 of a standard deviation.

    Args:
        n: how many, of all photographs together, the same of each (up to one).
        size: side of a patch in pixels.
        seed: decides places and order.

    Raises:
        ValueError: no patch, or patches larger than the smallest photograph.
    """
    images = [whiten(image)[BORDER:-BORDER, BORDER:-BORDER] for image in photographs().values()]
    smallest = min(min(image.shape) for image in images)
    if n < 1 or not 2 <= size <= smallest:
        raise ValueError(f"There are patches from 2 to {smallest} pixels wide, and 1 or more; not {n} of {size}.")
    random = np.random.default_rng(seed)
    label = random.permutation(np.arange(n) % len(images))
    cut = np.stack([_cut(images[i], size, random) for i in label])
    cut -= cut.mean((1, 2), keepdims=True)
    limit = 3 * cut.std()
    scaled = 0.5 + 0.4 * np.clip(cut / limit, -1, 1)
    return ImageSet(_bytes(scaled)[:, None], torch.from_numpy(label))


def _cut(image: Gray, size: int, random: np.random.Generator) -> Gray:
    row, column = (random.integers(0, side - size, endpoint=True) for side in image.shape)
    return image[row : row + size, column : column + size]


def _bytes(x: Gray) -> Tensor:
    return torch.from_numpy((255 * x).round().astype(np.uint8))
