"""Corruptions, the denoising objective against closed solutions, and tied layers."""

import pytest
import torch
from torch import nn

from aelib.data import Batch
from aelib.models.autoencoder import Autoencoder, CrossEntropy, SquaredError
from aelib.models.denoising import (
    Denoising,
    Emphasized,
    GaussianNoise,
    Masking,
    OnCorrupted,
    SaltAndPepper,
    TiedAutoencoder,
    logistic_stack,
)
from aelib.models.stacked import Classifier, LabelCrossEntropy, OnCodes, encoders
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, one_cycle


@pytest.fixture
def x() -> torch.Tensor:
    return 0.2 + 0.6 * torch.rand(400, 1, 28, 28, generator=torch.Generator().manual_seed(0))  # never 0 or 1


@pytest.mark.parametrize("corruption", [GaussianNoise(0.0), Masking(0.0), SaltAndPepper(0.0)])
def test_no_noise_changes_nothing(corruption, x):
    assert torch.equal(corruption(x), x)


def test_noise_follows_the_global_generator_and_leaves_its_input_alone(x):
    before = x.clone()
    for corruption in (GaussianNoise(0.3), Masking(0.3), SaltAndPepper(0.3)):
        torch.manual_seed(5)
        first = corruption(x)
        assert not torch.equal(first, corruption(x))
        torch.manual_seed(5)
        assert torch.equal(first, corruption(x))
    assert torch.equal(x, before)


def test_gaussian_noise_has_its_mean_and_deviation(x):
    noise = GaussianNoise(0.5)(x) - x  # 313,600 draws: standard errors of 0.0009 and 0.0006
    assert abs(noise.mean()) < 0.004
    assert abs(noise.std() - 0.5) < 0.003


def test_masking_zeroes_its_fraction_and_keeps_the_rest(x):
    masked = Masking(0.25)(x)
    lost = masked == 0
    assert abs(lost.float().mean() - 0.25) < 0.004
    assert torch.equal(masked[~lost], x[~lost])
    assert (Masking(1.0)(x) == 0).all()
    # Independent elements: the count of an image is binomial, with variance d p (1 - p) = 147.
    assert abs(lost.flatten(1).sum(1).float().var() - 147) < 45


def test_salt_and_pepper_are_equally_frequent(x):
    noisy = SaltAndPepper(0.4)(x)
    salt, pepper = noisy == 1, noisy == 0
    assert abs(salt.float().mean() - 0.2) < 0.004
    assert abs(pepper.float().mean() - 0.2) < 0.004
    kept = ~(salt | pepper)
    assert torch.equal(noisy[kept], x[kept])
    assert set(SaltAndPepper(1.0)(x).unique().tolist()) == {0.0, 1.0}


def test_the_target_stays_clean(x):
    """Both objectives side by side: with everything masked, the network sees zeros and is compared with x."""
    torch.manual_seed(0)
    ae = Autoencoder((784, 10), nn.Identity)
    batch = Batch(x, None)
    plain = SquaredError()({"ae": ae}, batch)["loss"]
    torch.testing.assert_close(Denoising(SquaredError(), Masking(0.0))({"ae": ae}, batch)["loss"], plain)
    blind = Denoising(SquaredError(), Masking(1.0))({"ae": ae}, batch)["loss"]
    torch.testing.assert_close(blind, (ae(torch.zeros_like(x)).x_hat - x).square().sum() / len(x))
    torch.manual_seed(3)
    x_tilde = GaussianNoise(0.4)(x)
    torch.manual_seed(3)
    noisy = Denoising(SquaredError(), GaussianNoise(0.4))({"ae": ae}, batch)["loss"]
    torch.testing.assert_close(noisy, (ae(x_tilde).x_hat - x).square().sum() / len(x))


def test_it_wraps_any_objective_and_passes_its_terms_and_gradients(x):
    torch.manual_seed(0)
    ae = Autoencoder((784, 10), nn.Identity)
    terms = Denoising(CrossEntropy(), SaltAndPepper(0.3))({"ae": ae, "other": nn.Identity()}, Batch(x, None))
    assert set(terms) == {"loss", "squared error"}
    terms["loss"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in ae.parameters())


