"""The adversarial autoencoder: which phase moves what, known values of its losses, what it learns from labels."""

import math
from dataclasses import replace

import pytest
import torch
from launching import SUPPORT
from sklearn.metrics import log_loss
from torch import nn

from aelib.data import Batch, ImageSet
from aelib.metrics.matching import mmd
from aelib.models.adversarial import (
    AdversarialAutoencoder,
    AppendedNoise,
    ClassificationLoss,
    Discriminator,
    DiscriminatorLoss,
    GaussianDraw,
    GeneratorLoss,
    Match,
    ReconstructionLoss,
    SaturatingGeneratorLoss,
    SoftmaxEncoder,
    SoftmaxHead,
    SupervisedReconstructionLoss,
    TrainingNoise,
)
from aelib.priors import Categorical, GaussianMixture, IsotropicGaussian, draw
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, sgd

PLANE = (Match(IsotropicGaussian(2)),)


def tiny(style: int = 2, classes: int = 0) -> AdversarialAutoencoder:
    torch.manual_seed(0)
    return AdversarialAutoencoder(style, classes, hidden=(20,), shape=(1, 8, 8))


def judge(inputs: int = 2, noise: float = 0.0) -> Discriminator:
    torch.manual_seed(1)
    return Discriminator(inputs, (20,), noise)


class Score(nn.Module):
    """A discriminator whose log-odds are the first number of the code."""

    def forward(self, z):
        return z[:, 0]


def test_the_model_has_its_shapes():
    model = tiny(style=3, classes=5).eval()
    out = model(torch.rand(7, 1, 8, 8))
    assert out.z.shape == (7, 8)
    assert out.x_hat.shape == (7, 1, 8, 8)
    torch.testing.assert_close(out.z[:, :5].sum(1), torch.ones(7))
    assert not torch.allclose(out.z[:, 5:].sum(1), torch.ones(7))
    with pytest.raises(ValueError, match="expects a batch of images"):
        model.encode(torch.rand(7, 64))


def test_the_papers_network_has_two_hidden_layers_of_a_thousand():
    linear = [m for m in AdversarialAutoencoder(8).modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [
        (784, 1000),
        (1000, 1000),
        (1000, 8),
        (8, 1000),
        (1000, 1000),
        (1000, 784),
    ]


def test_a_gaussian_draw_has_the_mean_and_the_variance_that_it_is_given():
    torch.manual_seed(0)
    mu, logvar = torch.tensor([1.0, -2.0]), torch.tensor([0.0, math.log(0.25)])
    z = GaussianDraw()(torch.cat([mu, logvar]).expand(40_000, 4))
    torch.testing.assert_close(z.mean(0), mu, atol=0.02, rtol=0)
    torch.testing.assert_close(z.std(0), (0.5 * logvar).exp(), atol=0.02, rtol=0)


def test_a_deterministic_code_is_one_point_and_the_others_are_drawn_anew(small):
    x = small.images()
    for posterior, random in (("deterministic", False), ("gaussian", True), ("universal", True)):
        torch.manual_seed(0)
        model = AdversarialAutoencoder(3, hidden=(20,), shape=(1, 8, 8), posterior=posterior).eval()
        first, second = model.encode(x), model.encode(x)
        assert first.shape == (len(x), 3)
        assert torch.equal(first, second) is not random
        assert model.decode(first).shape == x.shape


def test_appended_noise_leaves_the_input_and_draws_standard_normal_numbers():
    torch.manual_seed(0)
    x = torch.rand(20_000, 2)
    out = AppendedNoise(3)(x)
    assert torch.equal(out[:, :2], x)
    torch.testing.assert_close(out[:, 2:].T.cov(), torch.eye(3), atol=0.03, rtol=0)


def test_hidden_noise_comes_after_the_normalization_and_only_while_training(small):
    torch.manual_seed(0)
    model = AdversarialAutoencoder(2, hidden=(20, 10), shape=(1, 8, 8), hidden_noise=0.3)
    kinds = [type(layer).__name__ for layer in model.encoder]
    assert kinds == ["Flatten", *["Linear", "BatchNorm1d", "TrainingNoise", "ReLU"] * 2, "Linear"]
    x = small.images()
    assert not torch.equal(model.encode(x), model.encode(x))
    model.eval()
    assert torch.equal(model.encode(x), model.encode(x))
    shaken = TrainingNoise(0.3).train()(torch.zeros(10_000))
    assert shaken.std().item() == pytest.approx(0.3, rel=0.05)


def test_an_unknown_posterior_and_a_random_one_with_classes_are_refused():
    with pytest.raises(ValueError, match="posterior is one of"):
        AdversarialAutoencoder(2, posterior="normal")
    with pytest.raises(ValueError, match="of a code with classes the first"):
        AdversarialAutoencoder(2, classes=10, posterior="gaussian")


def test_the_supervised_loss_gives_the_decoder_the_label_first(small):
    """A decoder that knows the images of the labels needs no style; of wrong labels it makes the other images."""

    class ByLabel(nn.Module):
        def forward(self, code):
            return (20 * (code[:, :10] @ small.images()[:10].flatten(1)) - 10).view(-1, 1, 8, 8)

    nets = {"encoder": nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), "decoder": ByLabel()}
    batch = Batch(small.images()[:10].round(), torch.arange(10))
    expected = (nets["decoder"](torch.eye(10)).sigmoid() - batch.x).square().sum() / 10
    torch.testing.assert_close(SupervisedReconstructionLoss()(nets, batch)["loss"], expected)
    turned = SupervisedReconstructionLoss()(nets, batch._replace(y=torch.arange(10).roll(1)))["loss"]
    assert turned > expected
    with pytest.raises(ValueError, match="the batch has none"):
        SupervisedReconstructionLoss()(nets, batch._replace(y=None))


