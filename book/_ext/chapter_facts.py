"""What the book says of a chapter elsewhere, from the header of the chapter's own source.

The entry ``chapter`` of a header (``notebooks/NN_name.py``, under ``jupyter``) has

- ``idea``: one sentence, for the chapter's card and for search engines; ``source``, before it: authors and year;
- ``thumbnail``: the name of the figure that stands for the chapter on its card and in previews;
- ``result``: the one number on its card, by the ``claim``, ``model`` (and ``dataset``, where it takes that too) of its
  record, and what the card ``says``, with ``{ours}`` and ``{paper}`` for the numbers;
- ``family``: boxes on the map, each with the ``model``, its ``year``, and what keeps it from ``copying``; ``grew_from``
  names the model of the box before it;
- ``summary``: rows of the summary page, each with ``model``, ``label`` (its name in figures, which
  ``aelib.plots.COLORS`` knows), ``idea``, ``objective``, ``latent``, ``use``, ``weakness``;
  and what keeps it from ``copying``, where the chapter's ``family`` does not say it with one voice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import jupytext


@dataclass(frozen=True)
class Box:
    """A model on the map of the family."""

    model: str
    year: str
    copying: str
    grew_from: str = ""


@dataclass(frozen=True)
class Row:
    """A model on the summary page; all in MyST."""

    model: str
    label: str
    idea: str
    objective: str
    latent: str
    use: str
    weakness: str
    copying: str = ""


@dataclass(frozen=True)
class Result:
    """A recorded claim, and what a card says of it: a sentence with ``{ours}``, and ``{paper}`` where it has one."""

    claim: str
    model: str
    says: str
    dataset: str = ""


@dataclass(frozen=True)
class Facts:
    """What a chapter says of itself."""

    idea: str
    source: str = ""
    thumbnail: str = ""
    result: Result | None = None
    family: tuple[Box, ...] = ()
    summary: tuple[Row, ...] = ()


Kind = TypeVar("Kind", Box, Row, Result, Facts)


def facts(source: Path) -> Facts:
    """The facts in the header of a chapter's source.

    Raises:
        ValueError: an entry is missing, empty or unknown; the sentence names it.
    """
    header = jupytext.read(source, fmt="py:percent").metadata
    if "chapter" not in header:
        raise ValueError(f"{source.name} has no entry 'chapter' under 'jupyter' in its header: add one with an 'idea'.")
    given = dict(header["chapter"])
    for name, kind in (("family", Box), ("summary", Row)):
        given[name] = tuple(_made(kind, entry, f"{source.name}, '{name}'") for entry in given.get(name, ()))
    if "result" in given:
        given["result"] = _made(Result, given["result"], f"{source.name}, 'result'")
    return _made(Facts, given, f"{source.name}, 'chapter'")


def _made(kind: type[Kind], given: Mapping[str, Any], where: str) -> Kind:
    known = {field.name: field.type for field in fields(kind)}
    if unknown := set(given) - set(known):
        raise ValueError(f"{where} in the header has the entry {min(unknown)!r}; it takes {', '.join(known)}.")
    try:
        made = kind(**given)
    except TypeError:
        missing = next(name for name in known if name not in given)
        raise ValueError(f"{where} in the header has no entry {missing!r}: add a line '{missing}: …'.") from None
    for name, value in vars(made).items():
        if known[name] is str and not isinstance(value, str):
            raise ValueError(f"{where} in the header: {name!r} is {value!r}, which is no text; put it in quotes.")
        if value == "" and name in given:
            raise ValueError(f"{where} in the header: {name!r} is empty; write it, or leave the line out.")
    return made
