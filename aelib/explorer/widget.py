"""The explorer in a live kernel: an ipywidget made by anywidget, whose front end is the page's own script."""

import sys
from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from aelib.explorer.page import SCRIPT


class ExplorerWidget(anywidget.AnyWidget):
    """An explorer whose code is shared with Python.

    ``widget.z`` is a list of numbers, a code of the first model: reading it says where the reader is, setting it moves
    the explorer; ``widget.observe(f, "z")`` calls f at every move. In the view ``"draw"`` it is the code of the
    drawing, and only read. ``value`` is another name of it, so that
    ``ipywidgets.interactive_output(f, {"z": widget})`` works.
    """

    _esm = SCRIPT
    data = traitlets.Dict().tag(sync=True)
    z = traitlets.List(traitlets.Float()).tag(sync=True)
    value = traitlets.List(traitlets.Float())

    def __init__(self, data: dict[str, Any], z: Sequence[float]) -> None:
        super().__init__(data=data, z=list(z), value=list(z))
        self._same = traitlets.link((self, "z"), (self, "value"))

    @traitlets.validate("z", "value")
    def _as_long_as_before(self, proposal: Any) -> list[float]:
        length = len(self.z)
        if length and len(proposal["value"]) != length:
            raise traitlets.TraitError(f"z has {length} numbers; it was given {len(proposal['value'])}.")
        return [float(v) for v in proposal["value"]]


def live(data: dict[str, Any], z: Sequence[float]) -> ExplorerWidget:
    """An :class:`ExplorerWidget`. Colab shows third-party widgets only when it is told to; it is told here."""
    if "google.colab" in sys.modules:
        sys.modules["google.colab"].output.enable_custom_widget_manager()
    return ExplorerWidget(data, z)
