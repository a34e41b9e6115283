"""The ledger's dot plot: ours over the paper's on a logarithmic axis, a row a claim, as HTML with inline SVG.

Each row is a link with a label, which wraps where the page is narrow, and a strip of the plot, whose positions are
percentages of its width: nothing is scaled, so text is as large on a phone as on a desk.
"""

import html
import math
from collections.abc import Iterable, Sequence

from aelib.records.claims import Claim, times

MARGIN = 4.0  # percent of the strip that stay free at either end
WIDEST = 16.0  # times the paper's: what is further away is drawn at the end of the axis

# Drawn around (0, 0), 5 pixels to each side; a verdict has a shape of its own beside its color.
SHAPES = {
    "reproduced": '<circle r="4.6"/>',
    "better": '<path d="M0-5.6 5.4 4.2H-5.4Z"/>',
    "worse": '<path d="M-4.6-4.6 4.6 4.6M-4.6 4.6 4.6-4.6" class="cross"/>',
    "not comparable": '<rect x="-4.2" y="-4.2" width="8.4" height="8.4" class="open"/>',
    "met": '<path d="M-5 0-1.4 4 5-4" class="cross"/>',
    "missed": '<path d="M-4.6-4.6 4.6 4.6M-4.6 4.6 4.6-4.6" class="cross"/>',
    "undecided": '<path d="M-5 0H5" class="cross"/>',
}


def kind(verdict: str) -> str:
    """A verdict's name without its reason."""
    return verdict.split(":")[0]


def css_class(verdict: str) -> str:
    """A verdict's name as a class of CSS."""
    return kind(verdict).replace(" ", "-")


def mark(verdict: str) -> str:
    """The sign of a verdict, for a line of text."""
    return (
        f'<svg class="sign {css_class(verdict)}" viewBox="-8 -8 16 16" width="16" height="16" aria-hidden="true">'
        f"{SHAPES[kind(verdict)]}</svg>"
    )


def axis(claims: Iterable[Claim]) -> tuple[float, float]:
    """The ends of the axis: powers of two around all ratios, seed by seed, the same distance from 1."""
    ratios = [abs(math.log2(ratio)) for claim in claims for ratio in seed_ratios(claim)]
    reach = math.ceil(max(ratios, default=1.0)) or 1
    high = min(2.0**reach, WIDEST)
    return 1 / high, high


def seed_ratios(claim: Claim) -> list[float]:
    """Each seed's value over the paper's, where that is a ratio: neither is zero or of another sign."""
    return [value / claim.paper for value in claim.values if claim.paper and value / claim.paper > 0]


def place(ratio: float, ends: tuple[float, float]) -> float:
    """Where a ratio stands, in percent of the strip: proportional to its logarithm, held at the ends of the axis."""
    low, high = map(math.log, ends)
    part = (min(max(math.log(ratio), low), high) - low) / (high - low)
    return MARGIN + (100 - 2 * MARGIN) * part


def ticks(ends: tuple[float, float]) -> list[float]:
    """Powers of two from end to end."""
    first, last = (round(math.log2(end)) for end in ends)
    return [2.0**power for power in range(first, last + 1)]


def tick_label(ratio: float) -> str:
    """E.g. ``"¼"`` or ``"4"``."""
    return f"1/{1 / ratio:g}" if ratio < 1 else f"{ratio:g}"


def strip(claim: Claim, ends: tuple[float, float]) -> str:
    """A row's part of the plot: the grid, a whisker from the least to the largest seed, and the mean's mark."""
    parts = ['<use href="#ledger-grid" width="100%" height="100%"/>']
    ratio, seeds = claim.ratio, seed_ratios(claim)
    if ratio is None:  # of the other sign, or zero: off the axis, on the side of less
        parts.append(f'<text x="{MARGIN:g}%" y="50%" class="off">off the axis</text>')
    else:
        if len(claim.values) > 1:  # a seed of the other sign is beyond the axis
            least = place(min(seeds) if len(seeds) == len(claim.values) else ends[0], ends)
            most = place(max(seeds), ends)
            parts.append(f'<line class="whisker" x1="{least:.3f}%" x2="{most:.3f}%" y1="50%" y2="50%"/>')
        parts.append(
            f'<use class="dot" href="#mark-{css_class(claim.against_paper)}" x="{place(ratio, ends):.3f}%" y="50%"/>'
        )
    return f'<svg class="strip" aria-hidden="true">{"".join(parts)}</svg>'


def definitions(ends: tuple[float, float]) -> str:
    """What the strips share: the grid and the marks."""
    lines = "".join(
        f'<line class="at-{tick:g}" x1="{place(tick, ends):.3f}%" x2="{place(tick, ends):.3f}%" y1="0" y2="100%"/>'
        for tick in ticks(ends)
    )
    marks = "".join(
        f'<g id="mark-{css_class(name)}" class="{css_class(name)}">{shape}</g>' for name, shape in SHAPES.items()
    )
    return (
        '<svg width="0" height="0" class="definitions" aria-hidden="true"><defs>'
        f'<symbol id="ledger-grid" overflow="visible">{lines}</symbol>{marks}</defs></svg>'
    )


def axis_row(ends: tuple[float, float]) -> str:
    """The labels of the axis."""
    labels = "".join(
        f'<text x="{place(tick, ends):.3f}%" y="1.1em" text-anchor="middle">{tick_label(tick)}</text>'
        for tick in ticks(ends)
    )
    return (
        '<div class="row axis" aria-hidden="true"><span class="label">ours / the paper’s</span>'
        f'<svg class="strip">{labels}</svg><span class="ratio"></span></div>'
    )


def row(claim: Claim, url: str, ends: tuple[float, float], attributes: str) -> str:
    """A claim's row, a link to its line in the chapter."""
    wanted = "↑" if claim.higher_is_better else "↓"
    ratio = times(claim.ratio) if claim.ratio is not None else "–"
    return (
        f'<li {attributes}><a class="row" href="{html.escape(url)}">'
        f'<span class="label"><b>{html.escape(claim.model)}</b> {html.escape(claim.claim)} '
        f"<small>{html.escape(claim.dataset)}, {html.escape(claim.metric)}&nbsp;{wanted}</small></span>"
        f'{strip(claim, ends)}<span class="ratio">{ratio}'
        f'<span class="visually-hidden">, {html.escape(claim.against_paper)}</span></span></a></li>'
    )


def plot(chapters: Sequence[tuple[str, Sequence[str]]], ends: tuple[float, float]) -> str:
    """The whole plot.

    Args:
        chapters: each with its title, in HTML, and its rows.
        ends: of the axis.
    """
    groups = "".join(
        f'<li data-group="ledger"><p class="chapter">{title}</p><ul>{"".join(rows)}</ul></li>'
        for title, rows in chapters
    )
    return f'<div class="ledger-plot">{definitions(ends)}{axis_row(ends)}<ol>{groups}</ol></div>'
