"""Contractive autoencoders: the closed form and the estimator against automatic differentiation."""

import pytest
import torch
from torch import nn

from aelib.data import Batch, ImageSet
from aelib.likelihoods import bernoulli_nll, squared_error
from aelib.models.autoencoder import Autoencoder
from aelib.models.contractive import (
    Contractive,
    ContractiveAutoencoder,
    DeepContractive,
    ReconstructionContractive,
    RelativeContractive,
    encoder_jacobian,
    hutchinson,
    sigmoid_jacobian,
)
from aelib.training import Phase, fit

SHAPE = (1, 4, 5)


def tied() -> ContractiveAutoencoder:
    torch.manual_seed(0)
    model = ContractiveAutoencoder(7, SHAPE).double()
    nn.init.normal_(model.encoder[1].bias)
    return model


def deep(probes: int = 1, activation: type[nn.Module] = nn.Tanh) -> DeepContractive:
    torch.manual_seed(0)
    base = Autoencoder((20, 12, 6), activation, SHAPE)
    return DeepContractive(base.encoder, base.decoder, SHAPE, probes).double()


def images(n: int = 9) -> torch.Tensor:
    return torch.rand(n, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_the_closed_form_is_automatic_differentiations():
    model, x = tied(), images()
    exact = encoder_jacobian(model.encode, x)
    assert exact.shape == (9, 7, 20)
    torch.testing.assert_close(model(x).jacobian, exact.square().sum((1, 2)))


def test_its_gradient_is_automatic_differentiations_too():
    model, x = tied(), images()
    parameters = [*model.encoder.parameters()]
    closed = torch.autograd.grad(model(x).jacobian.mean(), parameters)
    exact = torch.autograd.grad(encoder_jacobian(model.encode, x).square().sum((1, 2)).mean(), parameters)
    assert all(g.abs().max() > 0.01 for g in closed)
    torch.testing.assert_close(closed, exact)


def test_the_jacobian_of_a_linear_map_is_its_matrix():
    matrix = torch.randn(3, 20, dtype=torch.float64)
    found = encoder_jacobian(lambda x: x.flatten(1) @ matrix.T, images(2))
    torch.testing.assert_close(found, matrix.expand(2, 3, 20))


def test_half_open_units_have_the_steepest_slope():
    weight = torch.tensor([[3.0, 4.0]])
    z = torch.tensor([[0.5], [0.0], [1.0], [0.1]])
    found = sigmoid_jacobian(z, weight)
    assert found.tolist() == pytest.approx([25 / 16, 0.0, 0.0, 25 * 0.09**2])


def test_the_estimator_is_unbiased():
    model, x = deep(), images(4)
    exact = encoder_jacobian(model.encode, x).square().sum((1, 2))
    torch.manual_seed(0)
    draws = torch.stack([hutchinson(model.encode, x)[1] for _ in range(3000)]).detach()
    error = draws.std(0) / 3000**0.5
    assert (error < 0.03 * exact).all()  # the test can fail: a wrong factor would be seen
    assert ((draws.mean(0) - exact).abs() < 4 * error).all()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_where_no_gradient_is_wanted_the_estimate_is_made_all_the_same(mode):
    model, x = deep(), images()
    torch.manual_seed(0)
    expected = model(x)
    torch.manual_seed(0)
    with mode():
        found = model(x)
    torch.testing.assert_close(found.jacobian, expected.jacobian.detach())
    torch.testing.assert_close(found.x_hat, expected.x_hat.detach())
    assert not found.jacobian.requires_grad and not found.z.requires_grad


def test_the_estimator_is_exact_where_the_rows_are_orthogonal():
    matrix = torch.diag(torch.arange(1.0, 21.0, dtype=torch.float64))
    z, estimate = hutchinson(lambda x: x.flatten(1) @ matrix.T, images(3))
    torch.testing.assert_close(estimate, torch.full((3,), matrix.square().sum().item(), dtype=torch.float64))
    torch.testing.assert_close(z, images(3).flatten(1) @ matrix.T)


def test_more_probes_have_less_spread():
    model, x = deep(), images(1)
    spread = {}
    for probes in (1, 16):
        torch.manual_seed(0)
        spread[probes] = torch.stack([hutchinson(model.encode, x, probes)[1] for _ in range(300)]).std().item()
    assert spread[16] == pytest.approx(spread[1] / 4, rel=0.25)


def test_the_estimators_gradient_is_unbiased():
    model, x = deep(probes=4), images(3)
    weight = model.encoder[1].weight
    exact = torch.autograd.grad(encoder_jacobian(model.encode, x).square().sum((1, 2)).mean(), weight)[0]
    torch.manual_seed(0)
    draws = torch.stack([torch.autograd.grad(model(x).jacobian.mean(), weight)[0] for _ in range(800)])
    error = draws.std(0) / 800**0.5
    deviations = (draws.mean(0) - exact).abs() / error.clamp(min=1e-12)
    assert deviations.max() < 5  # 240 weights
    assert error.max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize("make", [tied, deep])
def test_the_terms_add_up(make):
    model, x = make(), images()
    terms = Contractive(strength=0.3)({"ae": model}, Batch(x, None))
    assert set(terms) == {"loss", "reconstruction", "jacobian"}
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + 0.3 * terms["jacobian"])
    torch.testing.assert_close(terms["reconstruction"], bernoulli_nll(model(x).logits, x))
    relative = RelativeContractive(0.0)({"ae": model}, Batch(x, None))
    torch.testing.assert_close(relative["loss"], squared_error(model(x).x_hat, x))


