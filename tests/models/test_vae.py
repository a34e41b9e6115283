"""Variational autoencoders: densities and divergences by their closed forms, bounds by brute force, gradients."""

import math

import pytest
import torch
from blobs import blobs
from sklearn.metrics import log_loss
from torch import distributions as D
from torch import nn

from aelib.data import Batch, Binarized, ImageSet, binarize
from aelib.likelihoods import (
    Bernoulli,
    Gaussian,
    bernoulli_log_prob,
    bernoulli_nll,
    gaussian_kl,
    gaussian_kl_terms,
    gaussian_log_prob,
    log_weights,
)
from aelib.metrics import (
    active_units,
    codes,
    elbo,
    importance_bounds,
    log_likelihood,
    nll,
    reconstructions,
    unit_activity,
)
from aelib.models.iwae import IWAE
from aelib.models.vae import ELBO, VAE, DenseVAE, Posterior, VAEOutput, WarmUp
from aelib.training import Phase, fit
from aelib.training.optimizers import adam


@pytest.mark.parametrize(
    ("mean", "variance", "nats"),
    [
        (0.0, 1.0, 0.0),
        (1.0, 1.0, 5.0),  # ten latents, half a square each
        (0.0, math.e, 5 * (math.e - 2)),
        (2.0, 0.25, 5 * (4 + 0.25 + math.log(4) - 1)),
    ],
)
def test_the_divergence_has_its_known_values(mean, variance, nats):
    mu, logvar = torch.full((3, 10), mean), torch.full((3, 10), math.log(variance))
    assert gaussian_kl(mu, logvar).item() == pytest.approx(nats, rel=1e-6, abs=1e-9)
    assert gaussian_kl_terms(mu, logvar).sum(1).tolist() == pytest.approx([nats] * 3, rel=1e-6)


def test_the_divergence_is_torchs():
    torch.manual_seed(0)
    mu, logvar = torch.randn(7, 4), 2 * torch.randn(7, 4)
    theirs = D.kl_divergence(D.Normal(mu, (logvar / 2).exp()), D.Normal(0.0, 1.0))
    torch.testing.assert_close(gaussian_kl_terms(mu, logvar), theirs)
    torch.testing.assert_close(gaussian_kl(mu, logvar), theirs.sum(1).mean())


def test_a_tiny_divergence_keeps_its_digits():
    logvar = torch.full((1, 1), 1e-3)
    exact = 0.5 * (math.expm1(1e-3) - 1e-3)
    assert gaussian_kl(torch.zeros(1, 1), logvar).item() == pytest.approx(exact, rel=1e-3)


def test_densities_are_torchs_and_scikit_learns():
    torch.manual_seed(0)
    mu, logvar, z = torch.randn(3, 4), torch.randn(3, 4), torch.randn(5, 3, 4)
    theirs = D.Normal(mu, (logvar / 2).exp()).log_prob(z).sum(-1)
    torch.testing.assert_close(gaussian_log_prob(z, mu, logvar), theirs)
    torch.testing.assert_close(gaussian_log_prob(z[0], mu, logvar), theirs[0])
    logits, x = torch.randn(5, 3, 1, 2, 2), torch.randint(2, (3, 1, 2, 2)).float()
    ours = bernoulli_log_prob(logits, x)
    assert ours.shape == (5, 3)
    for sample in range(5):
        expected = -4 * log_loss(x[1].flatten().numpy(), logits[sample, 1].sigmoid().flatten().numpy(), labels=[0, 1])
        assert ours[sample, 1].item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(-bernoulli_log_prob(logits[0], x).mean(), bernoulli_nll(logits[0], x))


def test_densities_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="with or without an axis of samples"):
        bernoulli_log_prob(torch.zeros(5, 2, 3), torch.zeros(3, 3))
    with pytest.raises(ValueError, match="one shape"):
        gaussian_log_prob(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="non-empty"):
        gaussian_kl(torch.zeros(0, 3), torch.zeros(0, 3))


