"""Two measures at once: points with their names beside them, and the front of those that nothing beats in both."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from aelib.plots.style import color_of, finish

Point = tuple[float, float]
# Where a label may stand, in points from its own, best first; and which of its sides is fixed there.
PLACES: tuple[tuple[float, float, str, str], ...] = (
    (7, 0, "left", "center"),
    (-7, 0, "right", "center"),
    (0, 8, "center", "bottom"),
    (0, -8, "center", "top"),
    (7, 8, "left", "bottom"),
    (7, -8, "left", "top"),
    (-7, 8, "right", "bottom"),
    (-7, -8, "right", "top"),
    (14, 18, "left", "bottom"),
    (14, -18, "left", "top"),
    (-14, 18, "right", "bottom"),
    (-14, -18, "right", "top"),
)


def front(points: Mapping[str, Point]) -> list[str]:
    """The Pareto front where smaller is better in both numbers: labels that no other beats, by the first number.

    One beats another if it is no larger in both numbers, and smaller in one.
    """
    return sorted(
        (label for label, own in points.items() if not any(_beats(other, own) for other in points.values())),
        key=lambda label: points[label],
    )


def _beats(one: Point, other: Point) -> bool:
    return one[0] <= other[0] and one[1] <= other[1] and one != other


def pareto(points: Mapping[str, Point], xlabel: str, ylabel: str, variants: Mapping[str, str] | None = None) -> Figure:
    """A named point a model on logarithmic axes, smaller is better on both, and a step line through the front.

    Args:
        points: label to (horizontal, vertical), positive numbers.
        xlabel, ylabel: what the axes are, with units.
        variants: label to the kind it is of; each kind has its marker, and the legend names them.

    Raises:
        ValueError: there is no point, or a number is not positive.
    """
    if not points or min(min(point) for point in points.values()) <= 0:
        raise ValueError("pareto draws one or more points of positive numbers on logarithmic axes.")
    figure, axis = plt.subplots(figsize=(7.4, 4.8))
    kinds = list(dict.fromkeys((variants or {}).values()))
    best = front(points)
    axis.step(*zip(*(points[label] for label in best), strict=True), where="post", color="0.7", zorder=1)
    for i, (label, (x, y)) in enumerate(points.items()):
        marker = "osD^v"[kinds.index((variants or {})[label]) % 5] if kinds else "o"
        axis.scatter(x, y, s=45, marker=marker, color=color_of(label, i), zorder=2)
    for i, kind in enumerate(kinds):
        axis.scatter([], [], s=45, marker="osD^v"[i % 5], color="0.4", label=kind)
    if kinds:
        axis.legend(fontsize=8)
    axis.set(xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log")
    axis.margins(x=0.12, y=0.1)
    finish(figure)
    _name(axis, points, best)
    return figure


def _name(axis: Axes, points: Mapping[str, Point], bold: Sequence[str]) -> None:
    """Write each label where it covers least of the points and labels that are already there."""
    figure = axis.get_figure()
    assert isinstance(figure, Figure)
    figure.canvas.draw()  # only a laid-out figure knows where its points are
    figure.set_layout_engine("none")  # and they must stay there
    at = axis.transData.transform(list(points.values()))
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in at]
    frame = axis.get_window_extent()
    for label, point in points.items():
        choices: list[tuple[float, int, Annotation, Bbox]] = []
        for dx, dy, ha, va in PLACES:
            text = axis.annotate(
                label,
                point,
                xytext=(dx, dy),
                textcoords="offset points",
                ha=ha,
                va=va,
                fontsize=8,
                fontweight="bold" if label in bold else "normal",
            )
            box = text.get_window_extent().padded(3)  # labels that touch read as one
            text.remove()
            hidden = sum(_area(Bbox.intersection(box, other)) for other in taken)
            outside = _area(box) - _area(Bbox.intersection(box, frame))
            choices.append((hidden + outside, len(choices), text, box))
        *_, text, box = min(choices, key=lambda choice: choice[:2])
        axis.add_artist(text)
        taken.append(box)


def _area(box: Bbox | None) -> float:
    return 0.0 if box is None else float(box.width * box.height)
