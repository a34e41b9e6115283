"""Sparse autoencoders: exact top-k, the KL penalty against scipy, AuxK on dead units only, unit columns, identity."""

import numpy as np
import pytest
import torch
from scipy.optimize import check_grad
from scipy.stats import entropy
from sklearn.decomposition import sparse_encode
from torch import nn

from aelib import metrics
from aelib.data import Batch, photographs, whiten, whitened_patches
from aelib.likelihoods import bernoulli_kl, squared_error
from aelib.models.sparse import AuxK, DeadUnits, KLSparse, L1Sparse, Sparse, SparseAutoencoder
from aelib.models.sparse_activations import TopK
from aelib.models.stacked import OnCodes
from aelib.nets import UnitColumns, count_parameters
from aelib.training import Phase, fit
from aelib.training.optimizers import adam

SMALL = (1, 8, 8)


def batch(n: int = 6, seed: int = 0) -> Batch:
    return Batch(torch.rand(n, *SMALL, generator=torch.Generator().manual_seed(seed)), None)


# Top-k


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("negative", [False, True])
def test_top_k_is_what_sorting_keeps(k, negative):
    a = torch.randn(50, 10, generator=torch.Generator().manual_seed(k))
    threshold = a.sort(dim=1, descending=True).values[:, k - 1 : k]
    expected = torch.where(a >= threshold, a, 0.0)
    torch.testing.assert_close(TopK(k, negative)(a), expected if negative else expected.relu(), rtol=0, atol=0)


def test_of_equal_numbers_top_k_keeps_exactly_k():
    assert TopK(3)(torch.ones(4, 10)).sum(1).tolist() == [3.0] * 4
    assert TopK(3)(torch.tensor([[2.0, 1.0, 1.0, 1.0, 0.5]])).sum().item() == 4.0


def test_top_k_of_a_narrow_row_keeps_all_of_it():
    a = torch.randn(5, 4)
    torch.testing.assert_close(TopK(4, negative=True)(a), a, rtol=0, atol=0)
    torch.testing.assert_close(TopK(99)(a), a.relu(), rtol=0, atol=0)


def test_the_gradient_passes_the_kept_units_alone():
    a = torch.tensor([[3.0, 1.0, -1.0, 2.0]], requires_grad=True)
    (TopK(2)(a) * torch.tensor([5.0, 6.0, 7.0, 8.0])).sum().backward()
    assert a.grad.tolist() == [[5.0, 0.0, 0.0, 8.0]]
    with pytest.raises(ValueError, match="got k = 0"):
        TopK(0)


# The KL penalty


def test_the_divergence_is_scipys():
    q = torch.tensor([0.01, 0.05, 0.3, 0.9], dtype=torch.float64)
    expected = sum(entropy([0.05, 0.95], [p, 1 - p]) for p in q.tolist())
    assert bernoulli_kl(0.05, q).item() == pytest.approx(expected, rel=1e-12)
    assert bernoulli_kl(0.05, q[1:2]).item() == pytest.approx(0, abs=1e-15)
    # By hand: 0.5 ln(0.5/0.25) + 0.5 ln(0.5/0.75) = 0.5 ln(4/3).
    assert bernoulli_kl(0.5, torch.tensor([0.25])).item() == pytest.approx(0.143841, abs=1e-6)


def test_its_gradient_is_the_lecture_notes():
    q = torch.tensor([0.02, 0.2, 0.7], dtype=torch.float64, requires_grad=True)
    bernoulli_kl(0.1, q).backward()
    torch.testing.assert_close(q.grad, -0.1 / q.detach() + 0.9 / (1 - q.detach()))  # Ng (2011), page 16
    error = check_grad(
        lambda v: bernoulli_kl(0.1, torch.from_numpy(v)).item(), lambda v: -0.1 / v + 0.9 / (1 - v), q.detach().numpy()
    )
    assert error < 1e-5  # of finite differences


def test_saturated_means_stay_finite_and_impossible_ones_do_not():
    assert bernoulli_kl(0.05, torch.tensor([0.0, 1.0])).isfinite()
    assert bernoulli_kl(0.05, torch.tensor([0.5, 1.5])).isnan()
    with pytest.raises(ValueError, match="between 0 and 1; it got 1"):
        bernoulli_kl(1.0, torch.tensor([0.5]))