class Plane(nn.Module):
    """A linear autoencoder of points in the plane, with the output that objectives ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(2, 2)

    def forward(self, x):
        return type("Out", (), {"x_hat": self.map(x)})


class Points:
    """Points as a data set for fit."""

    def __init__(self, x: torch.Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device) -> "Points":
        return Points(self.x.to(device))

    def batch(self, index: torch.Tensor) -> Batch:
        return Batch(self.x[index], None)


def test_a_linear_denoiser_learns_the_wiener_filter():
    """For data N(0, S) and noise N(0, s² I) the best denoiser is S (S + s² I)⁻¹, without the noise the identity."""
    torch.manual_seed(0)
    root = torch.tensor([[1.0, 0.0], [0.6, 0.3]])
    points = torch.randn(4000, 2) @ root.T
    points -= points.mean(0)
    covariance = points.T @ points / len(points)
    for std in (0.0, 0.5):
        plane = Plane()
        phase = Phase(Denoising(SquaredError(), GaussianNoise(std)), adam(0.05), one_cycle())
        fit({"ae": plane}, phase, Points(points), epochs=40, batch_size=400)
        best = covariance @ torch.linalg.inv(covariance + std**2 * torch.eye(2))
        torch.testing.assert_close(plane.map.weight, best, rtol=0, atol=0.03)
        torch.testing.assert_close(plane.map.bias, torch.zeros(2), rtol=0, atol=0.03)


def test_tied_layers_go_back_by_the_transpose():
    torch.manual_seed(0)
    layer = TiedAutoencoder(30, (1, 8, 8))
    x = torch.rand(5, 1, 8, 8)
    up = layer.encoder[1]
    z = torch.sigmoid(x.flatten(1) @ up.weight.T + up.bias)
    out = layer(x)
    torch.testing.assert_close(out.z, z)
    torch.testing.assert_close(out.x_hat.flatten(1), torch.sigmoid(z @ up.weight + layer.decoder[0].bias))
    assert out.x_hat.shape == x.shape
    names = {name: p.numel() for name, p in layer.named_parameters()}
    assert sorted(names.values()) == [30, 64, 30 * 64]  # the weights are counted, and trained, once


def test_the_tied_weights_gradient_is_the_sum_of_both_ways():
    torch.manual_seed(0)
    layer = TiedAutoencoder(6, (10,)).double()
    x = torch.rand(4, 10, dtype=torch.float64)
    up, down = layer.encoder[1].weight, layer.decoder[0].bias

    def loss(weight):
        z = torch.sigmoid(x @ weight.T + layer.encoder[1].bias)
        return (torch.sigmoid(z @ weight + down) - x).square().sum() / 4

    (expected,) = torch.autograd.grad(loss(up), up)
    SquaredError()({"ae": layer}, Batch(x, None))["loss"].backward()
    torch.testing.assert_close(up.grad, expected)


def test_a_stack_is_the_encoders_on_one_another_and_starts_like_them(small):
    torch.manual_seed(0)
    stack = logistic_stack((64, 30, 20))
    torch.manual_seed(0)
    first, second = TiedAutoencoder(30, (1, 8, 8)), TiedAutoencoder(20, (30,))
    x = small.images()
    torch.testing.assert_close(stack(x), second.encode(first.encode(x)))


def test_denoising_in_a_stack_corrupts_the_codes_not_the_image():
    below, layer = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Sigmoid()), TiedAutoencoder(7, (12,))
    x = torch.rand(3, 1, 8, 8)
    objective = OnCodes(Denoising(SquaredError(), Masking(1.0)))
    loss = objective({"ae": layer, "below": below}, Batch(x, None))["loss"]
    torch.testing.assert_close(loss, (layer(torch.zeros(3, 12)).x_hat - below(x)).square().sum() / 3)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_impossible_noise_is_refused(wrong):
    with pytest.raises(ValueError, match=r"Masking takes a fraction from 0 to 1"):
        Masking(wrong)
    with pytest.raises(ValueError, match=r"SaltAndPepper takes a fraction from 0 to 1"):
        SaltAndPepper(wrong)
    if not wrong > 0:
        with pytest.raises(ValueError, match="standard deviation of 0 or more"):
            GaussianNoise(wrong)
    with pytest.raises(ValueError, match="two or more widths"):
        logistic_stack((784,))


def test_states_of_the_first_edition_are_read():
    """They hold the tied matrix twice; a state has it once."""
    torch.manual_seed(0)
    layer, other = TiedAutoencoder(5, (1, 2, 2)), TiedAutoencoder(5, (1, 2, 2))
    state = layer.state_dict()
    assert sorted(state) == ["decoder.0.bias", "encoder.1.bias", "encoder.1.weight"]
    up = {"decoder.0.up.weight": state["encoder.1.weight"], "decoder.0.up.bias": state["encoder.1.bias"]}
    other.load_state_dict(state | up)
    x = torch.rand(3, 1, 2, 2)
    torch.testing.assert_close(other(x).x_hat, layer(x).x_hat)


def test_emphasis_splits_the_cross_entropy_of_denoising(x):
    nets, batch = {"ae": TiedAutoencoder(20, gain=0.5)}, Batch(x, None)

    def loss(objective):
        torch.manual_seed(3)
        return objective(nets, batch)["loss"]

    noise = SaltAndPepper(0.4)  # x is never 0 or 1, so every replaced element is damaged
    whole = loss(Denoising(CrossEntropy(), noise))
    torch.testing.assert_close(loss(Emphasized(noise, 1.0, 1.0)), whole)
    torch.testing.assert_close(loss(Emphasized(noise)) + loss(Emphasized(noise, 0.0, 1.0)), whole)
    torch.testing.assert_close(loss(Emphasized(noise, 2.0, 0.5)), 1.5 * loss(Emphasized(noise)) + 0.5 * whole)


def test_full_emphasis_asks_nothing_where_nothing_is_damaged(x):
    assert Emphasized(Masking(0.0))({"ae": TiedAutoencoder(20)}, Batch(x, None))["loss"] == 0


def test_a_classifier_is_shown_damaged_images_and_asked_for_their_labels(x):
    batch = Batch(x, torch.arange(len(x)) % 10)
    nets = {"classifier": Classifier(logistic_stack((784, 20)), 20)}
    nn.init.normal_(nets["classifier"].head.weight)
    torch.manual_seed(3)
    found = OnCorrupted(LabelCrossEntropy(), Masking(0.5))(nets, batch)
    torch.manual_seed(3)
    expected = LabelCrossEntropy()(nets, Batch(Masking(0.5)(x), batch.y))
    torch.testing.assert_close(found["loss"], expected["loss"])
    assert found["loss"] != LabelCrossEntropy()(nets, batch)["loss"]


def test_the_encoders_of_layers_are_applied_one_after_the_other(x):
    layers = [TiedAutoencoder(20), TiedAutoencoder(10, (20,))]
    with torch.no_grad():
        torch.testing.assert_close(encoders(layers)(x), layers[1].encode(layers[0].encode(x)))
        assert torch.equal(encoders([])(x), x.flatten(1))
