"""Batch top-k, thresholds and gates: their values and pseudo-gradients by hand, and what their objectives teach."""

import math

import pytest
import torch
from torch import nn

from aelib.data import Batch
from aelib.models.sparse import GatedSparse, L0Sparse, SparseAutoencoder
from aelib.models.sparse_activations import BatchTopK, GatedReLU, JumpReLU, TopK
from aelib.training import Phase, fit
from aelib.training.optimizers import adam

SMALL = (1, 2, 2)


def test_batch_top_k_keeps_k_a_row_on_average_and_not_in_each():
    a = torch.tensor([[5.0, 4.0, 3.0, -9.0], [1.0, 0.5, -1.0, 2.0]])
    kept = BatchTopK(2)(a)
    assert kept.tolist() == [[5, 4, 3, 0], [0, 0, 0, 2]]
    assert BatchTopK(3)(torch.tensor([[1.0, -1.0, -2.0]])).tolist() == [[1, 0, 0]]  # negative ones are not kept
    one = torch.randn(1, 9)
    torch.testing.assert_close(BatchTopK(4)(one), TopK(4)(one))  # of one row it is top-k
    a.requires_grad_()
    BatchTopK(2)(a).sum().backward()
    assert torch.equal(a.grad, (kept != 0).float())


def test_in_evaluation_batch_top_k_is_a_threshold_that_training_has_left():
    layer = BatchTopK(1, decay=0.5)
    layer(torch.tensor([[4.0, 1.0], [2.0, 3.0]]))  # keeps 4 and 3
    assert layer.threshold == 3
    layer(torch.tensor([[9.0, 5.0], [0.0, 0.0]]))
    assert layer.threshold == 4  # half-way to 5
    layer(torch.full((2, 2), -1.0))  # nothing to keep: nothing is learned
    assert layer.threshold == 4
    x = torch.tensor([[3.9, 4.1], [5.0, 6.0]])
    torch.testing.assert_close(layer.eval()(x), torch.tensor([[0.0, 4.1], [5.0, 6.0]]))
    torch.testing.assert_close(layer(x[:1]), layer(x)[:1])  # an example does not depend on the others
    with pytest.raises(ValueError, match="1 number or more"):
        BatchTopK(0)


def test_in_evaluation_as_many_units_are_active_as_in_training(small):
    torch.manual_seed(0)
    model = SparseAutoencoder(40, lambda: BatchTopK(5), (1, 8, 8), "unit columns")
    fit({"ae": model}, Phase(L0Sparse(0.0), adam(3e-3)), small, epochs=20, batch_size=30)
    active = (model.encode(small.images()) != 0).sum(1).float()
    assert active.mean().item() == pytest.approx(5, rel=0.15)
    assert active.std() > 0


def test_a_jump_relu_is_its_paper_in_value_and_gradient():
    layer = JumpReLU(3, threshold=0.5, bandwidth=0.2)
    a = torch.tensor([[0.55, 2.0, 0.45], [0.3, 0.59, -1.0]], requires_grad=True)
    z = layer(a)
    torch.testing.assert_close(z, torch.tensor([[0.55, 2.0, 0.0], [0.0, 0.59, 0.0]]))
    upstream = torch.tensor([[1.0, 10.0, 100.0], [1000.0, 3.0, 7.0]])
    z.backward(upstream)
    assert torch.equal(a.grad, upstream * (a > 0.5))
    # d z / dθ = -θ/ε where |a - θ| < ε/2; d θ / d log θ = θ. Near the threshold are a[0, 0], a[0, 2] and a[1, 1].
    slope = -0.5 / 0.2 * 0.5
    assert layer.log_threshold.grad.tolist() == pytest.approx([slope * 1, slope * 3, slope * 100])
    layer.zero_grad()
    l0 = layer.l0(a)
    assert l0.tolist() == [2, 1]
    l0.sum().backward()
    assert layer.log_threshold.grad.tolist() == pytest.approx([-1 / 0.2 * 0.5] * 3)
    with pytest.raises(ValueError, match="positive threshold and bandwidth"):
        JumpReLU(3, threshold=0)