def test_the_penalty_of_parts_is_never_less_than_that_of_the_whole():
    """Why small batches, and the shares of several processes, ask for more sparseness than the data set does."""
    torch.manual_seed(0)
    model, x = SparseAutoencoder(25, shape=SMALL), batch(32).x
    whole = KLSparse().penalty(model(x), x)
    halves = [KLSparse().penalty(model(part), part) for part in x.split(16)]
    alone = [KLSparse().penalty(model(part), part) for part in x.split(1)]
    assert whole < sum(halves) / 2 < sum(alone) / 32


# Objectives


def test_the_objective_is_ufldls_cost():
    """Ng (2011), equation on page 15: ½‖x − x̂‖² + λ/2 ‖W‖² + β Σ KL, written out in numpy."""
    torch.manual_seed(0)
    model = SparseAutoencoder(25, shape=SMALL, output=nn.Sigmoid).double()
    x = batch().x.double()
    w, b, d, c = (p.detach().numpy() for p in model.parameters())
    flat = x.flatten(1).numpy()
    z = 1 / (1 + np.exp(-(flat @ w.T + b)))
    x_hat = 1 / (1 + np.exp(-(z @ d.T + c)))
    mean = z.mean(0)
    kl = (0.05 * np.log(0.05 / mean) + 0.95 * np.log(0.95 / (1 - mean))).sum()
    cost = 0.5 * ((x_hat - flat) ** 2).sum(1).mean() + 0.5 * 0.003 * ((w**2).sum() + (d**2).sum()) + 3 * kl
    terms = KLSparse(weight_decay=0.003, rho=0.05, beta=3)({"ae": model}, Batch(x, None))
    assert terms["loss"].item() == pytest.approx(cost, rel=1e-10)
    assert terms["penalty"].item() == pytest.approx(3 * kl, rel=1e-10)
    assert terms["active"].item() == 25


def test_variants_differ_in_one_term():
    torch.manual_seed(0)
    model, given = SparseAutoencoder(30, nn.ReLU, SMALL), batch()
    plain = Sparse(weight_decay=0.01)({"ae": model}, given)
    sparse = L1Sparse(weight_decay=0.01, alpha=0.2)({"ae": model}, given)
    assert plain["penalty"] == 0
    torch.testing.assert_close(sparse["penalty"], 0.2 * model.encode(given.x).sum(1).mean())
    torch.testing.assert_close(sparse["loss"] - sparse["penalty"], plain["loss"])
    torch.testing.assert_close(plain["squared error"], squared_error(model(given.x).x_hat, given.x))


def test_kl_on_units_that_are_no_probabilities_stops_the_training(small):
    torch.manual_seed(0)
    model = SparseAutoencoder(30, nn.ReLU, SMALL)
    with torch.no_grad():
        model.encoder[1].bias.fill_(5.0)
    with pytest.raises(FloatingPointError, match=r"'KLSparse'.*'loss' became nan"):
        fit({"ae": model}, Phase(KLSparse()), small, epochs=1)


def test_training_lands_on_rho(small):
    torch.manual_seed(0)
    model = SparseAutoencoder(20, shape=SMALL, output=nn.Sigmoid)
    fit({"ae": model}, Phase(KLSparse(rho=0.1), adam(0.02)), small, epochs=150, batch_size=120)
    mean = metrics.codes(model, small).mean(0)
    assert (mean - 0.1).abs().max() < 0.03


def test_one_objective_trains_a_layer_of_a_stack(small):
    torch.manual_seed(0)
    below, model = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Sigmoid()), SparseAutoencoder(9, shape=(20,))
    terms = OnCodes(KLSparse())({"ae": model, "below": below}, small.batch())
    assert terms["loss"].isfinite()
    assert model(below(small.images())).x_hat.shape == (120, 20)


# Dead units


def test_activity_counts_examples_since_a_unit_was_active():
    count = DeadUnits(3, patience=4)
    z = torch.tensor([[1.0, 0.0, 0.0], [0.0, -2.0, 0.0]])
    assert count(z) == 0
    assert count.idle.tolist() == [0, 0, 2]
    assert count(z[:, [0, 2, 2]]) == 1
    assert count.idle.tolist() == [0, 2, 4]
    assert count.dead().tolist() == [False, False, True]
    count.eval()
    count(torch.zeros(50, 3))
    assert count.idle.tolist() == [0, 2, 4]  # validation does not count


def test_activity_counts_over_all_processes(monkeypatch):
    other = torch.tensor([0, 3, 0, 2])  # from the other process: how often each of three units, and of how many
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.all_reduce", lambda seen: seen.add_(other))
    count = DeadUnits(3, patience=6)
    count(torch.tensor([[1.0, 0.0, 0.0]]))
    assert count.idle.tolist() == [0, 0, 3]


