"""Pictures as files: PNG of few colors, which look the same and weigh a third."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colors = NDArray[np.int32]


def fewer_colors(png: bytes, colors: int = 256) -> bytes:
    """The same picture on white, in a palette of its own of at most *colors*; *png* itself if that is not smaller.

    Raises:
        ValueError: the palette would have no color, or more than the 256 that a PNG's can have.
    """
    if not 1 <= colors <= 256:
        raise ValueError(f"A PNG's palette has 1 to 256 colors; it got {colors}.")
    drawn = Image.open(BytesIO(png)).convert("RGBA")
    page = Image.new("RGBA", drawn.size, "white")
    page.alpha_composite(drawn)
    pixels = np.asarray(page.convert("RGB"), dtype=np.int32)
    packed = pixels @ np.array([1 << 16, 1 << 8, 1], dtype=np.int32)
    values, place, counts = np.unique(packed, return_inverse=True, return_counts=True)
    own = np.stack([values >> 16, values >> 8 & 255, values & 255], 1).astype(np.int32)
    palette, entry = _spread(own, counts, colors)
    image = Image.fromarray(entry[place].reshape(packed.shape).astype(np.uint8), "P")
    image.putpalette(palette.astype(np.uint8).tobytes())
    smaller = BytesIO()
    image.save(smaller, "png", optimize=True)
    return min(smaller.getvalue(), png, key=len)


def _spread(own: Colors, counts: NDArray[np.int64], colors: int) -> tuple[Colors, NDArray[np.int64]]:
    """A palette taken from a picture's own colors (n, 3), and for each of these its entry: the nearest one.

    From the most frequent color on, each entry is the color that is farthest from those before (Gonzalez 1985): no
    palette of that size has half the largest error. Palettes that split the picture by the number of its pixels, as
    Pillow's, give a few dark red and dark blue ones among many light ones a single purple.
    """
    chosen = [int(counts.argmax())]
    entry = np.zeros(len(own), dtype=np.int64)
    nearest = np.square(own - own[chosen[0]]).sum(1)
    while len(chosen) < colors and nearest.max() > 0:
        farthest = int(nearest.argmax())
        distance = np.square(own - own[farthest]).sum(1)
        entry[distance < nearest] = len(chosen)
        nearest = np.minimum(nearest, distance)
        chosen.append(farthest)
    return own[chosen], entry