def test_dividing_the_code_defeats_the_penalty_but_not_the_relative_one():
    """A decoder with weights of its own undoes the division, so the reconstruction stays."""
    model, x = deep(probes=1), images()
    found = []
    for factor in (1.0, 0.01):
        with torch.no_grad():
            model.encoder[-1].weight *= factor
            model.encoder[-1].bias *= factor
            model.decoder[0].weight /= factor
        torch.manual_seed(0)
        plain = Contractive(1.0)({"ae": model}, Batch(x, None))
        torch.manual_seed(0)
        relative = RelativeContractive(1.0)({"ae": model}, Batch(x, None))
        found.append((plain["reconstruction"], plain["jacobian"], relative["loss"]))
    torch.testing.assert_close(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1] * 1e-4, found[1][1])
    torch.testing.assert_close(found[0][2], found[1][2])


def test_training_contracts():
    x = (255 * torch.rand(64, *SHAPE, generator=torch.Generator().manual_seed(0))).byte()
    data = ImageSet(x, torch.zeros(64, dtype=torch.int64))
    norms = {}
    for strength in (0.0, 1.0):
        model = tied().float()
        fit({"ae": model}, Phase(Contractive(strength)), data, epochs=30, batch_size=16)
        norms[strength] = model(data.images()).jacobian.mean().item()
    assert norms[1.0] < 0.7 * norms[0.0]


def test_clear_errors():
    with pytest.raises(ValueError, match="of one layer"):
        sigmoid_jacobian(torch.zeros(2, 3), torch.zeros(4, 5))
    with pytest.raises(ValueError, match="one probe or more"):
        hutchinson(nn.Flatten(), images(), 0)
    with pytest.raises(ValueError, match="DeepContractive expects"):
        deep()(torch.zeros(2, 1, 3, 3))