def dying(dead: list[int]) -> tuple[SparseAutoencoder, DeadUnits]:
    """A top-4 autoencoder of 12 units, of which some cannot win."""
    torch.manual_seed(0)
    model, count = SparseAutoencoder(12, lambda: TopK(4), SMALL, "unit columns"), DeadUnits(12, patience=10)
    with torch.no_grad():
        model.encoder[1].weight.abs_()
        model.encoder[1].bias.zero_()
        model.encoder[1].weight[dead] *= 0.01
    count.idle[dead] = 10
    return model, count


def test_aux_k_teaches_dead_units_alone():
    dead = [2, 5, 11]
    model, count = dying(dead)
    given = batch()
    terms = AuxK(alpha=0.5)({"ae": model, "dead units": count}, given)
    terms["penalty"].backward()
    reached = model.encoder[1].weight.grad.abs().sum(1) > 0
    assert reached.nonzero().flatten().tolist() == dead
    assert terms["dead"] == 3
    # By hand: the residual, and what the dead units make of the input.
    x = given.x.flatten(1)
    a = (x @ model.encoder[1].weight.T + model.encoder[1].bias).relu()
    residual = x - model(given.x).x_hat.flatten(1)
    x_dead = a[:, dead] @ model.dictionary().T[dead]
    expected = 0.25 * (residual - x_dead).square().sum(1).mean()
    torch.testing.assert_close(terms["penalty"], expected)


def test_aux_k_is_nothing_while_all_units_live():
    model, count = dying([])
    terms = AuxK()({"ae": model, "dead units": count}, batch())
    assert terms["penalty"] == 0
    torch.testing.assert_close(terms["loss"], 0.5 * terms["squared error"])
    with pytest.raises(ValueError, match="AuxK needs to know the dead units"):
        AuxK()({"ae": model}, batch())


def test_aux_k_revives(small):
    counts = {}
    for objective in (Sparse(), AuxK(alpha=1.0)):
        model, count = dying([2, 5, 11])
        nets = {"ae": model, "dead units": count}
        fit(nets, Phase(objective, adam(0.01), updates=("ae",)), small, epochs=60, batch_size=30)
        counts[type(objective)] = metrics.dead_units(metrics.codes(model, small))
    assert counts[AuxK] < counts[Sparse]


# The network


def test_unit_columns_have_length_one_and_gradients_across_them():
    torch.manual_seed(0)
    layer = UnitColumns(12, 64)
    with torch.no_grad():
        layer.weight.mul_(7)
    torch.testing.assert_close(layer.columns().norm(dim=0), torch.ones(12))
    layer(torch.rand(5, 12)).square().sum().backward()
    along = (layer.weight.grad * layer.columns()).sum(0)
    assert along.abs().max() < 1e-4 * layer.weight.grad.norm()


def test_tied_weights_are_one_matrix():
    model = SparseAutoencoder(100, lambda: TopK(7, negative=True), SMALL, "tied")
    assert count_parameters(model) == 64 * 100 + 100 + 64
    with torch.no_grad():
        model.encoder[1].weight.fill_(2.0)
    assert model.dictionary().shape == (64, 100)
    assert (model.dictionary() == 2).all()
    model.load_state_dict(SparseAutoencoder(100, lambda: TopK(7), SMALL, "tied").state_dict())
    torch.testing.assert_close(model.dictionary(), model.encoder[1].weight.T)


def test_twice_as_many_units_as_pixels_can_copy_everything():
    """ReLU([I; −I]x) followed by [I, −I] is the identity: without a penalty nothing needs to be learned."""
    model, eye = SparseAutoencoder(128, nn.ReLU, SMALL), torch.eye(64)
    with torch.no_grad():
        model.encoder[1].weight.copy_(torch.cat([eye, -eye]))
        model.decoder[0].weight.copy_(torch.cat([eye, -eye], 1))
        model.encoder[1].bias.zero_()
        model.decoder[0].bias.zero_()
    x = torch.randn(9, *SMALL)
    torch.testing.assert_close(model(x).x_hat, x)


def test_centering_leaves_the_mean_input_without_a_code():
    torch.manual_seed(0)
    x = batch(50).x
    model = SparseAutoencoder(20, nn.ReLU, SMALL, "unit columns").center(x)
    mean = x.mean(0, keepdim=True)
    assert model.encode(mean).abs().max() < 1e-5
    torch.testing.assert_close(model(mean).x_hat, mean)
    torch.testing.assert_close(model.encoder[1].weight, model.dictionary().T)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="'free', 'unit columns', 'tied'; it is 'loose'"):
        SparseAutoencoder(5, decoder="loose")
    with pytest.raises(ValueError, match=r"shape \(B, 1, 8, 8\); it got shape \(6, 64\)"):
        SparseAutoencoder(5, shape=SMALL)(batch().x.flatten(1))


