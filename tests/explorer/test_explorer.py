"""Explorers, in Python: rounded weights keep the bound, text is escaped, what cannot be shown is refused by name."""

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import ipywidgets
import numpy as np
import pytest
import torch
from blobs import blobs
from page_models import NASTY, SMALL, UNSEEN, symbols, trained
from scipy.stats import percentileofscore
from torch import Tensor, nn

from aelib import explorer
from aelib.explorer.network.export import BOUND, LIMIT, error_percentiles, export_autoencoder, export_decoder
from aelib.explorer.network.packing import to_json
from aelib.models.autoencoder import Autoencoder, EncoderDecoder
from aelib.models.convolutional import Convolutional, SuperResolution

WIDGET = "application/vnd.jupyter.widget-view+json"


def lively(model: EncoderDecoder) -> tuple[EncoderDecoder, Callable[[int], Tensor]]:
    """An untrained model whose pictures depend on the code as a trained one's do, and what draws codes for it."""
    for layer in model.decoder:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias)
    x = torch.rand(64, 1, 28, 28)
    latent = model.train()(x).z.shape[1]  # the running statistics move
    last = [layer for layer in model.decoder if hasattr(layer, "bias")][-1]
    with torch.no_grad():
        last.weight.mul_(6 / model.eval().decoder(3 * torch.randn(64, latent)).std())
    return model, lambda n: 3 * torch.randn(n, latent)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [lambda: Autoencoder((784, 256, 64, 2), nn.SiLU), Convolutional, SuperResolution],
    ids=["dense", "conv", "SR"],
)
def test_rounded_weights_answer_as_pytorch_does(make):
    torch.manual_seed(0)
    model, codes = lively(make())
    net = export_decoder(model, "model", codes, limit=2_000_000)
    assert 0 < net.error <= BOUND
    assert net.bytes == len(to_json(net.data))


def test_a_tighter_bound_takes_more_bits():
    torch.manual_seed(0)
    model, codes = lively(Autoencoder((784, 64, 2), nn.SiLU))
    net = export_decoder(model, "model", codes)
    finer = export_decoder(model, "model", codes, bound=BOUND / 5)
    assert finer.error <= BOUND / 5
    assert finer.bits > net.bits
    with pytest.raises(ValueError, match="With 16 bits a weight the output is still more than"):
        export_decoder(model, "model", codes, bound=1e-7)


def test_what_the_page_cannot_run_is_refused_by_name():
    gelu = nn.Sequential(nn.Linear(2, 10), nn.Sequential(nn.GELU(), nn.Linear(10, 784)))
    with pytest.raises(ValueError, match=r"cannot run mine\.decoder\.1\.0, GELU"):
        export_decoder(gelu, "mine", lambda n: torch.rand(n, 2))
    grouped = nn.Sequential(nn.Unflatten(1, (2, 1, 1)), nn.Conv2d(2, 4, 1, groups=2))
    with pytest.raises(ValueError, match=r"Conv2d.*groups must be 1"):
        export_decoder(grouped, "mine", lambda n: torch.rand(n, 2))

    class Shifted(Autoencoder):
        def decode(self, z: Tensor) -> Tensor:
            return super().decode(z + 1)

    with pytest.raises(ValueError, match=r"do not compute mine\.decode"):
        export_decoder(Shifted((784, 20, 2)), "mine", lambda n: torch.rand(n, 2))


def test_a_model_too_large_for_a_page_is_refused():
    with pytest.raises(ValueError, match=rf"'Deep' would add \d+ kB .* limit of {LIMIT // 1000} kB"):
        export_autoencoder(Autoencoder((784, 1000, 500, 250, 2)), "Deep", lambda n: torch.rand(n, 1, 28, 28))


def test_arguments_that_make_no_explorer_are_refused():
    with pytest.raises(ValueError, match="needs a model"):
        explorer.plane({}, SMALL)
    with pytest.raises(ValueError, match=r"codes of two numbers; those of 'Wide' have the shape \(120, 3\)"):
        explorer.plane({"Wide": Autoencoder((64, 3), shape=(1, 8, 8))}, SMALL)
    with pytest.raises(ValueError, match="labels run from 0 to 9; there are 2 classes"):
        explorer.plane(trained()[0], SMALL, classes=["a", "b"])
    with pytest.raises(ValueError, match="as many codes in each frame"):
        explorer.film(trained()[1], SMALL[:7])


def test_the_scale_of_errors_is_what_numpy_takes_from_pytorchs():
    for name, model in trained()[0].items():
        net = export_autoencoder(model, name, lambda n: torch.rand(n, 1, 8, 8))
        x = UNSEEN.images()
        with torch.no_grad():
            errors = (model(x).x_hat - x).square().sum((1, 2, 3)).numpy()
        expected = np.percentile(errors, np.arange(101))
        found = error_percentiles(net, x).numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=2 * 8 * BOUND * expected[-1] ** 0.5)
        ranks = [percentileofscore(errors, value) for value in found]
        np.testing.assert_allclose(ranks, np.arange(101), atol=2)


