"""Models that run inside the page: drag a code, draw a digit, scrub through a training, with no kernel behind it.

``plane({"Autoencoder": model}, data.test[:2000])`` as the last line of a cell is an explorer that works on a static
page, from disk or on a phone; ``plane(...).widget()`` is the same explorer as an ipywidget, for a live kernel.
"""

from aelib.explorer.page import Explorer
from aelib.explorer.sweeps import texts, traversal
from aelib.explorer.symbols import codebook
from aelib.explorer.views import Frame, draw, film, frame, plane

__all__ = ["Explorer", "Frame", "codebook", "draw", "film", "frame", "plane", "texts", "traversal"]
