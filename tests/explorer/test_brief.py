"""A plane in brief: what a page holds is read back as it was written, and the start is a place that shows something."""

import numpy as np
import pytest
import torch
from page_models import SMALL, UNSEEN, trained

from aelib import explorer
from aelib.explorer.inputs import encode
from aelib.explorer.network.export import BOUND
from aelib.explorer.network.layers import read, run
from aelib.explorer.network.packing import pack, pack_codes
from aelib.explorer.network.quantize import rounded
from aelib.explorer.network.reading import steps, unpack, unpack_codes
from aelib.explorer.views.brief import brief, gap


def test_arrays_are_read_back_as_they_were_packed() -> None:
    numbers = torch.tensor([[1.5, -2.25], [0.0, 1e-8]])
    np.testing.assert_array_equal(unpack(pack(numbers)), numbers.flatten())
    assert unpack(pack(torch.tensor([0, 255], dtype=torch.uint8)), "u1").tolist() == [0, 255]
    codes = torch.tensor([[0.0, -5.0], [1.0, 5.0], [0.3, 0.0]])
    assert (unpack_codes(pack_codes(codes)) - codes).abs().max() <= 10 / 65535 / 2 * 1.01


@pytest.mark.parametrize("bits", [4, 8, 11])
def test_a_rounded_layer_is_read_back_exactly(bits: int) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(5, 3)
    (step,), _ = read(layer, (5,))
    written = rounded(step, bits)
    (found,) = steps([written.payload()])
    torch.testing.assert_close(found.weight, written.step.weight, rtol=1e-6, atol=0)
    torch.testing.assert_close(found.bias, layer.bias.detach(), rtol=0, atol=0)


@pytest.mark.parametrize("k", [0, 1], ids=["dense", "convolutional"])
def test_a_pages_decoder_read_back_decodes_as_the_model(k: int) -> None:
    models, _ = trained()
    model = list(models.values())[k]
    z = encode(model, UNSEEN.images()[:50])
    shown = explorer.plane(models, SMALL).payload["models"][k]
    with torch.no_grad():
        expected = model.decode(z).flatten(1)
    torch.testing.assert_close(run(steps(shown["decoder"]["steps"]), z), expected, rtol=0, atol=BOUND)


def test_the_gap_is_where_one_has_no_code_and_the_pictures_differ_most() -> None:
    along = torch.linspace(-1, 1, 11)
    everywhere = torch.cartesian_prod(along, along)
    right = everywhere[everywhere[:, 0] > 0]
    # The second model's pictures differ from the first's the more, the higher a place is.
    place = gap([right, everywhere], [torch.zeros_like, lambda z: z.new_tensor([0.0, 1.0]) * (z[:, 1:] + 1)])
    assert place[0] < 0.2 - 0.3
    assert place[1] == pytest.approx(0.9)
    with pytest.raises(ValueError, match="No place is empty"):
        gap([everywhere, everywhere], [torch.zeros_like, torch.ones_like])


def test_a_plane_in_brief_shows_the_two_it_was_asked_for_in_their_order() -> None:
    models, _ = trained()
    first, second = models
    shown = explorer.plane(models, SMALL).payload
    along = torch.linspace(-1, 1, 11)
    everywhere = torch.cartesian_prod(along, along)
    for model in shown["models"]:  # the second's lie on the right alone
        units = everywhere[everywhere[:, 0] > 0] if model["name"] == second else everywhere
        model["codes"] = pack_codes(torch.tensor(model["center"]) + model["half"] * units)
    short = brief(shown, {second: "Plain", first: "Other"})
    assert [model["name"] for model in short["models"]] == ["Plain", "Other"]
    assert short["brief"]
    assert short["start"][0] < 0
    assert shown["models"][0]["name"] == first  # what it was made of is as it was
    with pytest.raises(ValueError, match="no model 'A third'"):
        brief(shown, {first: "a", "A third": "b"})
    with pytest.raises(ValueError, match="compares two models"):
        brief(shown, {first: "a"})
