"""One picture file as an array of bytes, whatever its format, mode and rotation; or an error that says what is wrong.

Read by Pillow. A file is not trusted: its format is told from its content, and one that would fill the memory is
refused before it is decoded.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from aelib.data.pictures import over
from aelib.extras import extra

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "GIF")
SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif"}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
Fit = Literal["crop", "pad", "stretch"]


class Unreadable(ValueError):
    """A file is no picture that can be read; the message says why."""


def decode(
    path: str | os.PathLike[str],
    size: tuple[int, int],
    channels: int,
    fit: Fit = "crop",
    ground: int | Sequence[int] = 255,
) -> NDArray[np.uint8]:
    """A file as a picture of one size and number of channels, (H, W, C).

    Turned as its EXIF orientation says; of an animation or a file of several pages the first. 16 bits a channel are
    rounded to 8. CMYK and palettes become red, green and blue; color profiles are not applied.

    Args:
        path: of a PNG, JPEG, WebP, TIFF, BMP or GIF file.
        size: height and width, in pixels.
        channels: 1 for gray (ITU-R 601 luma), 3 for color, 4 for color and opacity.
        fit: as :func:`aelib.data.folder` takes it.
        ground: what shows through transparent parts and is around a padded picture, from 0 to 255.

    Raises:
        Unreadable: the file is no whole picture of these formats, or has too many pixels.
        OSError: the system does not give the file.
    """
    with extra("data"):
        from PIL import Image, UnidentifiedImageError

    if not stat.S_ISREG(os.stat(path).st_mode):  # to open a pipe would wait for its other end
        raise Unreadable("it is no plain file")
    try:
        with Image.open(path, formats=FORMATS) as image:
            most = Image.MAX_IMAGE_PIXELS
            if most is not None and image.width * image.height > most:
                raise Image.DecompressionBombError
            if image.format in ("JPEG", "MPO"):  # the second has another view in it, as phones make them
                # Decoded at 1/2, 1/4 or 1/8, where that is still twice the size or more.
                image.draft(None, (2 * max(size), 2 * max(size)))
            image.load()
            return _fitted(_opaque(image, channels, ground), size, fit, ground)
    except Image.DecompressionBombError as error:
        raise Unreadable(
            f"it has more than {Image.MAX_IMAGE_PIXELS:,} pixels: raise PIL.Image.MAX_IMAGE_PIXELS if you trust it"
        ) from error
    except UnidentifiedImageError as error:
        what = "is empty" if not os.stat(path).st_size else "is damaged, or no PNG, JPEG, WebP, TIFF, BMP or GIF"
        raise Unreadable(f"it {what}") from error
    except Unreadable:
        raise
    except Exception as error:  # each decoder fails in its own ways
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Unreadable(f"it cannot be decoded: {' '.join(str(error).split()) or type(error).__name__}") from error


def _opaque(image: "Image.Image", channels: int, ground: int | Sequence[int]) -> "Image.Image":
    """The picture the right way up, in the mode of so many channels."""
    from PIL import Image, ImageOps

    if image.mode in ("I", "F") and not (image.mode == "I" and image.format == "PNG"):
        raise Unreadable("it has 32 bits a pixel, whose range is not known: save it with 8 or 16")
    transparent = image.info.get("transparency")
    with suppress(Exception):  # a broken EXIF block says nothing of the picture
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits of gray
        deep = np.asarray(image).astype(np.uint32)
        gray = Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8))
        if isinstance(transparent, int):
            gray.putalpha(Image.fromarray(np.where(deep == transparent, 0, 255).astype(np.uint8)))
        image = gray
    if channels == 4:
        return image.convert("RGBA")
    if image.has_transparency_data:
        image = Image.fromarray(over(np.asarray(image.convert("RGBA")), ground))
    # By way of RGB: gray from CMYK or a palette is then that of the colors one sees.
    image = image if image.mode in ("1", "L", "RGB") else image.convert("RGB")
    return image.convert(MODES[channels])


def _fitted(image: "Image.Image", size: tuple[int, int], fit: Fit, ground: int | Sequence[int]) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    wanted, method = (size[1], size[0]), Image.Resampling.BICUBIC
    if fit == "crop":
        image = ImageOps.fit(image, wanted, method)
    elif fit == "pad":
        levels = (ground,) * 3 if isinstance(ground, int) else tuple(ground)
        around = Image.new("RGB", wanted, levels).convert(image.mode)
        if image.mode == "RGBA":
            around.putalpha(0)
        inner = ImageOps.contain(image, wanted, method)
        around.paste(inner, ((wanted[0] - inner.width) // 2, (wanted[1] - inner.height) // 2))
        image = around
    else:
        image = image.resize(wanted, method)
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def is_picture(name: str) -> bool:
    """Whether a file's name ends as those of pictures do; hidden files are none."""
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
