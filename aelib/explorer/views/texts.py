"""Texts on the way from one text to another."""

from collections.abc import Sequence

from aelib.explorer import still
from aelib.explorer.page import Explorer


def texts(paths: Sequence[Sequence[str]]) -> Explorer:
    """Texts on the way between two, made beforehand: a slider moves along, buttons pick the pair.

    Args:
        paths: for each pair the texts, from one to the other.

    Raises:
        ValueError: no path, or one of fewer than two texts.
    """
    if not paths or min(map(len, paths)) < 2:
        raise ValueError(f"A way has two texts or more; there are {[len(path) for path in paths]}.")
    data = {"paths": [list(map(str, path)) for path in paths]}
    return Explorer(
        "texts", data, f"Texts from \u201c{paths[0][0]}\u201d to \u201c{paths[0][-1]}\u201d.", still.text(paths[0])
    )