@pytest.mark.parametrize(
    ("objective", "updates"),
    [
        (ReconstructionLoss(), {"encoder", "decoder"}),
        (DiscriminatorLoss(PLANE), {"discriminator"}),
        (GeneratorLoss(PLANE), {"encoder"}),
        (SaturatingGeneratorLoss(PLANE), {"encoder"}),
    ],
)
def test_each_phase_moves_its_own_modules_and_no_other(small, objective, updates):
    nets = tiny().nets(discriminator=judge())
    before = {n: [p.clone() for p in m.parameters()] for n, m in nets.items()}
    fit(nets, Phase(objective, sgd(0.1), updates=tuple(updates)), small, epochs=1, batch_size=60)
    moved = {n for n, m in nets.items() if not all(map(torch.equal, m.parameters(), before[n]))}
    assert moved == updates


def test_the_discriminators_gradient_stops_at_the_code_and_the_generators_reaches_the_encoder(small):
    nets, batch = tiny().nets(discriminator=judge()), small.batch([0, 1, 2])
    DiscriminatorLoss(PLANE)(nets, batch)["loss"].backward()
    assert all(p.grad is None for n in ("encoder", "decoder") for p in nets[n].parameters())
    assert all(p.grad.abs().sum() > 0 for p in nets["discriminator"].parameters())
    GeneratorLoss(PLANE)(nets, batch)["loss"].backward()
    assert sum(p.grad.abs().sum() for p in nets["encoder"].parameters()) > 0
    assert all(p.grad is None for p in nets["decoder"].parameters())


