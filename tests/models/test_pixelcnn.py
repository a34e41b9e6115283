"""The prior over grids of symbols: nothing sees the future, known bits, sampling."""

import math

import pytest
import torch
from torch import nn

from aelib.data import Batch, Grids, ImageSet
from aelib.metrics import bits_per_symbol, code_grids, code_usage
from aelib.models.pixelcnn import MaskedConv2d, PixelCNN, Predictions, SymbolLikelihood, symbol_nll
from aelib.models.quantizers import VectorQuantizer
from aelib.models.vqvae import small_vqvae
from aelib.training import Phase, fit


def trained_looking(codes: int = 5, grid: tuple[int, int] = (4, 3)) -> PixelCNN:
    """A prior whose last layer is not zero, as after training."""
    torch.manual_seed(0)
    prior = PixelCNN(codes, grid, width=8, blocks=2)
    nn.init.normal_(prior.last.weight)
    nn.init.normal_(prior.position)
    return prior.double()


@pytest.mark.parametrize("center", [False, True])
def test_a_masked_convolution_is_triangular(center):
    torch.manual_seed(0)
    layer = MaskedConv2d(1, 1, 5, center=center).double()
    x = torch.randn(1, 1, 4, 6, dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda v: layer(v.view(1, 1, 4, 6)).flatten())(x.flatten())
    assert not jacobian.triu(1 if center else 0).any()
    assert jacobian.tril(0 if center else -1).count_nonzero() > 24
    assert bool(jacobian.diagonal().any()) == center


def test_no_prediction_depends_on_its_own_symbol_or_a_later_one():
    prior = trained_looking()
    embedded = torch.randn(1, 8, 4, 3, dtype=torch.float64)
    jacobian = torch.func.jacrev(prior.from_embedded)(embedded)[0, :, :, :, 0]  # (K, h, w, width, h, w)
    depends = jacobian.abs().sum((0, 3)).reshape(12, 12)
    assert not depends.triu(0).any()  # strictly lower-triangular
    assert (depends.diagonal(-1) > 0).sum() >= 8  # and the neighbor to the left is seen


def test_changing_a_symbol_changes_only_later_predictions():
    prior = trained_looking()
    one = torch.randint(5, (1, 4, 3), generator=torch.Generator().manual_seed(1))
    other = one.clone()
    other[0, 2, 1] = (one[0, 2, 1] + 1) % 5
    changed = (prior(one).logits != prior(other).logits).any(1).flatten()
    assert not changed[: 2 * 3 + 2].any()
    assert changed[2 * 3 + 2]


class Uniform(nn.Module):
    """Says the same of every symbol."""

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(codes))

    def forward(self, indices: torch.Tensor) -> Predictions:
        return Predictions(self.logit[None, :, None, None].expand(len(indices), -1, *indices.shape[1:]))


@pytest.mark.parametrize("codes", [2, 10, 512])
def test_a_uniform_prior_costs_log2_k_bits(codes):
    grids = Grids(torch.randint(codes, (7, 4, 3)), torch.zeros(7, dtype=torch.int64))
    assert bits_per_symbol(Uniform(codes), grids) == pytest.approx(math.log2(codes), rel=1e-6)
    # ... and so does ours before it is trained.
    assert bits_per_symbol(PixelCNN(codes, (4, 3), width=4), grids, batch_size=3) == pytest.approx(math.log2(codes))


def test_the_likelihood_is_the_product_of_the_conditionals():
    prior = trained_looking(codes=2, grid=(2, 2))
    every = torch.cartesian_prod(*[torch.arange(2)] * 4).view(16, 2, 2)
    nats = torch.stack([symbol_nll(prior(one[None]).logits, one[None]) for one in every])
    assert (-nats).exp().sum().item() == pytest.approx(1)  # a distribution over all sixteen grids
    torch.testing.assert_close(symbol_nll(prior(every).logits, every), nats.mean())


def test_samples_follow_the_prior():
    prior = trained_looking(codes=2, grid=(2, 2))
    every = torch.cartesian_prod(*[torch.arange(2)] * 4).view(16, 2, 2)
    p = torch.stack([(-symbol_nll(prior(one[None]).logits, one[None])).exp() for one in every]).detach()
    torch.manual_seed(0)
    drawn = prior.sample(20_000).flatten(1) @ torch.tensor([8, 4, 2, 1])
    frequencies = torch.bincount(drawn, minlength=16) / 20_000
    assert ((frequencies - p).abs() < 4 * (p * (1 - p) / 20_000).sqrt() + 1e-9).all()
    cold = prior.sample(50, temperature=1e-3)
    assert len(cold.unique(dim=0)) == 1


def test_it_learns_a_rule():
    """The right half repeats the left: after training it costs nothing, and the left half its full bit."""
    left = torch.randint(2, (600, 4, 2), generator=torch.Generator().manual_seed(0))
    grids = Grids(torch.cat([left, left], 2), torch.zeros(600, dtype=torch.int64))
    torch.manual_seed(0)
    prior = PixelCNN(2, (4, 4), width=16, blocks=2)
    phase = Phase(SymbolLikelihood())
    history = fit({"prior": prior}, phase, grids, epochs=25, batch_size=50)
    assert history[history.term == "bits"].value.iloc[-1] == pytest.approx(0.5, abs=0.06)
    drawn = prior.sample(200)
    assert (drawn[:, :, :2] == drawn[:, :, 2:]).float().mean() > 0.95


def test_the_objective_counts_nats_and_bits():
    prior, x = PixelCNN(8, (4, 3), width=4), torch.zeros(3, 4, 3, dtype=torch.int64)
    terms = SymbolLikelihood()({"prior": prior}, Batch(x, None))
    assert terms["loss"].item() == pytest.approx(12 * math.log(8))
    assert terms["bits"].item() == pytest.approx(3)


def test_grids_of_a_model_and_their_usage():
    torch.manual_seed(0)
    model = small_vqvae(VectorQuantizer(8, 4), width=4)
    data = ImageSet((255 * torch.rand(10, 1, 28, 28)).byte(), torch.arange(10))
    grids = code_grids(model, data, batch_size=4)
    assert torch.equal(grids.x, model.indices(data.images()))
    assert grids.batch(torch.tensor([3])).y.tolist() == [3]
    usage = code_usage(grids, 8)
    assert usage.counts.sum() == 490
    assert usage.percent == 100 * len(grids.x.unique()) / 8
    uniform = Grids(torch.arange(8).view(1, 2, 4), torch.zeros(1, dtype=torch.int64))
    assert code_usage(uniform, 16)[1:] == pytest.approx((8.0, 50.0))


def test_clear_errors():
    with pytest.raises(ValueError, match="side is odd"):
        MaskedConv2d(1, 1, 4, center=True)
    with pytest.raises(ValueError, match=r"int64 of shape \(B, 7, 7\)"):
        PixelCNN(4)(torch.zeros(2, 7, 6, dtype=torch.int64))
    with pytest.raises(ValueError, match="temperature is positive"):
        PixelCNN(4).sample(1, temperature=0.0)
    with pytest.raises(ValueError, match="logits"):
        symbol_nll(torch.zeros(2, 4, 3, 3), torch.zeros(2, 3, 4, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"torch\.int64"):
        Grids(torch.zeros(2, 3, 3), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="with labels"):
        Grids(torch.zeros(2, 3, 3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64))