def test_shapes_and_names(images):
    model, x = DenseVAE((784, 20, 3), nn.ReLU), images[:5].images()
    out = model(x)
    assert out.logits.shape == out.x_hat.shape == x.shape
    assert out.z.shape == out.mu.shape == out.logvar.shape == (5, 3)
    several = model(x, 7)
    assert several.z.shape == (7, 5, 3)
    assert several.logits.shape == (7, *x.shape)
    torch.testing.assert_close(codes(model, images[:5]), model.posterior(x).mu)
    torch.testing.assert_close(reconstructions(model, images[:5]), model.decode(out.mu))
    torch.testing.assert_close(model.decode(out.z), out.x_hat)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"2 · latent.*\(2, 5\)"):
        VAE(nn.Sequential(nn.Flatten(), nn.Linear(784, 5)), nn.Sequential())(torch.rand(2, 1, 28, 28))
    with pytest.raises(ValueError, match=r"\(2, 784\)"):
        DenseVAE().encode(torch.rand(2, 784))
    with pytest.raises(ValueError, match=r"DenseVAE .* the first 784; it got \(100, 10\)"):
        DenseVAE((100, 10))


def test_the_loss_is_the_sum_of_its_terms(images):
    model, batch = DenseVAE((784, 20, 3), nn.ReLU), Binarized(images).batch(slice(0, 8))
    for beta in (1.0, 4.0):
        terms = ELBO(beta)({"vae": model}, batch)
        torch.testing.assert_close(terms["loss"], terms["reconstruction"] + beta * terms["kl"])
        torch.testing.assert_close(terms["kl"], gaussian_kl(*model.posterior(batch.x)))


