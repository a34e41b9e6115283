"""Likelihoods as objects: densities against torch's, means and samples, and what they refuse."""

import math

import pytest
import torch
from torch import distributions as D

from aelib.data import Batch
from aelib.interfaces import Likelihood
from aelib.likelihoods import Bernoulli, Gaussian, bernoulli_log_prob, bernoulli_nll
from aelib.models.autoencoder import Autoencoder, CrossEntropy
from aelib.training import Phase, fit

CASES: list[tuple[Likelihood, object]] = [
    (Bernoulli(), lambda parameters: D.Bernoulli(logits=parameters)),
    (Gaussian(0.3), lambda parameters: D.Normal(parameters, 0.3)),
    (Gaussian(0.3, "logit"), lambda parameters: D.Normal(parameters.sigmoid(), 0.3)),
]


@pytest.mark.parametrize(("likelihood", "theirs"), CASES)
def test_densities_means_and_samples_are_torchs(likelihood, theirs):
    torch.manual_seed(0)
    parameters, x = torch.randn(5, 3, 1, 2, 2), torch.randint(2, (3, 1, 2, 2)).float()
    torch.testing.assert_close(likelihood.log_prob(parameters, x), theirs(parameters).log_prob(x).flatten(2).sum(2))
    torch.testing.assert_close(likelihood.nll(parameters[0], x), -likelihood.log_prob(parameters[0], x).mean())
    torch.testing.assert_close(likelihood.mean(parameters), theirs(parameters).mean)
    torch.testing.assert_close(likelihood.output()(parameters), theirs(parameters).mean)
    several = likelihood.sample(parameters[0, :1].expand(20_000, 1, 2, 2))
    expected = theirs(parameters[0, :1])
    torch.testing.assert_close(several.mean(0, keepdim=True), expected.mean, atol=0.02, rtol=0)
    torch.testing.assert_close(several.var(0, keepdim=True), expected.variance, atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("x", "cause"),
    [
        (torch.tensor([[-0.4242, 2.8]]), "reach from -0.424 to 2.8: the usual normalization to mean 0 was applied"),
        (torch.tensor([[0.0, 255.0]]), "reach from 0 to 255: divide them by 255"),
        (torch.tensor([[0.2, 1.25]]), "reach from 0.2 to 1.25: divide them by 1.25"),
    ],
)
def test_pixels_that_no_bernoulli_gives_are_refused_with_the_usual_cause(x, cause):
    for refusing in (
        lambda: Bernoulli().check(x),
        lambda: bernoulli_nll(torch.zeros_like(x), x),
        lambda: bernoulli_log_prob(torch.zeros(3, *x.shape), x),
    ):
        with pytest.raises(ValueError, match=cause):
            refusing()
    Gaussian().check(x)


def test_what_resizing_rounds_past_the_ends_is_taken():
    x = torch.tensor([[-1e-7, 1 + 1e-6]])
    Bernoulli().check(x)
    assert bernoulli_nll(torch.zeros(1, 2), x).item() == pytest.approx(2 * math.log(2), rel=1e-5)


def test_where_a_look_would_cost_a_wait_the_answer_is_nan():
    """As on a GPU: a compiled step cannot look at the values either."""
    compiled = torch.compile(bernoulli_nll, backend="eager", fullgraph=True)
    logits = torch.zeros(2, 3, requires_grad=True)
    assert compiled(logits, torch.full((2, 3), 1.5)).isnan()
    good = compiled(logits, torch.full((2, 3), 0.5))
    assert good.item() == pytest.approx(3 * math.log(2))
    good.backward()
    assert logits.grad.isfinite().all()


def test_a_compiled_training_on_normalized_pixels_is_stopped_by_name():
    class Normalized:
        def __len__(self):
            return 12

        def to(self, device):
            return self

        def batch(self, index):
            return Batch(torch.linspace(-1, 1, 64).view(1, 1, 8, 8).repeat(len(index), 1, 1, 1), None)

    ae = Autoencoder((64, 3), torch.nn.ReLU, (1, 8, 8))
    with pytest.raises(FloatingPointError, match="'CrossEntropy': the term 'loss' became nan in epoch 1, batch 1"):
        fit({"ae": ae}, Phase(CrossEntropy()), Normalized(), epochs=1, batch_size=6, compile="eager")
    with pytest.raises(ValueError, match="normalization to mean 0"):
        fit({"ae": ae}, Phase(CrossEntropy()), Normalized(), epochs=1, batch_size=6)


def test_a_gaussian_needs_a_width_and_a_known_link():
    for sigma in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="positive, finite standard deviation"):
            Gaussian(sigma)
    with pytest.raises(ValueError, match="'identity' or 'logit'; it is 'probit'"):
        Gaussian(0.1, "probit")
    with pytest.raises(ValueError, match="finite pixels; 1 of these"):
        Gaussian().check(torch.tensor([[0.0, math.nan]]))
