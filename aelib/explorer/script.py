"""The front end of all explorers: the modules in ``js/`` as one script, and where it stands in what a cell put out."""

import re
from functools import cache
from pathlib import Path

from aelib.explorer.joining import join

ENTRY = Path(__file__).parent / "js" / "main.js"
FORMAT = 1  # of the data that the script reads; outputs made before it was written down are of format 1
EMBEDDED = re.compile(r'(?<=</aelib-explorer>)<script type="module"[^>]*>.*?</script>', re.DOTALL)
DATA = re.compile(r'<script type="application/json">\{(?:"format":(\d+),)?"view":')


@cache
def script() -> str:
    """One ES module that defines ``<aelib-explorer>`` in a page and whose default export is an anywidget's front end.

    Raises:
        ValueError: an HTML parser would not read it to its end.
    """
    joined = join(ENTRY)
    if found := re.search(r"</script|<!--", joined, re.IGNORECASE):
        raise ValueError(f"The script must not contain {found[0]}: inside a page it would end there.")
    return joined


def element() -> str:
    """The script as it stands in a page, right behind the element that it runs."""
    return f'<script type="module" data-front-end="aelib-explorer">{script()}</script>'


def embedded(html: str) -> list[str]:
    """The script elements of the explorers in a cell's HTML."""
    return EMBEDDED.findall(html)


def renewed(html: str) -> str:
    """The HTML of a cell with the package's script in place of the one that it was made with; its data stay.

    Raises:
        ValueError: the data are of a format that the script does not read: the cell has to be executed again.
    """
    for found in DATA.finditer(html):
        if (made := int(found[1] or 1)) != FORMAT:
            raise ValueError(
                f"An explorer has data of format {made}, the script reads {FORMAT}: execute its cell again."
            )
    return EMBEDDED.sub(lambda _: element(), html)