def test_bits_are_drawn_anew_for_a_batch_and_once_for_a_test_set(images):
    dynamic = Binarized(images)
    torch.manual_seed(0)
    first, second = dynamic.batch(slice(0, 50)).x, dynamic.batch(slice(0, 50)).x
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(first, second)
    mean = torch.stack([dynamic.batch([3]).x for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, images.batch([3]).x, atol=0.05, rtol=0)
    fixed = binarize(images, 7)
    assert torch.equal(fixed.x, binarize(images, 7).x)
    assert not torch.equal(fixed.x, binarize(images, 8).x)
    assert set(fixed.x.unique().tolist()) == {0, 255}
    assert fixed.x.float().mean().item() == pytest.approx(images.x.float().mean().item(), rel=0.01)


def _interrupt(after):
    """A callback that breaks a training off after an epoch, before its state is saved: it is run again."""

    def callback(end):
        if end.epoch > after:
            raise KeyboardInterrupt

    return callback


def test_a_resumed_run_draws_the_same_bits_and_noise(small, tmp_path):
    def run(stop_after, state):
        torch.manual_seed(0)
        nets = {"vae": DenseVAE((64, 16, 2), nn.ReLU, (1, 8, 8))}
        options = dict(epochs=3, batch_size=40, seed=1, state_file=tmp_path / state)
        if stop_after:
            with pytest.raises(KeyboardInterrupt):
                fit(nets, Phase(ELBO()), Binarized(small), callbacks=[_interrupt(stop_after)], **options)
        fit(nets, Phase(ELBO()), Binarized(small), **options)
        return nets["vae"].encode(small.images())

    torch.testing.assert_close(run(2, "stopped"), run(None, "whole"), rtol=0, atol=0)


def test_training_raises_the_bound(images):
    torch.manual_seed(0)
    vae = DenseVAE((784, 30, 2), nn.ReLU)
    history = fit({"vae": vae}, Phase(ELBO()), Binarized(images), epochs=15, batch_size=20)
    losses = history[history.term == "loss"].value.tolist()
    assert losses[-1] < losses[0] / 2
    assert ELBO()({"vae": vae}, Batch(binarize(images).images(), None))["loss"].item() < losses[0]


@pytest.fixture
def line() -> tuple[DenseVAE, ImageSet]:
    """A model of one latent, whose integrals can be done by brute force, and all sixteen images of four pixels."""
    torch.manual_seed(3)
    vae = DenseVAE((4, 8, 1), nn.Tanh, (1, 2, 2)).double()
    with torch.no_grad():
        for parameter in vae.decoder.parameters():
            parameter.mul_(3)  # the images depend on the code, and the encoder does not know it: a loose bound
    bits = torch.cartesian_prod(*[torch.tensor([0, 255], dtype=torch.uint8)] * 4)
    return vae, ImageSet(bits.view(16, 1, 2, 2), torch.zeros(16, dtype=torch.int64))


class InDouble:
    """Images in double precision, for a model in double precision."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def batch(self, index=None):
        return Batch(self.images.batch(index).x.double(), None)


def by_brute_force(vae, x):
    """log p(x) and the evidence lower bound of each image, from sums over a fine grid of codes."""
    z = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    step = z[1] - z[0]
    with torch.no_grad():
        likelihood = D.Bernoulli(logits=vae.decoder(z[:, None])).log_prob(x[:, None]).flatten(2).sum(2)  # (N, grid)
        mu, logvar = vae.posterior(x)
        prior, q = D.Normal(0.0, 1.0).log_prob(z), D.Normal(mu, (logvar / 2).exp()).log_prob(z)
        evidence = (likelihood + prior + step.log()).logsumexp(1)
        return evidence, (q.exp() * (likelihood + prior - q)).sum(1) * step


def test_over_all_images_the_brute_force_likelihood_sums_to_one(line):
    vae, images = line
    evidence, bound = by_brute_force(vae, images.images().double())
    assert evidence.exp().sum().item() == pytest.approx(1, rel=1e-9)
    assert (bound < evidence - 1e-3).all()  # a bound, and not a tight one


def test_the_bound_is_the_brute_force_integral(line):
    vae, images = line
    _, bound = by_brute_force(vae, images.images().double())
    sampled = elbo(vae, InDouble(images), samples=20_000)
    torch.testing.assert_close(sampled, bound, atol=0.03, rtol=0)
    torch.manual_seed(0)
    batch = Batch(images.images().double().repeat(2000, 1, 1, 1), None)
    terms = ELBO()({"vae": vae}, batch)
    assert terms["loss"].item() == pytest.approx(-bound.mean().item(), abs=0.01)
    several = ELBO(samples=2000)({"vae": vae}, Batch(images.images().double(), None))
    assert several["loss"].item() == pytest.approx(-bound.mean().item(), abs=0.01)


def test_importance_sampling_finds_the_brute_force_likelihood(line):
    vae, images = line
    evidence, _ = by_brute_force(vae, images.images().double())
    torch.testing.assert_close(log_likelihood(vae, InDouble(images), 50_000), evidence, atol=0.03, rtol=0)


def test_the_importance_weighted_bound_tightens_with_its_samples(line):
    vae, images = line
    evidence, bound = by_brute_force(vae, images.images().double())
    many = InDouble(images[torch.arange(16).repeat_interleave(500)])
    ks = [1, 2, 5, 20, 100]
    means = importance_bounds(vae, many, ks).view(len(ks), 16, 500).mean((1, 2)).tolist()
    assert means[0] == pytest.approx(bound.mean().item(), abs=0.03)
    assert means == sorted(means)
    gaps = [evidence.mean().item() - value for value in means]
    assert gaps[0] > 4 * gaps[2] > 16 * gaps[4] / 2 > 0  # the gap falls about as 1/k
    for k, value in zip(ks, means, strict=True):
        torch.manual_seed(k)
        loss = IWAE(k)({"vae": vae}, Batch(many.batch().x, None))["loss"].item()
        assert loss == pytest.approx(-value, abs=0.03)


def test_bounds_do_not_depend_on_the_chunks_and_leave_the_random_state_alone(line, monkeypatch):
    vae, images = line
    before = torch.get_rng_state()
    whole = importance_bounds(vae, InDouble(images), [1, 7])
    assert torch.equal(torch.get_rng_state(), before)
    monkeypatch.setattr("aelib.metrics.likelihood.CHUNK", 16)  # one sample at a time: the same codes in the same order
    torch.testing.assert_close(importance_bounds(vae, InDouble(images), [1, 7]), whole)
    with pytest.raises(ValueError, match="must rise"):
        importance_bounds(vae, InDouble(images), [5, 1])
    with pytest.raises(ValueError, match="empty"):
        elbo(vae, images[:0])


def test_the_likelihood_of_all_is_estimated_from_the_gap_on_some():
    torch.manual_seed(0)
    vae, images = DenseVAE((64, 32, 4), nn.ReLU, (1, 8, 8)), binarize(blobs(2000, 8))
    fit({"vae": vae}, Phase(ELBO(), adam(1e-2)), images, epochs=6, batch_size=50)
    whole, some = nll(vae, images, 200), nll(vae, images, 200, on=200)
    assert whole.nats == pytest.approx(-log_likelihood(vae, images, 200).mean().item(), abs=0.02)
    assert whole.standard_error == pytest.approx(log_likelihood(vae, images, 200).std().item() / 2000**0.5, rel=0.01)
    assert abs(some.nats - whole.nats) < 4 * some.standard_error
    by_themselves = log_likelihood(vae, images[:200], 200).std().item() / 200**0.5
    assert whole.standard_error < some.standard_error < 0.6 * by_themselves
    with pytest.raises(ValueError, match="2 to 2000 of the images; on is 1"):
        nll(vae, images, on=1)


def test_one_weight_is_the_integrand(line):
    vae, images = line
    x = images.images().double()
    out = vae(x, 3)
    expected = (
        D.Bernoulli(logits=out.logits).log_prob(x).flatten(2).sum(2)
        + D.Normal(0.0, 1.0).log_prob(out.z).sum(-1)
        - D.Normal(out.mu, (out.logvar / 2).exp()).log_prob(out.z).sum(-1)
    )
    torch.testing.assert_close(log_weights(out, x), expected)
    terms = IWAE(3)({"vae": vae}, Batch(x, None))
    assert terms["loss"] <= terms["elbo"]  # Jensen, for every draw


def test_the_reparameterized_gradient_is_the_analytic_one():
    # E[z²] = μ² + σ², so the gradients are 2μ for μ and σ² for log σ².
    torch.manual_seed(0)
    mu, logvar = torch.full((1, 1), 0.7, requires_grad=True), torch.full((1, 1), -0.5, requires_grad=True)
    Posterior(mu, logvar).sample(400_000).square().mean().backward()
    assert mu.grad.item() == pytest.approx(1.4, abs=0.01)
    assert logvar.grad.item() == pytest.approx(math.exp(-0.5), abs=0.01)
    # With a linear decoder of squared error the whole bound is a polynomial in μ and σ, and so is its gradient.
    vae = VAE(nn.Sequential(nn.Flatten(), nn.Linear(1, 2)), nn.Sequential(nn.Linear(1, 1), nn.Unflatten(1, (1, 1, 1))))
    vae.shape = (1, 1, 1)
    x = torch.full((1, 1, 1, 1), 0.3)
    w, b = vae.decoder[0].weight.item(), vae.decoder[0].bias.item()
    out = vae(x, 400_000)
    out.mu.retain_grad()
    (out.logits - x).square().mean().backward()
    assert out.mu.grad.item() == pytest.approx(2 * w * (w * out.mu.item() + b - 0.3), abs=0.01)


def test_the_first_term_is_that_of_the_models_likelihood():
    torch.manual_seed(0)
    x = torch.rand(3, 1, 2, 2)
    for link in ("identity", "logit"):
        vae = DenseVAE((4, 8, 2), nn.Tanh, (1, 2, 2), Gaussian(0.3, link))
        for samples in (None, 5):
            torch.manual_seed(1)
            out = vae(x, samples)
            expected = -D.Normal(out.x_hat, 0.3).log_prob(x).flatten(-3).sum(-1).mean()
            torch.manual_seed(1)
            found = ELBO(samples=samples)({"vae": vae}, Batch(x, None))["reconstruction"]
            torch.testing.assert_close(found, expected)
        torch.testing.assert_close(vae.decode(out.z[0]), out.x_hat[0])


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(0.1), Gaussian(0.2, "logit")])
def test_training_and_measuring_agree(likelihood):
    """The loss of a batch is, up to the noise of the codes, what is measured on it: it is the model's likelihood."""
    torch.manual_seed(0)
    vae, images = DenseVAE((64, 32, 3), nn.ReLU, (1, 8, 8), likelihood), blobs(300, 8)
    fit({"vae": vae}, Phase(ELBO(), adam(3e-3)), images, epochs=5, batch_size=50)
    trained_on = [ELBO(samples=200)({"vae": vae}, images.batch())["loss"].item() for _ in range(2)]
    measured = -elbo(vae, images, samples=200).mean().item()
    assert measured == pytest.approx(trained_on[0], abs=5 * abs(trained_on[0] - trained_on[1]) + 0.2)
    bound = IWAE(samples=50)({"vae": vae}, images.batch())["loss"].item()
    assert -importance_bounds(vae, images, [50]).mean().item() == pytest.approx(bound, abs=0.3)


def test_pixels_that_the_likelihood_does_not_know_are_refused(small):
    vae = DenseVAE((64, 8, 2), nn.ReLU, (1, 8, 8))
    normalized = Batch((small.images() - 0.13) / 0.31, None)
    for objective in (ELBO(), IWAE(3)):
        with pytest.raises(ValueError, match=r"pixels in \[0, 1\].*the usual normalization to mean 0 was applied"):
            objective({"vae": vae}, normalized)
    gray = DenseVAE((64, 8, 2), nn.ReLU, (1, 8, 8), Gaussian(0.5))
    assert ELBO()({"vae": gray}, normalized)["loss"].isfinite()


def parts_of(out, free):
    """The divergence with free bits, from its definition."""
    mean = D.kl_divergence(D.Normal(out.mu, (out.logvar / 2).exp()), D.Normal(0.0, 1.0)).mean(0)
    return sum(max(free, value) for value in mean.tolist())


@pytest.mark.parametrize("free", [0.0, 0.3])
@pytest.mark.parametrize("samples", [None, 4])
@pytest.mark.parametrize(
    ("beta", "epoch", "weight"), [(2.0, 3.0, 2.0), (WarmUp(10, to=4), 2.5, 1.0), (WarmUp(10), None, 1)]
)
def test_weight_free_bits_and_samples_can_be_combined(beta, epoch, weight, samples, free):
    torch.manual_seed(0)
    vae, x = DenseVAE((64, 8, 5), nn.ReLU, (1, 8, 8)), blobs(20, 8).images()
    terms = ELBO(beta, free, samples)({"vae": vae}, Batch(x, None, epoch if epoch is None else torch.tensor(epoch)))
    divergence = parts_of(vae(x), free)
    assert terms["loss"].item() == pytest.approx(terms["reconstruction"].item() + weight * divergence, rel=1e-5)
    torch.testing.assert_close(terms["kl"], gaussian_kl(*vae.posterior(x)))


def test_free_bits_cost_nothing_and_pull_on_nothing():
    mu = nn.Parameter(torch.zeros(6, 3))
    with torch.no_grad():
        mu[:, 2] = 2.0  # 2 nats; the other two latents cost 0

    def model(x, samples):
        return VAEOutput(torch.zeros(6, 1), mu.detach(), mu, torch.zeros(6, 3))

    terms = ELBO(free=0.5)({"vae": model}, Batch(torch.ones(6, 1), None))
    assert (terms["loss"] - terms["reconstruction"]).item() == pytest.approx(0.5 + 0.5 + 2)
    assert terms["kl"].item() == pytest.approx(2)
    terms["loss"].backward()
    assert (mu.grad[:, :2] == 0).all()
    assert (mu.grad[:, 2] > 0).all()
    with pytest.raises(ValueError, match="0 nats or more"):
        ELBO(free=-1)


def test_a_warm_up_is_a_function_of_the_epochs_that_are_done(small, tmp_path):
    assert [WarmUp(4, to=2)(torch.tensor(done)).item() for done in (0.0, 1.0, 2.5, 4.0, 9.0)] == [0, 0.5, 1.25, 2, 2]
    assert WarmUp(4, to=2)(None) == 2
    with pytest.raises(ValueError, match="positive number of epochs"):
        WarmUp(0)

    def run(stop_after, state):
        torch.manual_seed(0)
        nets = {"vae": DenseVAE((64, 16, 2), nn.ReLU, (1, 8, 8))}
        options = dict(epochs=3, batch_size=40, validation=20, state_file=tmp_path / state)
        if stop_after:
            with pytest.raises(KeyboardInterrupt):
                fit(nets, Phase(ELBO(WarmUp(2))), Binarized(small), callbacks=[_interrupt(stop_after)], **options)
        return fit(nets, Phase(ELBO(WarmUp(2))), Binarized(small), **options)

    history, expected = run(2, "stopped"), run(None, "whole")
    torch.testing.assert_close(history.value.tolist(), expected.value.tolist())
    terms = expected.pivot(index=["split", "epoch"], columns="term", values="value")
    weights = (terms.loss - terms.reconstruction) / terms.kl
    assert weights["validation"].tolist() == pytest.approx([1, 1, 1], rel=1e-3)  # the full bound
    assert 0 < weights["train"][1] < 0.5 < weights["train"][2] < weights["train"][3] <= 1.001


ESTIMATORS = ("iwae", "stl", "dreg")


def encoder_gradient(vae, x, samples, estimator, seed=0):
    """The gradient of the objective for the encoder's parameters, and for the decoder's, each in one piece."""
    vae.zero_grad()
    torch.manual_seed(seed)
    IWAE(samples, estimator)({"vae": vae}, Batch(x, None))["loss"].backward()
    return [torch.cat([p.grad.flatten() for p in part.parameters()]) for part in (vae.encoder, vae.decoder)]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_encoders_gradient_is_the_estimators_definition(line, estimator):
    vae, images = line
    x = images.images().double()
    found, decoders = encoder_gradient(vae, x, 5, estimator)
    torch.manual_seed(0)
    out = vae(x, 5)
    w = log_weights(out, x).detach().softmax(0)
    if estimator == "iwae":
        value = (w * log_weights(out, x)).sum(0).mean()
    else:
        z = out.z.detach().requires_grad_()
        parts = vae.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        held = VAEOutput(parts, z, out.mu.detach(), out.logvar.detach())
        (slope,) = torch.autograd.grad(log_weights(held, x).sum(), z)  # the partial derivative
        power = 2 if estimator == "dreg" else 1
        value = ((w**power)[..., None] * slope * out.z).sum((0, 2)).mean()
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(-value, list(vae.encoder.parameters()))])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(decoders, encoder_gradient(vae, x, 5, "iwae")[1])


