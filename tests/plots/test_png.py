"""A palette of few colors keeps what a picture says, in its rare colors too."""

from io import BytesIO

import matplotlib
import numpy as np
import pytest
from PIL import Image

from aelib.plots import fewer_colors


def png(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(file)).convert("RGB")).astype(int)


@pytest.mark.parametrize("colors", [256, 64, 32])
def test_dark_red_and_dark_blue_stay_apart_however_few_their_pixels(colors: int) -> None:
    values = np.random.default_rng(0).normal(0, 0.08, (200, 200)).clip(-1, 1)  # nearly white, as most weights are
    values[0, :3], values[1, :3] = 1, -1
    drawn = (255 * matplotlib.colormaps["RdBu_r"](0.5 + 0.5 * values)[..., :3]).round().astype(np.uint8)
    small = fewer_colors(png(drawn), colors)
    assert len(small) < len(png(drawn))
    found = pixels(small)
    assert len(np.unique(found.reshape(-1, 3), axis=0)) <= colors
    assert np.abs(found - drawn).max() <= 500 / colors  # the map is about 1,000 levels long, from end to end
    assert (found[0, :3, 0] > found[0, :3, 2] + 50).all()
    assert (found[1, :3, 2] > found[1, :3, 0] + 50).all()


def test_what_has_few_colors_keeps_them_exactly() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (64, 64, 1), dtype=np.uint8).repeat(3, axis=2)
    assert (pixels(fewer_colors(png(gray))) == gray).all()


def test_the_ground_is_white_where_nothing_is_drawn() -> None:
    drawn = np.zeros((40, 40, 4), dtype=np.uint8)
    drawn[5:10, 5:10] = [0, 100, 200, 255]
    found = pixels(fewer_colors(png(drawn), 2))
    assert (found[0, 0] == 255).all()
    assert (found[7, 7] == [0, 100, 200]).all()


@pytest.mark.parametrize("colors", [0, 257])
def test_a_palette_that_cannot_be_is_refused(colors: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 256 colors; it got {colors}"):
        fewer_colors(png(np.zeros((2, 2, 3), dtype=np.uint8)), colors)
