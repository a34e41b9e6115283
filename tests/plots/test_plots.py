"""Plots: they draw what they are given, label their axes, close themselves, and keep a model's color."""

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from aelib import plots
from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.convolutional import Convolutional, SuperResolution
from aelib.models.vae import DenseVAE
from aelib.training import Phase, fit


def test_axes_are_labeled_and_no_figure_stays_open(images, small):
    ae = Autoencoder((64, 9, 3), nn.ReLU, (1, 8, 8))
    history = fit({"ae": ae}, Phase(SquaredError()), small, epochs=2, validation=20)
    z = torch.randn(60, 5)
    figures = [
        plots.learning_curves({"Autoencoder": history}, "squared error per image"),
        plots.lines({"PCA": ([1, 10], [3.0, 2.0])}, "size", "error", log_x=True, log_y=True),
        plots.bands({"PCA": [([1, 2], [3.0, 2.0]), ([1, 2], [4.0, 2.5])]}, "epoch", "error"),
        plots.histogram({"PCA": torch.rand(50)}, "error"),
        plots.trade_off({"Conv, ours": (1.0, 2.0), "SR, ours": (2.0, 1.0)}, "seconds", "error"),
        plots.strips({"β = 1": [0.5, 0.6, 0.7], "β = 4": [0.9]}, "objective", "score"),
        plots.stacked(
            {"β = 1": {"one part": 3.0, "other": 1.0}, "β = 4": {"one part": 1.0, "other": 1.0}}, "model", "nats"
        ),
        plots.heat_maps({"β = 1": torch.rand(4, 2)}, {"β = 1": list("abcd")}, ["x", "y"], "nats", "latent"),
        plots.latent_scatter(z[:, :2], torch.arange(60) % 10),
        plots.latent_scatter(z, torch.arange(60) % 10, project="t-sne"),
    ]
    for figure in figures:
        assert figure.axes[0].get_xlabel()
        assert figure.axes[0].get_ylabel()
    assert plt.get_fignums() == []
    validation = [line.get_linestyle() for line in figures[0].axes[0].get_lines()]
    assert validation == ["-", "--"]


def test_what_is_counted_has_no_ticks_between():
    def ticks(figure: Figure) -> list[float]:
        return list(figure.axes[0].get_xticks())

    counted = ((0, 1, 2, 3), (4.0, 3.0, 2.0, 1.0))
    for figure in (plots.lines({"a": counted}, "layer", "y"), plots.bands({"a": [counted]}, "epoch", "y")):
        assert all(float(tick).is_integer() for tick in ticks(figure))
    measured = plots.lines({"a": ((0, 0.5, 1), (1, 2, 3))}, "share", "y")
    assert not all(float(tick).is_integer() for tick in ticks(measured))
    doubled = plots.bands({"a": [((2, 16, 128), (1, 2, 3))]}, "size", "y", log_x=True)
    assert ticks(doubled) == [2, 16, 128]


def test_a_band_runs_from_the_least_to_the_largest_around_the_mean():
    axis = plots.bands(
        {"VAE": [([1, 2], [1.0, 4.0]), ([1, 2], [3.0, 5.0]), ([1, 2], [2.0, 9.0])]}, "epoch", "error"
    ).axes[0]
    assert axis.get_lines()[0].get_ydata().tolist() == [2.0, 6.0]
    edges = axis.collections[0].get_paths()[0].vertices
    assert {(x, y) for x, y in edges.tolist()} == {(1, 1), (2, 4), (1, 3), (2, 9)}
    with pytest.raises(ValueError, match="do not share"):
        plots.bands({"VAE": [([1, 2], [1.0, 4.0]), ([1, 3], [3.0, 5.0])]}, "epoch", "error")


def test_a_grid_shows_every_image(images):
    figure = plots.image_grid(images[:13].images(), columns=5)
    shown = [axis for axis in figure.axes if axis.get_images()]
    assert len(shown) == 13
    assert (shown[12].get_images()[0].get_array() == images[12:13].images()[0, 0].numpy()).all()


def test_reconstruction_rows_print_each_images_error(images):
    x = images[:4].images()
    figure = plots.reconstruction_rows(x, {"dark": torch.zeros_like(x)})
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[4:] == [f"{one.square().sum():.1f}" for one in x]


def test_rows_of_images_carry_labels_and_color_images_keep_their_colors():
    rows = {"gray": torch.rand(3, 1, 5, 6), "color": torch.rand(3, 3, 5, 6)}
    figure = plots.image_rows(rows, {"gray": ["-1", "0", "1"]})
    shown = [axis.get_images()[0].get_array() for axis in figure.axes]
    assert [image.shape for image in shown] == [(5, 6)] * 3 + [(5, 6, 3)] * 3
    assert (shown[4][2, 3] == rows["color"][1, :, 2, 3].numpy()).all()
    assert [text.get_text() for axis in figure.axes for text in axis.texts] == ["gray", "color"]
    assert [axis.get_title() for axis in figure.axes] == ["-1", "0", "1", "", "", ""]