def test_errors_are_ranked_among_images_of_the_drawings_size():
    one = trained()[0]["Resized"]
    assert "unseen" not in explorer.draw(one, SMALL).data["models"][0]
    assert explorer.draw(one, SMALL, UNSEEN).data["unseen"] == len(UNSEEN)
    with pytest.raises(ValueError, match=r"among those of images \(1, 8, 8\); the unseen ones are \(0, 1, 8, 8\)"):
        explorer.draw(one, SMALL, UNSEEN[:0])
    with pytest.raises(ValueError, match=r"the unseen ones are \(5, 1, 9, 9\)"):
        explorer.draw(one, SMALL, blobs(5, 9))


def test_a_traversal_needs_a_model_for_each_combination_and_a_kl_for_each_number():
    one, two = trained()[0].values()
    grid, kl = {(1, 0): one, (1, 1): two, (4, 0): two}, {(1, 0): [1, 2], (1, 1): [1, 2], (4, 0): [1, 2]}
    with pytest.raises(ValueError, match=r"β and seed needs a model and its kl; missing: \[\(4, 1\)\]"):
        explorer.traversal(grid, SMALL[:2], kl, controls=("β", "seed"))
    with pytest.raises(ValueError, match="the key 'a' has 1 parts"):
        explorer.traversal({"a": one}, SMALL[:2], {"a": [1, 2]}, controls=("β", "seed"))
    with pytest.raises(ValueError, match="too many or too few"):
        explorer.traversal(one, SMALL[:2], [1, 2, 3])
    with pytest.raises(ValueError, match="starts from an image"):
        explorer.traversal(one, SMALL[:0], [1, 2])
    shown = explorer.traversal(one, SMALL[:2], [1, 2])
    assert shown.data["models"][0]["order"] == [1, 0]
    assert shown.widget().z == pytest.approx(list(shown.z))


def test_a_codebook_is_asked_of_a_quantized_model():
    with pytest.raises(ValueError, match="Autoencoder has no codebook and no indices and no lookup"):
        explorer.codebook(next(iter(trained()[0].values())), SMALL)
    data = explorer.codebook(symbols(), SMALL).data
    assert sum(data["usage"]) == 9 * len(SMALL)
    assert data["indices"][3] == symbols().indices(SMALL[3:4].images()).flatten().tolist()


def test_a_way_between_texts_has_two_or_more():
    with pytest.raises(ValueError, match="two texts or more"):
        explorer.texts([["alone"]])
    assert NASTY not in explorer.texts([["a", NASTY]])._repr_html_()


def test_text_cannot_leave_its_element_and_the_same_model_makes_the_same_page():
    models, _ = trained()
    one, two = (explorer.plane(models, SMALL, classes=[NASTY, *"123456789"])._repr_html_() for _ in range(2))
    assert one == two
    assert one.isascii() or NASTY not in one
    assert one.count("</script>") == 2  # the data and the module
    assert "<img src=x" not in one


def test_the_widget_shares_its_code_with_python():
    pytest.importorskip("anywidget")
    shown = explorer.plane(trained()[0], SMALL)
    widget, seen = shown.widget(), []
    assert tuple(widget.z) == pytest.approx(shown.z)
    ipywidgets.interactive_output(lambda z: seen.append(z), {"z": widget})
    widget.z = [0.5, -1]
    assert seen[-1] == widget.value == [0.5, -1.0]
    with pytest.raises(Exception, match="z has 2 numbers; it was given 3"):
        widget.z = [1, 2, 3]
    data, _ = widget._repr_mimebundle_()
    assert WIDGET in data
    assert len(data["text/plain"]) < 300
    assert data["text/html"] == shown._repr_html_()  # for a front end without widgets
    with pytest.raises(ValueError, match="film has none"):
        explorer.film(trained()[1], SMALL).widget()


def test_colab_is_told_to_show_the_widget(monkeypatch):
    pytest.importorskip("anywidget")
    told = []
    output = ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: told.append(True)
    output._widgets = SimpleNamespace(_installed_url="https://colab.example/manager.js")
    for name, module in {"google.colab": ModuleType("google.colab"), "google.colab.output": output}.items():
        monkeypatch.setitem(sys.modules, name, module)
    data, metadata = explorer.plane(trained()[0], SMALL).widget()._repr_mimebundle_()
    assert told
    assert set(data) - {"text/plain"} == {WIDGET}
    assert "manager.js" in str(metadata[WIDGET])