def test_what_the_generator_leaves_in_the_discriminators_gradient_is_not_used(small):
    """Two steps of both phases are the same with the discriminator's gradients wiped in between."""

    class Wiped(GeneratorLoss):
        def __call__(self, nets, batch):
            for p in nets["discriminator"].parameters():
                p.requires_grad_(False)
            terms = super().__call__(nets, batch)
            for p in nets["discriminator"].parameters():
                p.requires_grad_(True)
            return terms

    trained = []
    for generator in (GeneratorLoss(PLANE), Wiped(PLANE)):
        model, discriminator = tiny(), judge()
        phases = [
            Phase(DiscriminatorLoss(PLANE), adam(1e-2), updates=("discriminator",), name="discriminator"),
            Phase(generator, adam(1e-2), updates=("encoder",), name="generator"),
        ]
        fit(model.nets(discriminator=discriminator), phases, small, epochs=2, batch_size=60)
        trained.append([*model.parameters(), *discriminator.parameters()])
    assert all(map(torch.equal, *trained))


def test_losses_of_an_undecided_discriminator_are_logarithms_of_two(small):
    undecided = judge()
    nn.init.zeros_(undecided.layers[-1].weight)
    nn.init.zeros_(undecided.layers[-1].bias)
    nets, batch = tiny().nets(discriminator=undecided), small.batch(range(50))
    terms = DiscriminatorLoss(PLANE)(nets, batch)
    assert terms["loss"].item() == pytest.approx(math.log(4))
    assert terms["discriminator on prior"] == terms["discriminator on codes"] == 0.5
    assert GeneratorLoss(PLANE)(nets, batch)["loss"].item() == pytest.approx(math.log(2))
    assert SaturatingGeneratorLoss(PLANE)(nets, batch)["loss"].item() == pytest.approx(-math.log(2))


