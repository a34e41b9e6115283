"""dSprites as we draw it: against real frames, against areas and positions known by geometry, and as a data set."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from aelib.data import sprites
from aelib.data.sprites import COUNT, FACTORS, Sprites, halve, numbers, render
from aelib.training import Phase, fit

FRAMES = Path(__file__).parent / "dsprites_frames.npz"


def one(shape: int = 0, scale: int = 5, orientation: int = 0, x: int = 0, y: int = 0) -> Tensor:
    return render(torch.tensor([[shape, scale, orientation, x, y]]))[0, 0]


def centroid(images: Tensor) -> Tensor:  # (B, 64, 64) -> (B, 2), in pixels from the first pixel's center
    along = torch.arange(64.0)
    ink = images.sum((1, 2))
    return torch.stack([(images.sum(1) * along).sum(1) / ink, (images.sum(2) * along).sum(1) / ink], dim=1)


@pytest.fixture(scope="module")
def frames() -> Tensor:
    with np.load(FRAMES) as file:
        return torch.from_numpy(np.unpackbits(file["frames"], axis=1).reshape(-1, 64, 64)).float()


def test_every_real_frame_has_a_twin(frames):
    """Among all 737,280 images: of each shape, scale and orientation, the one at the frame's place."""
    posed = torch.cartesian_prod(*map(torch.arange, (3, 6, 40)), torch.tensor([0]), torch.tensor([0]))
    drawn = render(posed)[:, 0]
    area, offset = drawn.sum((1, 2)), centroid(drawn) - 15.5
    differences = []
    for frame, place in zip(frames, centroid(frames), strict=True):
        ink = frame.sum()
        near = (area / ink - 1).abs() < 0.2
        factors = posed[near]
        factors[:, 3:] = ((place - offset[near] - 15.5) * 31 / 32).round().clamp(0, 31).long()
        differences.append(((render(factors)[:, 0] - frame).abs().sum((1, 2)) / ink).min())
    differences = torch.stack(differences)
    assert len(differences) == 160
    assert differences.median() == 0  # in fractions of the frame's white pixels
    assert differences.max() <= 0.03


def test_areas_are_those_of_the_original():
    assert [int(one(scale=scale).sum()) for scale in range(6)] == [side**2 for side in (10, 12, 14, 16, 18, 20)]
    ellipses, hearts = ([int(one(kind, scale).sum()) for scale in (0, 5)] for kind in (1, 2))
    assert ellipses == [76, 288]
    assert hearts == [58, 222]


def test_half_the_resolution_is_bits_that_are_white_where_half_of_four_are():
    corner = torch.tensor([[0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 1, 1], [0, 0, 1, 1]]).float().view(1, 1, 4, 4)
    assert halve(corner).tolist() == [[[[0, 1], [0, 1]]]]
    some = sprites().sample(1500)
    small = some.halved()
    assert small.x.shape == (1500, 1, 32, 32)
    assert torch.equal(small.images()[1000:], halve(some[1000:].images()))
    assert torch.equal(small.y, some.factors()[:, 0])
    ink = some.images().sum((1, 2, 3)) / 4 / small.images().sum((1, 2, 3))
    assert 0.9 < ink.mean().item() < 1  # a quarter of the pixels, and a few more: a tie is white


def test_positions_go_from_a_quarter_to_three_quarters_of_the_side():
    corners = render(torch.tensor([[0, 5, 0, x, y] for x, y in itertools.product((0, 31), (0, 31))]))[:, 0]
    expected = torch.tensor([[15.5, 15.5], [15.5, 47.5], [47.5, 15.5], [47.5, 47.5]])
    torch.testing.assert_close(centroid(corners), expected)
    steps = centroid(render(torch.tensor([[1, 5, 0, x, 0] for x in range(32)]))[:, 0])[:, 0]
    torch.testing.assert_close(steps, 15.5 + torch.arange(32) * 32 / 31, atol=0.5, rtol=0)


def test_the_last_orientation_is_the_first_and_a_turn_keeps_the_area():
    for kind in range(3):
        assert (one(kind, orientation=39) == one(kind, orientation=0)).all()
        turned = render(torch.tensor([[kind, 5, o, 16, 16] for o in range(39)])).sum((1, 2, 3))
        assert turned.std() / turned.mean() < 0.03
    # Upside down, up to where pixels round: orientation 19.5 would be half a turn.
    assert (one(1, orientation=19) != one(1, orientation=20)).sum() < 40


def test_no_sprite_touches_the_border_and_pixels_are_zero_or_one():
    images = sprites().sample(3000, seed=3).images()
    assert set(images.unique().tolist()) == {0.0, 1.0}
    border = images.clone()
    border[:, :, 1:-1, 1:-1] = 0
    assert border.sum() == 0


def test_a_number_stands_for_its_factors_in_the_order_of_the_original():
    everything = sprites()
    assert len(everything) == COUNT == 3 * 6 * 40 * 32 * 32
    some = everything[[0, 1, 32, 1024, 40 * 1024, 240 * 1024, COUNT - 1]]
    assert some.factors().tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [2, 5, 39, 31, 31],
    ]
    sample = everything.sample(1000)
    assert torch.equal(numbers(sample.factors()), sample.index)
    assert torch.equal(sample.index[:10], everything.sample(10).index)
    assert list(FACTORS) == ["shape", "scale", "orientation", "x", "y"]


def test_a_batch_is_drawn_from_the_numbers_asked_for():
    data = sprites().sample(50)
    batch = data.batch(torch.tensor([3, 3, 7]))
    assert batch.x.shape == (3, 1, 64, 64)
    assert torch.equal(batch.x[0], batch.x[1])
    assert torch.equal(batch.x[2], data.images()[7])
    assert torch.equal(batch.y, data.factors()[[3, 3, 7], 0])
    assert data[:0].images().shape == (0, 1, 64, 64)


def test_it_trains_like_any_data_set():
    weight = torch.nn.Linear(1, 1)

    def ink(nets, batch):
        return {"loss": nets["net"](batch.x.mean((1, 2, 3))[:, None]).square().mean()}

    history = fit({"net": weight}, Phase(ink), sprites().sample(300), epochs=2, validation=50)
    assert len(history) == 4


def test_what_is_no_image_of_dsprites_is_refused():
    with pytest.raises(ValueError, match="0 to 737,279; these run from 0 to 737,280"):
        Sprites(torch.tensor([0, COUNT]))
    with pytest.raises(TypeError, match="float32"):
        Sprites(torch.rand(3))
    with pytest.raises(TypeError, match=r"write \[\[5\]\]"):
        sprites()[5]
    with pytest.raises(ValueError, match="below"):
        numbers(torch.tensor([3, 0, 0, 0, 0]))
    with pytest.raises(ValueError, match="from 1 to 737280, got 0"):
        sprites().sample(0)