def test_the_reconstructions_jacobian_is_automatic_differentiations():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 3))
    decoder = nn.Sequential(nn.Linear(3, 16), nn.Unflatten(1, (1, 4, 4)))
    model = DeepContractive(encoder, decoder, (1, 4, 4), probes=4000, of="reconstruction").eval()
    x = torch.rand(4, 1, 4, 4)
    with torch.no_grad():
        out = model(x)
        exact = encoder_jacobian(lambda x: model.decode(model.encode(x)).flatten(1), x).square().sum((1, 2))
    torch.testing.assert_close(out.jacobian, exact, rtol=0.05, atol=0)
    torch.testing.assert_close(out.x_hat, model.decode(model.encode(x)))
    torch.testing.assert_close(out.z, model.encode(x))
    torch.testing.assert_close(out.logits.sigmoid(), out.x_hat)
    with pytest.raises(ValueError, match="not of 'decoder'"):
        DeepContractive(encoder, decoder, (1, 4, 4), of="decoder")


def test_stretching_a_latent_defeats_the_relative_penalty_but_not_that_of_the_reconstruction():
    """One latent times 1,000, its decoder column divided by it: the same reconstruction."""
    torch.manual_seed(0)
    d, x = 16, torch.rand(50, 1, 4, 4)
    down, up = nn.Linear(d, 3), nn.Linear(3, d)
    with torch.no_grad():  # the third latent moves much with the image for the little that it depends on its pixels
        down.weight[2] = 0.05
    encoder = nn.Sequential(nn.Flatten(), down)
    decoder = nn.Sequential(up, nn.Unflatten(1, (1, 4, 4)))

    def penalties() -> tuple[float, float, torch.Tensor]:
        torch.manual_seed(1)
        relative = DeepContractive(encoder, decoder, (1, 4, 4), probes=50)(x)
        torch.manual_seed(1)
        whole = DeepContractive(encoder, decoder, (1, 4, 4), probes=50, of="reconstruction")(x)
        terms = RelativeContractive().penalty(relative), ReconstructionContractive().penalty(whole)
        return terms[0].item(), terms[1].item(), whole.x_hat.detach()

    relative, whole, x_hat = penalties()
    with torch.no_grad():
        down.weight[2] *= 1000
        down.bias[2] *= 1000
        up.weight[:, 2] /= 1000
    cheated, honest, same = penalties()
    torch.testing.assert_close(same, x_hat, rtol=1e-3, atol=1e-4)
    assert abs(cheated / relative - 1) > 0.1
    assert honest == pytest.approx(whole, rel=1e-3)


def test_for_a_linear_map_it_is_the_denoising_error():
    """E‖x − r(x + σε)‖² = ‖x − r(x)‖² + σ² ‖∂r/∂x‖² exactly, for a linear r."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    decoder = nn.Sequential(nn.Linear(3, 16), nn.Unflatten(1, (1, 4, 4)))
    model = DeepContractive(encoder, decoder, (1, 4, 4), probes=4000, of="reconstruction")
    model.output = nn.Identity()
    x, sigma = torch.rand(5, 1, 4, 4), 0.5
    with torch.no_grad():
        loss = ReconstructionContractive(sigma**2)({"ae": model}, Batch(x, None))["loss"].item()
        noisy = x + sigma * torch.randn(20_000, 5, 1, 4, 4)
        r = model.decode(model.encode(noisy.flatten(0, 1))).unflatten(0, (20_000, 5))
    assert (r - x).square().sum((2, 3, 4)).mean().item() == pytest.approx(loss, rel=0.01)


def test_training_contracts_the_reconstruction():
    x = torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    norms = {}
    for strength in (0.0, 1.0):
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 8))
        model = DeepContractive(
            encoder, nn.Sequential(nn.Linear(8, 16), nn.Unflatten(1, (1, 4, 4))), (1, 4, 4), of="reconstruction"
        )
        optimizer = torch.optim.Adam(model.parameters(), 3e-2)
        for _ in range(150):
            optimizer.zero_grad()
            ReconstructionContractive(strength)({"ae": model}, Batch(x, None))["loss"].backward()
            optimizer.step()
        jacobian = encoder_jacobian(lambda x, m=model: m.decode(m.encode(x)).flatten(1), x)
        norms[strength] = jacobian.square().sum((1, 2)).mean().item()
    assert norms[1.0] < 0.5 * norms[0.0]
