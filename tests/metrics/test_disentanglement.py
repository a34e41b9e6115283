"""The four scores on codes whose answer is known: the factors themselves, a constant, duplicates, mixtures."""

import math

import pytest
import torch
from torch import Tensor

from aelib.metrics import beta_vae_score, dci, factor_vae_score, mig, mutual_information

SIZES = (3, 6, 10, 8)


def draw(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(size, (count,), generator=generator) for size in SIZES], dim=1)


def perfect(factors: Tensor) -> Tensor:
    return factors.float()


def constant(factors: Tensor) -> Tensor:
    return torch.zeros(len(factors), 6)


def duplicated(factors: Tensor) -> Tensor:
    return factors.float().repeat(1, 2)


def mixed(factors: Tensor) -> Tensor:
    """A rotation of the standardized factors: all is there, every latent is about all four."""
    mix = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    return (factors / torch.tensor(SIZES) - 0.5) @ mix


def tilted(factors: Tensor) -> Tensor:
    """Another rotation, by chance nearer to the axes."""
    mix = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1))).Q
    return (factors / torch.tensor(SIZES) - 0.5) @ mix


def noise(factors: Tensor) -> Tensor:
    return torch.randn(len(factors), 6, generator=torch.Generator().manual_seed(len(factors)))


FACTORS = draw(6000)
FEW = dict(train=250, test=150)


@pytest.mark.parametrize(
    ("codes", "least", "most"),
    [
        (perfect, 0.9, 1.0),
        (constant, 0.0, 0.0),
        (duplicated, 0.0, 0.1),
        (mixed, 0.0, 0.02),
        (tilted, 0.2, 0.5),
        (noise, 0.0, 0.02),
    ],
)
def test_mig(codes, least, most):
    gaps = mig(codes(FACTORS), FACTORS)
    assert gaps.shape == (4,)
    assert least <= gaps.mean().item() <= most


@pytest.mark.parametrize("score", [factor_vae_score, beta_vae_score])
@pytest.mark.parametrize(
    ("codes", "least", "most"),
    # Duplicates do not count against a code, nor does a tilt: for the vote some latent varies least, and a linear
    # classifier needs no more than different distances for different factors.
    [
        (perfect, 0.99, 1.0),
        (constant, 0.1, 0.4),
        (duplicated, 0.99, 1.0),
        (mixed, 0.1, 0.45),
        (tilted, 0.95, 1.0),
        (noise, 0.1, 0.45),
    ],
)
def test_scores_that_intervene(score, codes, least, most):
    assert least <= score(codes, SIZES, **FEW) <= most


@pytest.mark.parametrize(
    ("codes", "disentangled", "complete", "informative"),
    [
        (perfect, (0.98, 1), (0.98, 1), (0.98, 1)),
        (constant, (0, 0.01), (0, 0.01), (0, 0.3)),
        # Each copy is about one factor only, so disentangled; no factor is in one latent only, so not complete.
        (duplicated, (0.98, 1), (0.5, 0.8), (0.98, 1)),
        (mixed, (0, 0.05), (0, 0.05), (0.9, 1)),
        (tilted, (0.1, 0.4), (0.1, 0.4), (0.9, 1)),
        (noise, (0, 0.05), (0, 0.05), (0, 0.3)),
    ],
)
def test_dci(codes, disentangled, complete, informative):
    test = draw(2000, seed=1)
    found = dci(codes(FACTORS), FACTORS, codes(test), test)
    assert found.importance.shape == (codes(test).shape[1], 4)
    for value, (least, most) in zip(found[:3], (disentangled, complete, informative), strict=True):
        assert least <= value <= most


def test_mutual_information_of_a_factor_with_itself_is_its_entropy():
    table = mutual_information(perfect(FACTORS), FACTORS)
    for k, size in enumerate(SIZES):
        assert table[k, k].item() == pytest.approx(math.log(size), abs=0.01)
    off = table[~torch.eye(4, dtype=torch.bool)]
    assert off.max() < 0.02


def test_mutual_information_of_a_gaussian_channel():
    """z = v + noise for a fair coin v = ±1: the information is that of a mixture, by quadrature 0.3369 nats."""
    generator = torch.Generator().manual_seed(0)
    coin = torch.randint(2, (200_000, 1), generator=generator)
    z = 2.0 * coin - 1 + torch.randn(coin.shape, generator=generator)
    x = torch.linspace(-9, 9, 20001, dtype=torch.float64)
    halves = [torch.exp(-((x - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (-1, 1)]
    mixture = (halves[0] + halves[1]) / 2
    exact = torch.trapezoid(halves[1] * (halves[1] / mixture).log(), x).item()
    assert exact == pytest.approx(0.3369, abs=2e-4)
    assert mutual_information(z, coin, bins=60).item() == pytest.approx(exact, abs=0.005)


def test_a_dead_latent_deceives_the_gap_on_means_only():
    """The means of a dead latent are tiny, not constant: a histogram over their range blows them up."""
    generator = torch.Generator().manual_seed(0)
    whisper = 1e-4 * FACTORS.float()  # what is left of the factors in a latent whose noise has variance 1
    means = torch.cat([perfect(FACTORS), whisper], dim=1)
    samples = torch.cat([perfect(FACTORS), whisper + torch.randn(whisper.shape, generator=generator)], dim=1)
    assert mig(means, FACTORS).mean() < 0.1
    assert mig(samples, FACTORS).mean() > 0.9


def test_scores_do_not_depend_on_the_order_or_the_scale_of_latents():
    z = mixed(FACTORS)
    torch.testing.assert_close(mig(z, FACTORS), mig(3 * z[:, [2, 0, 3, 1]] - 1, FACTORS))


def test_what_cannot_be_scored_is_refused():
    z = perfect(FACTORS)
    with pytest.raises(ValueError, match=r"\(6000, 4\) and \(10, 4\)"):
        mutual_information(z, FACTORS[:10])
    with pytest.raises(ValueError, match="these are torch"):
        mig(z, z)
    with pytest.raises(ValueError, match="only one"):
        mig(z[:, :1], FACTORS)
    with pytest.raises(ValueError, match="factor 2 takes one"):
        mig(z, torch.where(torch.arange(4) == 2, 0, FACTORS))
    with pytest.raises(ValueError, match="not finite"):
        dci(z / 0, FACTORS, z, FACTORS)


def test_dci_of_one_latent_one_factor_or_a_constant_factor_is_an_error_not_nan():
    z, factors = torch.rand(60, 3), draw(60)
    with pytest.raises(ValueError, match="two or more of each; there are 1 and 4"):
        dci(z[:, :1], factors, z[:, :1], factors)
    with pytest.raises(ValueError, match="two or more of each; there are 3 and 1"):
        dci(z, factors[:, :1], z, factors[:, :1])
    with pytest.raises(ValueError, match="factor 2 takes one"):
        dci(z, factors * torch.tensor([1, 1, 0, 1]), z, factors)
    with pytest.raises(ValueError, match=r"one size; they are \(60, 3\) and \(60, 2\)"):
        dci(z, factors, z[:, :2], factors)
