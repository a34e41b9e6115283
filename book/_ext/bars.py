"""Rows of bars, or of dots, as HTML with inline SVG: each with its spread, its target and its value in words.

Positions are percentages of a strip's width, so nothing is scaled: text is as large on a phone as on a desk.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

END = 98.0  # percent of the strip: what is at the end of the axis still shows its whisker's end


@dataclass(frozen=True)
class Bar:
    """One row.

    Args:
        label: what is measured, in HTML.
        value: where the bar ends, or the dot stands.
        low, high: the spread; the same as the value where there is none.
        text: the value in words, with its unit, in HTML.
        limit: a line across the row, e.g. a target; None for none.
        kind: a class of CSS, e.g. ``"missed"``.
    """

    label: str
    value: float
    low: float
    high: float
    text: str
    limit: float | None = None
    kind: str = ""


def axis_of(rows: Sequence[Bar], from_zero: bool) -> tuple[float, float]:
    """The ends of an axis that holds every row: from 0 for bars; for dots, with some air on both sides."""
    least = min(min(row.low, row.value) for row in rows)
    most = max(max(row.high, row.value, row.limit if row.limit is not None else row.value) for row in rows)
    if from_zero:
        return 0.0, most or 1.0
    air = 0.06 * (most - least) or abs(most) or 1.0
    return least - air, most + air


def bars(rows: Sequence[Bar], *, from_zero: bool = True) -> str:
    """The rows on one axis: bars from zero, or else dots."""
    ends = axis_of(rows, from_zero)
    listed = "".join(
        f'<li class="{row.kind}"><span class="label">{row.label}</span>{strip(row, ends, from_zero)}'
        f'<span class="value">{row.text}</span></li>'
        for row in rows
    )
    return f'<ul class="bars">{listed}</ul>'


def strip(row: Bar, ends: tuple[float, float], from_zero: bool) -> str:
    """A row's bar or dot, its spread, and its limit."""

    def x(value: float) -> str:
        return f"{END * (value - ends[0]) / (ends[1] - ends[0]):.3f}%"

    parts = [f'<rect class="amount" width="{x(row.value)}" height="50%" y="25%"/>'] if from_zero else []
    if row.low != row.high:
        parts.append(f'<line class="whisker" x1="{x(row.low)}" x2="{x(row.high)}" y1="50%" y2="50%"/>')
    if not from_zero:
        parts.append(f'<circle class="dot" cx="{x(row.value)}" cy="50%" r="5"/>')
    if row.limit is not None:
        parts.append(f'<line class="limit" x1="{x(row.limit)}" x2="{x(row.limit)}" y1="8%" y2="92%"/>')
    return f'<svg class="strip" aria-hidden="true">{"".join(parts)}</svg>'


def plain(value: float) -> str:
    """Three digits of a number without an exponent: 1,336; 2.35; 0.0127."""
    if value == 0 or not 1e-6 < abs(value) < 1e12:
        return f"{value:g}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = html.escape(f"{value:#.3g}")
    return digits if "e" not in digits else f"{value:.7f}".rstrip("0")
