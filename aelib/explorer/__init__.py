"""Models that run inside the page: drag a code, draw a digit, scrub through a training, with no kernel behind it.

``plane({"Autoencoder": model}, data.test[:2000])`` as the last line of a cell is an explorer that works on a static
page, from disk or on a phone; ``plane(...).widget()`` is the same explorer as an ipywidget, for a live kernel.
"""

from aelib.extras import extra

with extra("explorer"):
    from aelib.explorer.page import Explorer
    from aelib.explorer.views.codebook import codebook
    from aelib.explorer.views.draw import draw
    from aelib.explorer.views.film import film
    from aelib.explorer.views.frame import Frame, frame
    from aelib.explorer.views.plane import plane
    from aelib.explorer.views.texts import texts
    from aelib.explorer.views.traversal import traversal

__all__ = ["Explorer", "Frame", "codebook", "draw", "film", "frame", "plane", "texts", "traversal"]
