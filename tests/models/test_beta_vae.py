"""β-VAE and β-TCVAE: the parts of the divergence against exact sums, gradients, networks, traversals."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from aelib.data import Batch, sprites
from aelib.likelihoods import gaussian_kl, gaussian_log_prob
from aelib.models.beta_vae import (
    Capacity,
    TotalCorrelation,
    aggregate_densities,
    compact_vae,
    kl_parts,
    paper_vae,
    traverse,
)
from aelib.models.vae import ELBO, Posterior, WarmUp
from aelib.nets import count_parameters
from aelib.training import Phase, fit
from aelib.training.optimizers import adam


def posteriors(examples: int = 6, latent: int = 3, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mu = torch.randn(examples, latent, generator=generator, dtype=torch.float64)
    logvar = torch.randn(examples, latent, generator=generator, dtype=torch.float64) - 1
    z = mu + (logvar / 2).exp() * torch.randn(examples, latent, generator=generator, dtype=torch.float64)
    return z, mu, logvar


def exact(z: Tensor, mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
    """log q(z) and log q(z_j) for one code, by summing over all posteriors."""
    each = torch.distributions.Normal(mu, (logvar / 2).exp()).log_prob(z)  # (N, latent)
    n = math.log(len(mu))
    return each.sum(1).logsumexp(0) - n, each.logsumexp(0) - n


def test_a_batch_that_is_the_data_set_gives_the_exact_densities():
    z, mu, logvar = posteriors()
    found = aggregate_densities(z, mu, logvar, examples=6)
    for i in range(6):
        joint, marginals = exact(z[i], mu, logvar)
        torch.testing.assert_close(found.joint[i], joint)
        torch.testing.assert_close(found.marginals[i], marginals)


def test_over_all_batches_the_densities_are_right_on_average():
    """Every batch of three that holds example 0, out of six: the mean of the estimates is the density."""
    z, mu, logvar = posteriors()
    batches = [[0, *others] for others in itertools.combinations(range(1, 6), 2)]
    found = [aggregate_densities(z[b], mu[b], logvar[b], examples=6) for b in batches]
    joint, marginals = exact(z[0], mu, logvar)
    torch.testing.assert_close(torch.stack([f.joint[0].exp() for f in found]).mean(), joint.exp())
    torch.testing.assert_close(torch.stack([f.marginals[0].exp() for f in found]).mean(0), marginals.exp())


def test_references_stand_for_the_other_examples():
    """All of the others: exact, as when the batch is the data set. Some: right on average, for each code."""
    z, mu, logvar = posteriors()
    whole = aggregate_densities(z, mu, logvar, examples=6)
    for few in (z[:2], z[:5]):
        mine = slice(len(few))
        rest = Posterior(mu[len(few) :], logvar[len(few) :])
        for i in range(len(few)):
            others = [j for j in range(6) if j != i]
            found = aggregate_densities(
                z[i : i + 1], mu[i : i + 1], logvar[i : i + 1], 6, Posterior(mu[others], logvar[others])
            )
            torch.testing.assert_close(found.joint[0], whole.joint[i])
            torch.testing.assert_close(found.marginals[0], whole.marginals[i])
        together = aggregate_densities(few, mu[mine], logvar[mine], 6, rest)
        each = torch.distributions.Normal(rest.mu, (rest.logvar / 2).exp()).log_prob(few[:, None])
        own = torch.distributions.Normal(mu[mine], (logvar[mine] / 2).exp()).log_prob(few)
        expected = own.sum(1).exp() / 6 + 5 / 6 * each.sum(2).exp().mean(1)
        torch.testing.assert_close(together.joint.exp(), expected)
        torch.testing.assert_close(together.marginals.exp(), own.exp() / 6 + 5 / 6 * each.exp().mean(1))


def test_many_references_find_the_information_that_a_batch_cannot():
    """Latents uniform on a line of a known length, with little noise: I = log(length / (sigma sqrt(2 pi e)))."""
    generator = torch.Generator().manual_seed(0)
    mu = 100 * torch.rand(4000, 2, generator=generator, dtype=torch.float64)
    logvar = torch.zeros_like(mu)
    z = mu + torch.randn(mu.shape, generator=generator, dtype=torch.float64)
    exact = 2 * math.log(100 / math.sqrt(2 * math.pi * math.e))
    few, many = (
        kl_parts(z[:100], mu[:100], logvar[:100], 1_000_000, references)
        for references in (None, Posterior(mu[100:], logvar[100:]))
    )
    assert many.mutual_information.item() == pytest.approx(exact, abs=0.3)
    assert many.total_correlation.item() == pytest.approx(0, abs=0.2)
    assert few.mutual_information > exact + 1
    assert few.total_correlation < -1


def test_references_must_be_codes_of_other_examples():
    z, mu, logvar = posteriors()
    for references in (Posterior(mu[:, :2], logvar[:, :2]), Posterior(mu, logvar)):
        with pytest.raises(ValueError, match="references are posteriors of 1 to 5 other examples with 3 latents"):
            aggregate_densities(z, mu, logvar, 6, references)


def test_the_three_parts_add_up_to_the_divergence():
    z, mu, logvar = posteriors()
    parts = kl_parts(z, mu, logvar, examples=6)
    zeros = torch.zeros_like(z)
    sampled = (gaussian_log_prob(z, mu, logvar) - gaussian_log_prob(z, zeros, zeros)).mean()
    torch.testing.assert_close(sum(parts), sampled)
    # Over many codes the sampled divergence becomes the closed form.
    noise = torch.randn(4000, *mu.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    totals = [sum(kl_parts(mu + (logvar / 2).exp() * e, mu, logvar, examples=6)) for e in noise]
    assert torch.stack(totals).mean().item() == pytest.approx(gaussian_kl(mu, logvar).item(), rel=0.02)


def test_latents_that_are_copies_have_a_total_correlation_and_independent_ones_none():
    """Posteriors that do not depend on the image: q(z) is their common Gaussian, a product."""
    same = torch.zeros(50, 4)
    z = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    parts = kl_parts(z, same, same, examples=50)
    torch.testing.assert_close(torch.stack(list(parts)), torch.zeros(3), atol=1e-5, rtol=0)
    mu = torch.randn(400, 1, generator=torch.Generator().manual_seed(0)).repeat(1, 2)  # the second copies the first
    small = torch.full_like(mu, math.log(0.01))
    z = mu + 0.1 * torch.randn(400, 2, generator=torch.Generator().manual_seed(1))
    assert kl_parts(z, mu, small, examples=400).total_correlation > 1


def test_the_objective_weighs_the_total_correlation_and_nothing_else():
    torch.manual_seed(0)
    model, batch = compact_vae(latent=4), sprites().sample(16).batch()

    def terms(objective):
        torch.manual_seed(1)
        return objective({"vae": model}, batch)

    plain, weighted = terms(ELBO(beta=1)), terms(ELBO(divergence=TotalCorrelation(6, examples=737_280)))
    torch.manual_seed(1)
    out = model(batch.x)
    correlation = kl_parts(out.z, out.mu, out.logvar, 737_280).total_correlation
    torch.testing.assert_close(weighted["loss"], plain["loss"] + 5 * correlation)
    torch.testing.assert_close(terms(ELBO(divergence=TotalCorrelation(beta=1)))["loss"], plain["loss"])
    assert set(weighted) == {"loss", "reconstruction", "kl"}
    for part, kept in (("kl", plain), ("reconstruction", plain)):
        torch.testing.assert_close(weighted[part], kept[part])
    one = Batch(batch.x[:1], None)  # the last batch of an epoch may be a single image
    assert ELBO(divergence=TotalCorrelation())({"vae": model}, one)["loss"].isfinite()
    several = ELBO(samples=3, free=0.1, divergence=TotalCorrelation())({"vae": model}, batch)
    assert several["loss"].isfinite()


def test_a_capacity_grows_and_holds_the_divergence_there():
    torch.manual_seed(0)
    model, batch = compact_vae(latent=4), sprites().sample(16).batch()
    objective = ELBO(beta=50.0, divergence=Capacity(WarmUp(10, to=20)))
    for epoch, nats in ((torch.tensor(2.5), 5.0), (torch.tensor(30.0), 20.0), (None, 20.0)):
        terms = objective({"vae": model}, batch._replace(epoch=epoch))
        expected = terms["reconstruction"] + 50 * (terms["kl"] - nats).abs()
        torch.testing.assert_close(terms["loss"], expected)
    torch.manual_seed(0)
    model, data = compact_vae(latent=4), sprites().sample(512)
    phase = Phase(ELBO(beta=50.0, divergence=Capacity(3.0)), adam(3e-3))
    history = fit({"vae": model}, phase, data, epochs=8, batch_size=32)
    assert history[history.term == "kl"].value.iloc[-1] == pytest.approx(3, abs=0.5)


def test_gradients_agree_with_finite_differences():
    z, mu, logvar = (t.requires_grad_() for t in posteriors(4, 2))
    assert torch.autograd.gradcheck(lambda *args: torch.stack(list(kl_parts(*args, examples=9))), (z, mu, logvar))


@pytest.mark.parametrize(("make", "parameters"), [(paper_vae, 14_196_516), (compact_vae, 595_476)])
def test_networks_have_their_shapes_and_parameters(make, parameters):
    model, x = make(), sprites().sample(3).images()
    out = model(x)
    assert out.logits.shape == x.shape
    assert out.z.shape == out.mu.shape == out.logvar.shape == (3, 10)
    assert count_parameters(model) == parameters


@pytest.mark.slow
def test_a_large_beta_kills_every_latent_and_a_small_one_does_not():
    data, kl = sprites().sample(512), {}
    for beta in (1.0, 1000.0):
        torch.manual_seed(0)
        model = compact_vae(latent=4)
        history = fit({"vae": model}, Phase(ELBO(beta=beta), adam(3e-3)), data, epochs=12, batch_size=32)
        kl[beta] = history[history.term == "kl"].value.iloc[-1]
    assert kl[1000.0] < 0.01
    assert kl[1.0] > 3


def test_a_traversal_changes_one_latent_at_a_time():
    torch.manual_seed(0)
    model = compact_vae(latent=5).eval()
    z, values = torch.randn(5), torch.tensor([-1.0, 0.0, 1.0])
    rows = traverse(model, z, [3, 0], values)
    assert rows.shape == (2, 3, 1, 64, 64)
    expected = z.clone()
    expected[0] = 1.0
    torch.testing.assert_close(rows[1, 2], model.decode(expected[None])[0])
    expected[0] = z[0]
    torch.testing.assert_close(traverse(model, z, [1], z[1:2])[0, 0], model.decode(expected[None])[0])


def test_what_does_not_fit_together_is_refused():
    z, mu, logvar = posteriors()
    with pytest.raises(ValueError, match="a batch of 2 to 3 of them; this one has 6"):
        aggregate_densities(z, mu, logvar, examples=3)
    with pytest.raises(ValueError, match="this one has 1"):
        aggregate_densities(z[:1], mu[:1], logvar[:1], examples=3)
    with pytest.raises(ValueError, match=r"\(6, 3\), \(5, 3\) and \(6, 3\)"):
        aggregate_densities(z, mu[:5], logvar, examples=9)
    with pytest.raises(ValueError, match=r"\[5\]"):
        traverse(compact_vae(latent=5), torch.zeros(5), [5], torch.zeros(2))
    with pytest.raises(ValueError, match=r"\(B, 1, 64, 64\)"):
        compact_vae()(torch.rand(2, 1, 28, 28))


def test_the_color_network_takes_photographs():
    model = compact_vae(latent=8, channels=3)
    x = torch.rand(2, 3, 64, 64)
    assert ELBO(beta=2.0)({"vae": model}, Batch(x, None))["loss"].isfinite()
    assert model.decode(torch.zeros(2, 8)).shape == x.shape
