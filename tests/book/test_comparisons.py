"""Figures that compare many models: the front, where names stand, and ranks."""

import math

import pandas as pd
import pytest

from aelib import plots

POINTS = {"PCA": (1.0, 9.0), "VAE": (3.0, 3.0), "AAE": (4.0, 4.0), "IWAE": (9.0, 1.0), "FSQ": (3.0, 9.0)}


def test_the_front_holds_what_nothing_beats_in_both_numbers():
    assert plots.front(POINTS) == ["PCA", "VAE", "IWAE"]
    assert plots.front({"a": (1, 1), "b": (1, 1)}) == ["a", "b"]  # equal ones do not beat each other
    assert plots.front({"a": (1, 1), "b": (1, 2)}) == ["a"]


def test_a_pareto_figure_names_every_point_and_no_name_lies_on_another():
    crowd = POINTS | {f"model {i}": (3 + i / 50, 3 + i / 50) for i in range(6)}
    figure = plots.pareto(crowd, "error", "distance", {label: "dense" for label in crowd})
    (axis,) = figure.axes
    assert (axis.get_xlabel(), axis.get_ylabel(), axis.get_xscale()) == ("error", "distance", "log")
    figure.canvas.draw()
    boxes = {text.get_text(): text.get_window_extent() for text in axis.texts}
    assert set(boxes) == set(crowd)
    apart = [
        not boxes[a].overlaps(boxes[b]) for a in POINTS for b in POINTS if a < b
    ]  # six names in one place cannot all be apart
    assert all(apart)
    assert {text.get_text() for text in axis.texts if text.get_fontweight() == "bold"} == set(plots.front(crowd))


@pytest.mark.parametrize("points", [{}, {"PCA": (0.0, 1.0)}, {"PCA": (1.0, -1.0)}])
def test_points_that_have_no_logarithm_are_refused(points):
    with pytest.raises(ValueError, match="positive numbers"):
        plots.pareto(points, "x", "y")


def test_ranks_run_from_the_best_in_each_column():
    table = pd.DataFrame({"error": [0.1, 0.3, 0.2], "probe": [90.0, 95.0, math.nan]}, index=["PCA", "VAE", "AAE"])
    axis = plots.ranked(table, {"probe"}, "model").axes[0]
    colors = axis.collections[0].get_array()
    assert colors[:, 0].tolist() == [1, 3, 2]  # the smallest error is the best
    assert colors[:2, 1].tolist() == [2, 1]  # the largest accuracy is
    assert colors.mask[2, 1]
    assert [text.get_text() for text in axis.texts if text.get_text()] == ["0.1", "90", "0.3", "95", "0.2"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("measure", "model")


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"1 rows and no column \['probe'\]"):
        plots.ranked(pd.DataFrame({"error": [0.1]}), {"probe"}, "model")
    with pytest.raises(ValueError, match="0 rows"):
        plots.ranked(pd.DataFrame(), set(), "model")
