"""Filters for what a page lists: a form that ``_static/filters.js`` shows and obeys. Without it all is listed.

An entry has ``data-entry="NAME"`` and an attribute ``data-…`` for each choice; what holds entries may have
``data-group="NAME"``, and is hidden when all of them are.
"""

import html
from collections.abc import Mapping, Sequence


def choice(name: str, label: str, options: Mapping[str, str]) -> str:
    """A list to choose from: the values of an attribute, and how each reads."""
    listed = "".join(
        f'<option value="{html.escape(value)}">{html.escape(text)}</option>' for value, text in options.items()
    )
    return f'<label>{label} <select name="{name}"><option value="">all</option>{listed}</select></label>'


def search(label: str) -> str:
    """A field for words that an entry's text has to hold."""
    return f'<label>{label} <input type="search" name="words" autocomplete="off"></label>'


def form(name: str, fields: Sequence[str], orders: Mapping[str, str] | None = None, grouped: str = "") -> str:
    """The form.

    Args:
        name: of the entries that it filters.
        fields: from :func:`choice` and :func:`search`.
        orders: in which the rows of tables can be sorted, and how each reads.
        grouped: how the order reads that the page has.
    """
    sort = ""
    if orders:
        listed = "".join(f'<option value="{value}">{html.escape(text)}</option>' for value, text in orders.items())
        sort = f'<label>Sort by <select name="sort"><option value="">{grouped}</option>{listed}</select></label>'
    return (
        f'<form class="filters" data-filters="{name}" hidden>{"".join(fields)}{sort}'
        '<button type="reset">All</button><output aria-live="polite"></output></form>'
    )
