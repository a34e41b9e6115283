"""Models that run inside the page: drag a code, draw a digit, scrub through a training, with no kernel behind it.

``plane({"Autoencoder": model}, data.test[:2000])`` as the last line of a cell is an explorer that works on a static
page, from disk or on a phone; ``plane(...).widget()`` is the same explorer as an ipywidget, for a live kernel.
"""

from aelib.extras import extra

with extra("explorer"):
    from aelib.explorer.page import Explorer
    from aelib.explorer.views.planes import Frame, draw, film, frame, plane
    from aelib.explorer.views.sweeps import texts, traversal
    from aelib.explorer.views.symbols import codebook

__all__ = ["Explorer", "Frame", "codebook", "draw", "film", "frame", "plane", "texts", "traversal"]