def test_dreg_is_unbiased_and_less_noisy_and_stl_is_not_unbiased(line):
    vae, images = line
    x, runs = images[5:6].images().double().repeat(20, 1, 1, 1), 150  # a gradient is the mean over 20 draws
    drawn = {e: torch.stack([encoder_gradient(vae, x, 8, e, seed)[0][-2:] for seed in range(runs)]) for e in ESTIMATORS}
    mean, noise = {e: g.mean(0) for e, g in drawn.items()}, {e: g.std(0) for e, g in drawn.items()}

    def off(e):
        """By how many standard errors the mean is not that of Burda et al."""
        return ((mean[e] - mean["iwae"]) / ((noise[e] ** 2 + noise["iwae"] ** 2) / runs).sqrt()).abs()

    assert (off("dreg") < 4).all()
    assert (off("stl") > 6).any()
    assert (noise["dreg"] < 0.7 * noise["iwae"]).all()


def test_where_q_is_the_posterior_two_estimators_are_zero_for_every_draw():
    """A linear decoder with Gaussian pixels, x = wz + noise: the posterior is N(wx / (w² + σ²), σ² / (w² + σ²))."""
    w, variance = 1.5, 0.4
    encoder, decoder = nn.Linear(1, 2).double(), nn.Linear(1, 1).double()
    with torch.no_grad():
        encoder.weight.copy_(torch.tensor([[w / (w * w + variance)], [0.0]], dtype=torch.float64))
        encoder.bias.copy_(torch.tensor([0.0, math.log(variance / (w * w + variance))], dtype=torch.float64))
        decoder.weight.fill_(w)
        decoder.bias.zero_()
    shape = (1, 1, 1)
    vae = VAE(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Sequential(decoder, nn.Unflatten(1, shape)),
        shape,
        Gaussian(variance**0.5),
    )
    x = torch.linspace(-2, 2, 5, dtype=torch.float64).view(-1, 1, 1, 1)
    exact = D.Normal(0.0, (w * w + variance) ** 0.5).log_prob(x.flatten())
    torch.testing.assert_close(log_weights(vae(x, 3), x), exact.expand(3, -1))  # every weight is p(x)
    for estimator in ESTIMATORS:
        gradient = encoder_gradient(vae, x, 3, estimator)[0].abs().max().item()
        assert (gradient < 1e-12) == (estimator != "iwae")
    with pytest.raises(ValueError, match="'iwae', 'stl', 'dreg'; it got 50 and 'vimco'"):
        IWAE(estimator="vimco")


