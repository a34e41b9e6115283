"""What a cell shows: a custom element with its data, its script, and a still picture for whoever runs no script."""

import base64
import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aelib.explorer.network.packing import to_json
from aelib.explorer.script import FORMAT, element
from aelib.extras import extra

if TYPE_CHECKING:
    from aelib.explorer.widget import ExplorerWidget

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Explorer</title>
<style>:root {{ color-scheme: light dark; color: CanvasText; font-family: system-ui, sans-serif }}</style></head>
<body>{}</body></html>
"""


@dataclass(frozen=True, eq=False)
class Explorer:
    """An explorer, which a notebook shows as self-contained HTML: no kernel, no network, no other file.

    It starts when it is scrolled into view. Until then, in print, and without JavaScript its still picture is shown.
    """

    view: str  # a view of js/registry.js: "plane", "draw", …
    data: dict[str, Any]  # what the view of that name in js/views/ reads
    alt: str  # the still picture in words
    still: bytes  # PNG
    z: tuple[float, ...] = ()  # where it starts: a code of its first model

    @property
    def payload(self) -> dict[str, Any]:
        """All that the script is given."""
        return {"format": FORMAT, "view": self.view, **self.data}

    def _repr_html_(self) -> str:
        picture = base64.b64encode(self.still).decode()
        return (
            f'<aelib-explorer style="display:block"><img style="max-width:100%" alt="{html.escape(self.alt)}" '
            f'src="data:image/png;base64,{picture}">'
            f'<script type="application/json">{to_json(self.payload)}</script></aelib-explorer>'
            f"{element()}"
        )

    def __repr__(self) -> str:
        return f"Explorer({self.view!r}): {self.alt}"

    def save(self, path: str | Path) -> None:
        """Write a page of its own, to be opened from disk."""
        page = PAGE.format(self._repr_html_())
        target = Path(path)
        unfinished = target.with_name(f"{target.name}.part")
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(target)

    def widget(self) -> "ExplorerWidget":
        """The same explorer as an ipywidget, for a live kernel: ``widget.z`` is read and set from Python.

        Where widgets are not shown, show the explorer itself: it needs nothing but a browser.

        Raises:
            ModuleNotFoundError: anywidget is not installed.
            ValueError: a film, which has no code to set.
        """
        if not self.z:
            raise ValueError(f"A widget has a code z to read and set; the {self.view} has none: show it as it is.")
        with extra("explorer"):
            from aelib.explorer.widget import ExplorerWidget
        return ExplorerWidget(self)