class FromPrior(nn.Module):
    """An encoder that has nothing left to learn: its codes are draws from N(shift, 1), whatever the image."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, x):
        return self.shift + torch.randn(len(x), 1, device=x.device)


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_the_best_discriminators_loss_is_log_four_minus_twice_the_divergence(shift):
    """Between N(0, 1) and N(shift, 1) the best log-odds are known: shift · (shift/2 − z)."""
    z = torch.linspace(-12, 14, 200_001, dtype=torch.float64)
    p, q = (torch.exp(-((z - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0.0, shift))
    mean = (p + q) / 2
    js = torch.trapezoid(0.5 * torch.special.xlogy(p, p / mean) + 0.5 * torch.special.xlogy(q, q / mean), z).item()

    class Best(nn.Module):
        def forward(self, z):
            return shift * (shift / 2 - z[:, 0])

    torch.manual_seed(0)
    nets, batch = {"encoder": FromPrior(shift), "discriminator": Best()}, Batch(torch.zeros(200_000, 1, 1, 1), None)
    loss = DiscriminatorLoss((Match(IsotropicGaussian(1)),))(nets, batch)["loss"].item()
    assert loss == pytest.approx(math.log(4) - 2 * js, abs=0.005)


def test_a_discriminator_of_identical_distributions_learns_log_four(small):
    nets = {"encoder": FromPrior(0.0), "discriminator": judge(1)}
    phase = Phase(DiscriminatorLoss((Match(IsotropicGaussian(1)),)), adam(1e-2), updates=("discriminator",))
    history = fit(nets, phase, ImageSet(small.x.repeat(50, 1, 1, 1), small.y.repeat(50)), epochs=3, batch_size=1000)
    loss = history[history.term == "loss"].value.iloc[-1]
    assert loss == pytest.approx(math.log(4), abs=0.01)


def test_losses_agree_with_scikit_learn():
    batch = Batch(torch.rand(40, 1, 8, 8), None)
    nets = tiny().nets(discriminator=Score())
    torch.manual_seed(3)
    terms = DiscriminatorLoss(PLANE)(nets, batch)
    torch.manual_seed(3)
    scores = torch.cat([PLANE[0].drawn(batch)[:, 0], nets["encoder"](batch.x)[:, 0]]).detach()
    truth = [1] * 40 + [0] * 40
    assert terms["loss"].item() == pytest.approx(2 * log_loss(truth, scores.sigmoid().numpy()), rel=1e-5)
    fooled = GeneratorLoss(PLANE)(nets, batch)["loss"].item()
    assert fooled == pytest.approx(log_loss([1] * 40, scores[40:].sigmoid().numpy(), labels=[0, 1]), rel=1e-5)


def test_the_saturating_loss_has_the_others_gradient_times_the_odds():
    score = torch.tensor([-8.0, -1.0, 0.0, 3.0], requires_grad=True)
    (plain,) = torch.autograd.grad(GeneratorLoss(PLANE).term(score), score)
    (saturating,) = torch.autograd.grad(SaturatingGeneratorLoss(PLANE).term(score), score)
    torch.testing.assert_close(saturating, plain * score.detach().exp())


def test_matches_look_at_their_own_columns(small):
    model = tiny(style=3, classes=5)
    seen = {}

    class Spy(nn.Module):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def forward(self, z):
            seen[self.name] = z.detach()
            return z[:, 0]

    matches = (Match(Categorical(5), (0, 5), "class"), Match(IsotropicGaussian(3), (5, None), "style"))
    nets = model.nets(**{"class": Spy("class"), "style": Spy("style")})
    batch = small.batch(range(30))
    terms = DiscriminatorLoss(matches)(nets, batch)
    assert set(terms) == {"loss", "class on prior", "class on codes", "style on prior", "style on codes"}
    code = model.encode(batch.x).detach()
    torch.testing.assert_close(seen["class"][30:], code[:, :5])
    torch.testing.assert_close(seen["style"][30:], code[:, 5:])
    assert set(seen["class"][:30].unique().tolist()) == {0.0, 1.0}
    one = [GeneratorLoss((m,))(nets, batch)["loss"] for m in matches]
    lighter = (replace(matches[0], weight=0.1), matches[1])
    torch.testing.assert_close(GeneratorLoss(matches)(nets, batch)["loss"], one[0] + one[1])
    torch.testing.assert_close(GeneratorLoss(lighter)(nets, batch)["loss"], 0.1 * one[0] + one[1])


def test_a_discriminator_that_is_told_labels_compares_a_digit_with_its_own_petal():
    petals = GaussianMixture(along=0.01, across=0.01)
    match = Match(petals, labels=True)
    y = torch.tensor([3, -1, 7, -1])
    batch = Batch(torch.rand(4, 1, 8, 8), y)
    drawn = match.drawn(batch)
    assert drawn.shape == (4, 2 + 11)
    torch.testing.assert_close(drawn[:, 2:].argmax(1), y + 1)  # the first place says: unknown
    angles = torch.atan2(drawn[:, 1], drawn[:, 0]) % (2 * math.pi)
    torch.testing.assert_close(angles[[0, 2]], 2 * math.pi * y[[0, 2]] / 10, atol=0.05, rtol=0)
    assert match.codes(torch.rand(4, 2), batch).shape == (4, 13)
    with pytest.raises(ValueError, match="needs labels in the batch"):
        match.drawn(Batch(batch.x, None))


def test_a_prior_of_another_size_than_the_code_is_refused(small):
    nets = tiny(style=3).nets(discriminator=judge(2))
    with pytest.raises(ValueError, match=r"draws rows of 2 numbers, and the columns \(0, None\) of the code are 3"):
        DiscriminatorLoss(PLANE)(nets, small.batch([0, 1]))


def test_the_discriminators_noise_is_for_training_only():
    noisy, z = judge(noise=0.3), torch.zeros(5, 2)
    assert noisy.train()(z).unique().numel() == 5
    silent = noisy.eval()(z)
    torch.testing.assert_close(silent, silent[:1].expand(5))  # not bit by bit: rows of one product may be rounded apart


def test_labels_are_learned_from_the_labeled_images_alone(small):
    model = tiny(style=2, classes=10)
    phase = Phase(ClassificationLoss(small[:60], size=30), adam(1e-2), updates=("encoder",))
    nothing = ImageSet(torch.zeros_like(small.x), torch.full_like(small.y, -1))  # the batches tell nothing
    history = fit({"encoder": model.encoder}, phase, nothing, epochs=60, batch_size=60)
    with torch.no_grad():
        p = model.encode(small.images())[:, :10]
    assert (p.argmax(1) == small.y).float().mean() > 0.9
    few = ClassificationLoss(small[:20])({"encoder": model.encoder}, small.batch([0]))
    assert few["loss"].item() == pytest.approx(log_loss(small.y[:20].numpy(), p[:20].numpy(), labels=range(10)), 1e-4)
    assert history[history.term == "accuracy"].value.iloc[-1] > 0.9


def test_where_the_softmax_is_sure_and_wrong_the_gradient_is_cross_entropys(small):
    """The log-odds of class 9 are 200: the softmax of the others is 0 to the last bit, and the labels are others."""
    encoder = SoftmaxEncoder(nn.Flatten(), nn.Linear(64, 10), SoftmaxHead(10))
    with torch.no_grad():
        encoder[1].weight.zero_()
        encoder[1].bias.zero_()
        encoder[1].bias[9] = 200.0
    labeled = small[:9]
    terms = ClassificationLoss(labeled)({"encoder": encoder}, labeled.batch())
    terms["loss"].backward()
    plain = nn.Linear(64, 10)
    plain.load_state_dict(encoder[1].state_dict())
    nn.functional.cross_entropy(plain(labeled.images().flatten(1)), labeled.y).backward()
    assert terms["loss"].item() == pytest.approx(200)
    torch.testing.assert_close(encoder[1].weight.grad, plain.weight.grad)
    torch.testing.assert_close(encoder[1].bias.grad, plain.bias.grad)
    assert plain.bias.grad.abs().max() > 0.9


def test_three_phases_bring_the_codes_near_the_prior(small):
    """Blobs at ten places, whose codes are too near to each other before training."""
    torch.manual_seed(0)
    match = (Match(IsotropicGaussian(2)),)
    model = AdversarialAutoencoder(2, hidden=(20,), shape=(1, 8, 8), normalize=True).eval()
    phases = [
        Phase(ReconstructionLoss(), adam(1e-3), updates=("encoder", "decoder")),
        Phase(DiscriminatorLoss(match), adam(2e-3), updates=("discriminator",)),
        Phase(GeneratorLoss(match), adam(2e-3), updates=("encoder",)),
    ]
    torch.manual_seed(0)
    prior = draw(IsotropicGaussian(2), 500)
    before = mmd(model.encode(small.images()).detach(), prior)
    fit(model.nets(discriminator=judge()), phases, small, epochs=40, batch_size=12)
    after = mmd(model.encode(small.images()).detach(), prior)
    assert after < before / 3


def test_a_normalized_code_starts_with_the_priors_moments_and_every_class_in_use(images):
    torch.manual_seed(0)
    model = AdversarialAutoencoder(3, 10, hidden=(50,), normalize=True).train()
    z = model.encode(images.images()).detach()
    torch.testing.assert_close(z[:, 10:].mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(z[:, 10:].std(0, correction=0), torch.ones(3), atol=0.05, rtol=0)
    assert z[:, :10].argmax(1).unique().numel() >= 8


def test_dropout_hides_pixels_while_training_only(small):
    torch.manual_seed(0)
    model, x = AdversarialAutoencoder(2, hidden=(20,), shape=(1, 8, 8), dropout=0.3), small.images()
    assert not torch.equal(model.train().encode(x), model.encode(x))
    assert torch.equal(model.eval().encode(x), model.encode(x))


@pytest.mark.slow
def test_two_processes_move_all_three_networks_as_one_does(torchrun):
    script = SUPPORT / "two_processes_adversarial.py"
    one, two = torchrun(script, 1), torchrun(script, 2)
    assert two.pop("processes").item() == 2
    for key, value in two.items():
        torch.testing.assert_close(value, one[key], rtol=1e-4, atol=1e-5)