def test_active_units_are_those_whose_mean_moves(images):
    vae = DenseVAE((784, 5), nn.ReLU)
    layer = vae.encoder[1]
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.arange(10.0))  # a large mean, or a large variance, is no activity
        for latent, scale in ((1, 1.0), (4, 0.5), (2, 0.001)):
            layer.weight[latent, 28 * 6 : 28 * 14] = scale
    activity = unit_activity(vae, images)
    ink = images.images().flatten(1)[:, 28 * 6 : 28 * 14].sum(1)
    torch.testing.assert_close(activity[1], ink.var(correction=0), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(activity[4], 0.25 * activity[1], rtol=1e-3, atol=1e-3)
    assert activity[[0, 3]].tolist() == [0, 0]
    assert active_units(vae, images) == 2 + (activity[2] > 0.01).item()
    assert active_units(vae, images, threshold=1e-9) == 3
    with pytest.raises(ValueError, match="two or more"):
        unit_activity(vae, images[:1])


def test_the_measures_take_gray_images_drawn_anew_as_well(images):
    vae = DenseVAE((784, 20, 3), nn.ReLU)
    assert elbo(vae, Binarized(images), samples=2).shape == (200,)
    torch.testing.assert_close(elbo(vae, Binarized(images), seed=1), elbo(vae, Binarized(images), seed=1))
