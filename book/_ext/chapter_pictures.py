"""A chapter's own best figure, out of its outputs: small for its card, large for previews in messages and feeds."""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from aelib.plots import fewer_colors

CARD = (400, 250)  # pixels, about as wide as a card is shown
PREVIEW = (1200, 630)  # what previews are cut to
WHOLE = (1.2, 2.4)  # width over height of figures that a card shows whole; others are cut to fill it
QUALITY = 50  # of a card's WebP
MARGIN = 40  # pixels around a preview's figure
GAP = 10  # between the figures of the book's own preview
COLORS = 64  # of a preview


@dataclass(frozen=True)
class Figure:
    """A figure of a chapter: its picture, and what it shows in words."""

    image: Image.Image
    alt: str


def figure(notebook: Path, name: str) -> Figure | None:
    """The figure of that name among a notebook's outputs; None where there is none."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        marked = cell["metadata"].get("mystnb", {})
        if marked.get("figure", {}).get("name") != name:
            continue
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                drawn = Image.open(BytesIO(base64.b64decode("".join(png)))).convert("RGBA")
                page = Image.new("RGBA", drawn.size, "white")
                page.alpha_composite(drawn)
                return Figure(page.convert("RGB"), marked.get("image", {}).get("alt", ""))
    return None


def framed(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The figure in a frame of that size: whole on white where it is about as wide, else cut to fill it."""
    if WHOLE[0] <= image.width / image.height <= WHOLE[1]:
        return ImageOps.pad(image, size, Image.Resampling.LANCZOS, color="white")
    return ImageOps.fit(image, size, Image.Resampling.LANCZOS, centering=(0, 0.5))


def card(image: Image.Image) -> bytes:
    """A WebP for the chapter's card."""
    written = BytesIO()
    framed(image, CARD).save(written, "webp", quality=QUALITY, method=6)
    return written.getvalue()


def preview(image: Image.Image) -> bytes:
    """A PNG of the size that previews have, the figure whole."""
    inside = (PREVIEW[0] - 2 * MARGIN, PREVIEW[1] - 2 * MARGIN)
    shown = ImageOps.pad(image, inside, Image.Resampling.LANCZOS, color="white")
    return _png(ImageOps.expand(shown, MARGIN, "white"))


def all_of(images: Sequence[Image.Image]) -> bytes:
    """A PNG of that size with all figures side by side, for the book's own preview."""
    page = Image.new("RGB", PREVIEW, "white")
    columns = max(1, math.ceil(math.sqrt(len(images) * PREVIEW[0] / PREVIEW[1] * CARD[1] / CARD[0])))
    rows = max(1, math.ceil(len(images) / columns))
    size = (PREVIEW[0] // columns, PREVIEW[1] // rows)
    for i, image in enumerate(images):
        shown = framed(image, (size[0] - GAP, size[1] - GAP))
        page.paste(shown, (i % columns * size[0] + GAP // 2, i // columns * size[1] + GAP // 2))
    return _png(page)


def _png(page: Image.Image) -> bytes:
    written = BytesIO()
    page.save(written, "png")
    return fewer_colors(written.getvalue(), COLORS)