# Measures


def test_codes_are_counted():
    z = torch.tensor([[0.0, 1.0, 0.0], [0.0, 2.0, -1.0]])
    assert metrics.l0(z) == 1.5
    assert metrics.activity(z).tolist() == [0.0, 1.0, 0.5]
    assert metrics.dead_units(z) == 1
    with pytest.raises(ValueError, match=r"\(N, units\)"):
        metrics.l0(z[0])


def test_the_mean_explains_nothing_and_a_copy_everything():
    x = batch().x
    assert metrics.unexplained(x, x) == 0
    assert metrics.unexplained(x.mean(0).expand_as(x), x) == pytest.approx(1)
    with pytest.raises(ValueError, match="examples that differ"):
        metrics.unexplained(x[:1], x[:1])


def test_refitting_undoes_the_shrinkage_of_the_lasso():
    """On orthonormal columns the lasso's answer, scikit-learn's, is too small by α exactly; the refit is not."""
    torch.manual_seed(0)
    dictionary, _ = torch.linalg.qr(torch.randn(30, 10))
    truth = torch.rand(40, 10) + 1
    truth[torch.rand(40, 10) < 0.6] = 0
    x = truth @ dictionary.T
    shrunk = torch.from_numpy(
        sparse_encode(x.numpy(), dictionary.T.contiguous().numpy(), algorithm="lasso_lars", alpha=0.3, positive=True)
    ).float()
    torch.testing.assert_close(shrunk, (truth - 0.3).relu(), atol=1e-4, rtol=0)
    torch.testing.assert_close(metrics.refit(shrunk, dictionary, x), truth, atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="refit takes codes"):
        metrics.refit(shrunk, dictionary.T, x)


def test_refitting_is_least_squares_on_the_active_columns():
    torch.manual_seed(0)
    dictionary, x = torch.randn(30, 50), torch.randn(20, 30)
    z = TopK(6)(torch.randn(20, 50))
    fitted = metrics.refit(z, dictionary, x)
    for i in range(20):
        on = z[i].nonzero()[:, 0]
        expected = torch.linalg.lstsq(dictionary[:, on], x[i, :, None]).solution[:, 0]
        torch.testing.assert_close(fitted[i, on], expected, atol=1e-4, rtol=1e-4)
    assert ((fitted != 0) <= (z != 0)).all()
    assert metrics.refit(torch.zeros(2, 50), dictionary, x[:2]).abs().sum() == 0


# Photographs


def test_photographs_come_with_scikit_image():
    found = photographs()
    assert len(found) == 10
    assert all(image.ndim == 2 and min(image.shape) > 200 for image in found.values())
    assert all(0 <= image.min() < image.max() <= 1 for image in found.values())


def test_whitening_leaves_the_same_power_at_all_frequencies_below_the_cutoff():
    """A field of amplitude 1/f, as photographs have it, becomes white."""
    side = 256
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    noise = np.random.default_rng(0).standard_normal((side, side))
    white = whiten(np.fft.ifft2(np.fft.fft2(noise) / np.maximum(f, 1 / side)).real)
    power = np.abs(np.fft.fft2(white)) ** 2
    low, middle, beyond = (power[(f > a) & (f <= b)].mean() for a, b in ((0.02, 0.06), (0.1, 0.16), (0.55, 0.71)))
    assert low == pytest.approx(middle, rel=0.1)
    assert beyond < 0.01 * low
    assert (white.mean(), white.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1))
    with pytest.raises(ValueError, match="not constant"):
        whiten(np.ones((16, 16)))


def test_patches_are_scaled_as_in_the_exercise():
    patches = whitened_patches(500, seed=3)
    x = patches.images()
    assert x.shape == (500, 1, 8, 8)
    assert x.mean().item() == pytest.approx(0.5, abs=0.002)
    assert 0.1 - 1 / 255 <= x.min() < x.max() <= 0.9 + 1 / 255
    assert patches.y.bincount().tolist() == [50] * 10
    torch.testing.assert_close(whitened_patches(500, seed=3).x, patches.x)
    assert not torch.equal(whitened_patches(500, seed=4).x, patches.x)
    with pytest.raises(ValueError, match="not 0 of 8"):
        whitened_patches(0)
