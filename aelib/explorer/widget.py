"""The explorer in a live kernel: an ipywidget made by anywidget, whose front end is the page's own script."""

import sys
from collections.abc import Sequence
from typing import Any, Protocol

import anywidget
import traitlets

from aelib.explorer.script import script


class Page(Protocol):
    """What a widget asks of the explorer that it shows: :class:`aelib.explorer.Explorer`."""

    @property
    def payload(self) -> dict[str, Any]: ...
    @property
    def z(self) -> Sequence[float]: ...
    def _repr_html_(self) -> str: ...


class ExplorerWidget(anywidget.AnyWidget):
    """An explorer whose code is shared with Python.

    ``widget.z`` is a list of numbers, a code of the first model: reading it says where the reader is, setting it moves
    the explorer; ``widget.observe(f, "z")`` calls f at every move. In the view ``"draw"`` it is the code of the
    drawing, and only read. ``value`` is another name of it, so that
    ``ipywidgets.interactive_output(f, {"z": widget})`` works. On Colab, which shows third-party widgets only when it is
    told to, anywidget tells it.
    """

    _esm = script()
    data = traitlets.Dict().tag(sync=True)
    z = traitlets.List(traitlets.Float()).tag(sync=True)
    value = traitlets.List(traitlets.Float())

    def __init__(self, explorer: Page) -> None:
        self._explorer = explorer
        z = list(explorer.z)
        super().__init__(data=explorer.payload, z=z, value=z)
        self._same = traitlets.link((self, "z"), (self, "value"))

    def __repr__(self) -> str:
        return f"{self._explorer!r}, at z = {self.z}"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and beside it the page for a front end that shows no widgets, or shows a saved notebook."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None or "google.colab" in sys.modules:  # which might prefer the page
            return bundle
        data, metadata = bundle
        return {**data, "text/html": self._explorer._repr_html_()}, metadata

    @traitlets.validate("z", "value")
    def _as_long_as_before(self, proposal: Any) -> list[float]:
        length = len(self.z)
        if length and len(proposal["value"]) != length:
            raise traitlets.TraitError(f"z has {length} numbers; it was given {len(proposal['value'])}.")
        return [float(v) for v in proposal["value"]]