def test_the_thresholds_gradient_is_that_of_the_expected_loss():
    """For a uniform in [0, 1]: E[H(a - θ)] = 1 - θ and E[(c - z)²], with z = a H(a - θ), has -θ² + 2cθ ... by θ."""
    torch.manual_seed(0)
    a, c, theta = torch.rand(400_000, 1), 0.8, 0.4
    layer = JumpReLU(1, theta, bandwidth=0.05)
    layer.l0(a).mean().backward()
    assert layer.log_threshold.grad.item() == pytest.approx(-1 * theta, rel=0.03)  # times θ: by log θ
    layer.zero_grad()
    (c - layer(a)).square().mean().backward()
    # d/dθ of ∫_0^θ c² da + ∫_θ^1 (c - a)² da is c² - (c - θ)².
    assert layer.log_threshold.grad.item() == pytest.approx(theta * (c**2 - (c - theta) ** 2), rel=0.05)


def test_a_price_on_active_units_raises_thresholds_and_lowers_their_number(small):
    active, thresholds = {}, {}
    for strength in (0.0, 0.1):
        torch.manual_seed(0)
        model = SparseAutoencoder(40, lambda: JumpReLU(40, 0.1, 0.1), (1, 8, 8), "unit columns")
        history = fit({"ae": model}, Phase(L0Sparse(strength), adam(1e-2)), small, epochs=40, batch_size=30)
        active[strength] = history[history.term == "active"].value.iloc[-1]
        thresholds[strength] = model.encoder[-1].thresholds().mean().item()
    assert active[0.1] < 0.8 * active[0.0]
    assert thresholds[0.1] > 1.2 * thresholds[0.0]


def test_gates_and_magnitudes_are_the_papers():
    torch.manual_seed(0)
    model = SparseAutoencoder(6, lambda: GatedReLU(6), SMALL, "unit columns")
    layer, up, x = model.encoder[-1], model.encoder[1], torch.rand(9, *SMALL)
    with torch.no_grad():
        layer.log_scale.copy_(torch.randn(6))
        layer.bias.copy_(torch.randn(6))
    w_gate, b_gate = up.weight, up.bias
    w_mag, b_mag = layer.log_scale.exp()[:, None] * w_gate, layer.bias + layer.log_scale.exp() * b_gate
    flat = x.flatten(1)
    expected = (flat @ w_gate.T + b_gate > 0) * (flat @ w_mag.T + b_mag).relu()
    torch.testing.assert_close(model.encode(x), expected)


def test_gates_learn_from_their_own_terms_and_magnitudes_from_the_error_alone():
    torch.manual_seed(0)
    model = SparseAutoencoder(6, lambda: GatedReLU(6), SMALL, "unit columns")
    x = torch.rand(9, *SMALL)
    out, objective = model(x), GatedSparse(alpha=0.3)
    pi = model.encoder[:-1](x).relu()
    frozen = (pi @ model.dictionary().T + model.decoder[0].bias).view_as(x)
    penalty = objective.penalty(out, x)
    expected = 0.3 * pi.sum(1).mean() + 0.5 * (x - frozen).square().sum((1, 2, 3)).mean()
    torch.testing.assert_close(penalty, expected)
    penalty.backward()
    assert model.decoder[0].weight.grad is None and model.decoder[0].bias.grad is None  # held fixed
    assert model.encoder[-1].log_scale.grad is None and model.encoder[-1].bias.grad is None
    assert model.encoder[1].weight.grad.abs().sum() > 0
    terms = objective({"ae": model}, Batch(x, None))
    torch.testing.assert_close(terms["loss"], 0.5 * terms["squared error"] + terms["penalty"])
    with pytest.raises(ValueError, match="trains gates"):
        objective({"ae": SparseAutoencoder(6, nn.ReLU, SMALL)}, Batch(x, None))
    assert math.isfinite(terms["loss"].item())