def test_strips_draw_a_point_a_value_and_their_mean():
    axis = plots.strips({"a": [0.0, 1.0, 5.0]}, "model", "score").axes[0]
    assert sorted(axis.collections[0].get_offsets()[:, 1].tolist()) == [0.0, 1.0, 5.0]
    assert axis.collections[1].get_segments()[0][0][1] == 2.0


def test_filters_are_labeled_row_by_row():
    figure = plots.filters(torch.rand(5, 784), (28, 28), columns=2, labels=["a", "b", "c"])
    assert [text.get_text() for axis in figure.axes for text in axis.texts] == ["a", "b", "c"]
    assert [bool(axis.texts) for axis in figure.axes] == [True, False] * 3


@pytest.mark.parametrize(
    ("make", "code"), [(Convolutional, "64"), (SuperResolution, "64"), (lambda: Autoencoder((784, 30)), "30")]
)
def test_the_drawing_of_a_model_shows_its_code(make, code):
    figure = plots.architecture(make())
    written = [text.get_text() for text in figure.axes[0].texts]
    assert code in written
    assert written[0] == "1×28×28"


def test_the_drawing_of_a_variational_autoencoder_shows_both_sizes_of_its_code():
    written = [text.get_text() for text in plots.architecture(DenseVAE((784, 30, 7))).axes[0].texts]
    assert written == ["1×28×28", "30", "14", "30", "784"]


def test_a_model_keeps_its_color_whatever_the_label_adds():
    assert plots.color_of("Stacked, He start") == plots.COLORS["Stacked"]
    assert plots.color_of("unknown", 1) != plots.color_of("unknown", 2)
    assert len(set(plots.DIGITS)) == 10


def test_rows_of_images_carry_labels_and_titles(images):
    x = images[:3].images()
    figure = plots.image_rows({"real": x, "made": 1 - x}, {"made": ["a", "b", "c"]})
    assert [axis.get_title() for axis in figure.axes] == ["", "", "", "a", "b", "c"]
    assert [figure.axes[i].texts[0].get_text() for i in (0, 3)] == ["real", "made"]
    with pytest.raises(ValueError, match=r"equally long; these have \[2, 3\]"):
        plots.image_rows({"real": x, "made": x[:2]})


def test_a_sheet_lays_images_row_by_row_from_the_top(images):
    x = images[:6].images()
    figure = plots.sheet(x, 3, "z₁", "z₂", ticks=("−2", "0", "2"))
    (axis,) = figure.axes
    shown = axis.get_images()[0].get_array()
    assert shown.shape == (56, 84)
    assert (shown[28:, 56:] == x[5, 0].numpy()).all()
    assert (shown[:28, 28:56] == x[1, 0].numpy()).all()
    assert [label.get_text() for label in axis.get_xticklabels()] == ["−2", "0", "2"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("z₁", "z₂")
    with pytest.raises(ValueError, match="a multiple of 4 images; it got 6"):
        plots.sheet(x, 4, "z₁", "z₂")


def test_what_cannot_be_drawn_is_refused(images):
    with pytest.raises(ValueError, match=r"in color, at least one; it got \(0, 1, 28, 28\)"):
        plots.image_grid(images[:0].images())
    with pytest.raises(ValueError, match=r"filters needs weights \(units, 784\)"):
        plots.filters(torch.rand(3, 100), (28, 28))
    with pytest.raises(ValueError, match=r"tables of 3 columns; they are of the shapes \[\(4, 2\)\]"):
        plots.heat_maps({"a": torch.rand(4, 2)}, {"a": list("abcd")}, ["x", "y", "z"], "nats", "latent")
    with pytest.raises(ValueError, match="'pca' or 't-sne'"):
        plots.latent_scatter(torch.rand(5, 3), torch.arange(5), project="umap")
    with pytest.raises(ValueError, match="N labels"):
        plots.latent_scatter(torch.rand(5, 2), torch.arange(4))


def test_rows_of_filters_carry_their_labels():
    figure = plots.filters(torch.randn(6, 64), (8, 8), columns=3, labels=["k = 40", "k = 10"])
    written = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert written == ["k = 40", "k = 10"]


def test_density_maps_are_white_where_codes_are_as_dense_as_the_prior():
    ratio = torch.ones(4, 4)
    ratio[3, 0] = 2.0  # large first coordinate, small second: the lower right
    figure = plots.density_maps({"even": torch.ones(4, 4), "one cell": ratio})
    first, second = (axis.get_images()[0].get_array() for axis in figure.axes[:2])
    assert (first == 0).all()
    assert second[0, 3] == 1
    assert second.sum() == 1
    assert figure.axes[0].get_images()[0].origin == "lower"
