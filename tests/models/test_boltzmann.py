"""Restricted Boltzmann machines against enumeration of all their states, and the unrolling of a stack."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from aelib.data import Batch
from aelib.models.boltzmann import RBM, ContrastiveDivergence, unroll


def states(units: int) -> Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=units)))


@pytest.fixture
def tiny() -> RBM:
    torch.manual_seed(0)
    rbm = RBM(4, 3).double()
    with torch.no_grad():
        for p in rbm.parameters():
            p.copy_(0.7 * torch.randn_like(p))
    return rbm


def log_likelihood(rbm: RBM, data: Tensor) -> Tensor:
    """By enumeration of all visible states."""
    return (-rbm.free_energy(data) - torch.logsumexp(-rbm.free_energy(states(4).double()), 0)).mean()


def test_free_energy_is_the_energy_with_the_hidden_units_summed_out(tiny):
    v, h = states(4).double(), states(3).double()
    joint = torch.stack([-tiny.energy(v, one.expand(len(v), 3)) for one in h], 1)
    torch.testing.assert_close(tiny.free_energy(v), -torch.logsumexp(joint, 1))


def test_gaussian_free_energy_is_the_integral_over_the_hidden_unit():
    torch.manual_seed(0)
    rbm = RBM(3, 1, "gaussian").double()
    v, h = states(3).double(), torch.linspace(-12, 12, 20001, dtype=torch.float64)
    joint = torch.stack([-rbm.energy(v, x.expand(len(v), 1)) - 0.5 * x**2 for x in h])
    density = torch.exp(joint - 0.5 * torch.log(torch.tensor(2 * torch.pi)))
    integral = torch.trapezoid(density, h, dim=0)
    torch.testing.assert_close(rbm.free_energy(v), -torch.log(integral), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_long_chains_give_the_gradient_of_the_log_likelihood(tiny):
    data = states(4).double()[[1, 3, 7, 7, 15, 15]]
    exact = torch.autograd.grad(-log_likelihood(tiny, data), list(tiny.parameters()))
    many = data.repeat(60_000, 1)
    torch.manual_seed(1)
    loss = ContrastiveDivergence(steps=40, weight_decay=0.0)(
        {"rbm": SampledVisible(tiny), "below": nn.Identity()}, Batch(many, None)
    )["loss"]
    estimate = torch.autograd.grad(loss, list(tiny.parameters()))
    for e, found in zip(exact, estimate, strict=True):
        torch.testing.assert_close(found, e, rtol=0.03, atol=4e-3)


class SampledVisible(nn.Module):
    """The textbook's chain: visible units sampled too (the paper keeps their means, a biased short cut)."""

    def __init__(self, rbm: RBM) -> None:
        super().__init__()
        self.rbm = rbm

    def forward(self, v, steps):
        rbm = self.rbm
        with torch.no_grad():
            chain = v
            for _ in range(steps):
                chain = rbm.decode(rbm.sample_hidden(rbm.encode(chain))).bernoulli()
            h, h_model = rbm.encode(v), rbm.encode(chain)
        step = rbm(v)
        return step._replace(x_hat=chain, energy_data=rbm.energy(v, h), energy_model=rbm.energy(chain, h_model))


def test_one_step_from_the_data_is_hintons_update(tiny, monkeypatch):
    """CD-1 by its statistics, <v h>_data - <v h>_reconstruction, on the same sample of the hidden units."""
    v = torch.rand(5, 4, dtype=torch.float64)
    h = tiny.encode(v)
    sampled = (h > 0.5).double()
    monkeypatch.setattr(tiny, "sample_hidden", lambda mean: sampled)
    v1 = tiny.decode(sampled)
    h1 = tiny.encode(v1)
    objective = ContrastiveDivergence(weight_decay=0.1)
    loss = objective({"rbm": tiny, "below": nn.Identity()}, Batch(v, None))["loss"]
    loss.backward()
    torch.testing.assert_close(tiny.weight.grad, -(v.T @ h - v1.T @ h1) / 5 + 0.1 * tiny.weight)
    torch.testing.assert_close(tiny.visible_bias.grad, -(v - v1).mean(0))
    torch.testing.assert_close(tiny.hidden_bias.grad, -(h - h1).mean(0))


def test_gaussian_hidden_units_have_unit_variance():
    torch.manual_seed(0)
    rbm = RBM(4, 2, "gaussian")
    sample = rbm.sample_hidden(torch.ones(20_000, 2))
    assert sample.mean().item() == pytest.approx(1, abs=0.02)
    assert sample.var().item() == pytest.approx(1, abs=0.03)


def test_an_unrolled_stack_computes_what_the_rbms_compute():
    rbms = [RBM(784, 30), RBM(30, 12), RBM(12, 5, "gaussian")]
    ae = unroll(rbms)
    x = torch.rand(3, 1, 28, 28)
    h = x.flatten(1)
    for rbm in rbms:
        h = rbm.encode(h)
    torch.testing.assert_close(ae.encode(x), h)
    for rbm in reversed(rbms):
        h = rbm.decode(h)
    torch.testing.assert_close(ae.decode(ae.encode(x)).flatten(1), h)
    torch.testing.assert_close(nn.Sequential(*(rbm.as_layer() for rbm in rbms))(x.flatten(1)), ae.encode(x))


def test_unrolling_copies_so_that_the_halves_may_part():
    rbms = [RBM(784, 6, "gaussian")]
    ae = unroll(rbms)
    with torch.no_grad():
        rbms[0].weight.zero_()
    assert ae.encoder[1].weight.abs().max() > 0


def test_stacks_that_cannot_be_unrolled_are_refused():
    with pytest.raises(ValueError, match="fit on each other"):
        unroll([RBM(784, 30), RBM(29, 5, "gaussian")])
    with pytest.raises(ValueError, match="Gaussian ones at the top"):
        unroll([RBM(784, 30), RBM(30, 5)])
    with pytest.raises(ValueError, match="'logistic' or 'gaussian'"):
        RBM(4, 3, "relu")
