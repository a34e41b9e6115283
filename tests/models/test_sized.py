"""Networks for data of any shape: the rules that are stated, the very size back, and training that learns."""

import math

import pytest
import torch
from torch import nn

from aelib.data import ImageSet, series
from aelib.explorer import plane
from aelib.explorer.network.export import export_decoder
from aelib.likelihoods import Bernoulli, Gaussian, Mixed
from aelib.models.autoencoder import EncoderDecoder, Reconstruct, SquaredError
from aelib.models.sized import (
    Unroll,
    conv_autoencoder,
    conv_vae,
    conv_vqvae,
    row_autoencoder,
    row_vae,
    sequence_autoencoder,
    sequence_vae,
    stages,
)
from aelib.models.vae import ELBO
from aelib.models.vqvae import VQLoss
from aelib.sharing import Shared, share
from aelib.training import Phase, fit
from aelib.training.optimizers import adam

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 33, 47), (1, 131, 2), (4, 9, 100), (3, 64, 64)]
LARGE = [(3, 128, 128), (3, 512, 512), (3, 458, 690), (3, 511, 8)]


def test_the_stages_follow_the_rules() -> None:
    assert stages((1, 28, 28), 32) == [(1, 28, 28), (32, 14, 14), (64, 7, 7)]
    assert stages((3, 64, 64), 32) == [(3, 64, 64), (32, 32, 32), (64, 16, 16), (128, 8, 8), (256, 4, 4)]
    assert stages((3, 458, 690), 32)[-1] == (256, 4, 6)
    assert stages((3, 512, 512), 32)[-1] == (256, 4, 4) and len(stages((3, 512, 512), 32)) == 8
    assert stages((1, 131, 2), 8) == [(1, 131, 2), (8, 66, 2), (16, 33, 2), (32, 17, 2), (64, 9, 2), (64, 5, 2)]
    for shape in SHAPES + LARGE:
        assert max(stages(shape, 8)[-1][1:]) <= 7 < max(stages(shape, 8)[-2][1:])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("made", [conv_autoencoder, conv_vae])
def test_the_very_size_comes_back(shape: tuple[int, ...], made) -> None:
    model = made(shape, 3, width=4, show=False)
    x = torch.rand(2, *shape)
    assert model(x).x_hat.shape == x.shape and model.encode(x).shape == (2, 3)
    assert model.decode(torch.zeros(2, 3)).shape == x.shape
    for parameter in model.parameters():
        assert parameter.requires_grad
    model(x).x_hat.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("shape", LARGE)
def test_large_pictures(shape: tuple[int, ...]) -> None:
    with torch.no_grad():
        model = conv_autoencoder(shape, 8, width=4, show=False)
        assert model(torch.rand(1, *shape)).x_hat.shape == (1, *shape)


@pytest.mark.parametrize(("shape", "grid"), [((1, 28, 28), (7, 7)), ((3, 33, 47), (9, 12)), ((3, 64, 64), (16, 16))])
def test_a_grid_of_symbols(shape: tuple[int, ...], grid: tuple[int, int], capsys: pytest.CaptureFixture[str]) -> None:
    model = conv_vqvae(shape, 32, 4, width=8)
    assert f"a grid of {grid[0]}×{grid[1]} of 32 symbols" in capsys.readouterr().out
    x = torch.rand(2, *shape)
    assert model.indices(x).shape == (2, *grid) and model(x).x_hat.shape == x.shape
    with pytest.raises(ValueError, match="1 to 4 halvings; it got 5"):
        conv_vqvae(shape, halvings=5)


def test_the_sizes_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    conv_autoencoder((3, 33, 47), 5, width=4)
    row_vae(20, 3)
    sequence_autoencoder((30, 2), 4)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("3×33×47 → 4×17×24 → 8×9×12 → 16×5×6 → 5 numbers; ")
    assert said[1].startswith("20 → 32 → 16 → 3 numbers; ")
    assert said[2].startswith("30 steps of 2 → 64 → 4 numbers; ")
    assert all(line.endswith(" parameters") for line in said)


def test_shapes_that_cannot_be() -> None:
    for shape in ((28, 28), (1, 7, 7), (1, 4097, 8), (0, 8, 8), (1, 0, 8)):
        with pytest.raises(ValueError, match=r"A picture is \(C, H, W\)"):
            conv_autoencoder(shape, 2)
    with pytest.raises(ValueError, match="width is 0"):
        conv_vae((1, 8, 8), 2, width=0)
    with pytest.raises(ValueError, match=r"A window is \(steps, channels\)"):
        sequence_vae((30,), 2)
    with pytest.raises(ValueError, match="they have 0 and 2"):
        row_autoencoder(0, 2)


def test_the_signal_keeps_its_size_through_seven_stages() -> None:
    """He's start: what comes out of the last stage varies about as much as what came in."""
    torch.manual_seed(0)
    model = conv_autoencoder((3, 256, 256), 64, width=8, show=False)
    with torch.no_grad():
        z = model.encode(torch.rand(4, 3, 256, 256) * 2)
    assert 0.1 < z.std() < 10


@pytest.mark.parametrize("width", [1, 5, 33, 1000])
def test_rows(width: int) -> None:
    model = row_autoencoder(width, 2, show=False)
    linear = [layer.out_features for layer in model.encoder if isinstance(layer, nn.Linear)]
    first = {1: 32, 5: 32, 33: 64, 1000: 512}[width]
    assert linear == [first, first // 2, 2]
    assert row_vae(width, 2, show=False)(torch.randn(4, width)).x_hat.shape == (4, width)


def test_rows_train_by_their_own_likelihood() -> None:
    likelihood = Mixed((("gaussian", 2), ("categorical", 3)))
    torch.manual_seed(0)
    kind = torch.randint(3, (300,))
    x = torch.cat([kind[:, None] * torch.tensor([[1.0, -1.0]]) + 0.1 * torch.randn(300, 2), torch.eye(3)[kind]], 1)
    model = row_autoencoder(5, 2, likelihood, show=False)
    history = fit({"ae": model}, Phase(Reconstruct(), adam(1e-2)), x, epochs=30, batch_size=50)
    loss = history.value.to_numpy()
    # What is left is the constant of the Gaussians, log(π) a pair at σ² = 1/2, and noise of 0.1.
    assert loss[-1] < math.log(math.pi) + 0.15 < loss[0]
    assert (model(x).x_hat[:, 2:].argmax(1) == kind).float().mean() > 0.99
    with pytest.raises(ValueError, match="numbers that sum to 1"):
        fit({"ae": model}, Phase(Reconstruct()), x.index_fill(1, torch.tensor([3]), 1.0), epochs=1)


def test_a_bernoulli_is_the_default() -> None:
    model = conv_autoencoder((1, 8, 8), 2, width=4, show=False)
    assert isinstance(model.output, nn.Sigmoid) and model.likelihood == Bernoulli()
    x = torch.rand(4, 1, 8, 8)
    terms = Reconstruct()({"ae": model}, type("B", (), {"x": x}))
    torch.testing.assert_close(terms["loss"], Bernoulli().nll(model(x).logits, x))


@pytest.mark.slow
def test_a_sequence_autoencoder_does_not_return_the_mean() -> None:
    """Waves of any phase: the best constant explains nothing of them, and the mean over windows no more."""
    torch.manual_seed(0)
    t, phase = torch.arange(24)[None], 2 * math.pi * torch.rand(400, 1)
    x = torch.sin(2 * math.pi * t / 12 + phase)[..., None]
    model = sequence_autoencoder((24, 1), 2, hidden=32, show=False)
    fit({"ae": model}, Phase(Reconstruct(), adam(1e-2)), x[:300], epochs=60, batch_size=50)
    with torch.no_grad():
        left = (model(x[300:]).x_hat - x[300:]).square().sum() / (x[300:] - x[300:].mean()).square().sum()
    assert left < 0.1


def test_windows_of_a_series_train() -> None:
    windows = series(torch.randn(200, 2).cumsum(0), 16)
    for model, objective, name in [
        (sequence_autoencoder((16, 2), 3, hidden=8, show=False), Reconstruct(), "ae"),
        (sequence_vae((16, 2), 3, hidden=8, show=False), ELBO(), "vae"),
    ]:
        assert fit({name: model}, Phase(objective), windows.train, epochs=1).value.notna().all()
        assert model(windows.test.batch().x).x_hat.shape == (len(windows.test), 16, 2)


def test_each_step_knows_its_place() -> None:
    places = Unroll(50)(torch.zeros(1, 3))[0, :, 3:]
    assert places.shape == (50, 16)
    distance = torch.cdist(places, places) + 9 * torch.eye(50)
    assert distance.min() > 0.1


@pytest.mark.parametrize(
    ("made", "arguments"),
    [
        (conv_autoencoder, {"shape": (1, 9, 11), "latent": 2, "width": 4}),
        (conv_vae, {"shape": (3, 8, 8), "latent": 2, "width": 4, "likelihood": Gaussian(0.1, "logit")}),
        (conv_vqvae, {"shape": (1, 12, 12), "codes": 8, "dim": 2, "width": 4}),
        (row_vae, {"width": 5, "latent": 2, "likelihood": Mixed((("gaussian", 2), ("categorical", 3)))}),
        (sequence_autoencoder, {"shape": (9, 2), "latent": 2, "hidden": 4}),
    ],
)
def test_they_are_shared(made, arguments, tmp_path) -> None:
    model = made(**arguments, show=False).eval()
    share(model, arguments | {"show": False}, made_by=made).save_pretrained(tmp_path)
    again = Shared.from_pretrained(tmp_path).model
    x = torch.rand(3, *model.shape)
    assert torch.equal(again.encode(x), model.encode(x))


def test_an_explorer_runs_them() -> None:
    torch.manual_seed(0)
    model = conv_autoencoder((3, 11, 9), 2, width=4, show=False)
    net = export_decoder(model, "own", lambda n: torch.randn(n, 2))
    assert net.error <= 0.01
    images = ImageSet(torch.randint(0, 256, (30, 3, 11, 9), dtype=torch.uint8), torch.zeros(30, dtype=torch.int64))
    page = plane(model, images, classes=("one",), colors=("#000000",), noun="picture")
    assert "30 pictures" in page.alt


def test_pictures_are_learned() -> None:
    torch.manual_seed(0)
    x = torch.zeros(64, 1, 9, 9)
    for i in range(64):
        x[i, 0, i // 8, i % 8] = 1
    x = nn.functional.max_pool2d(x, 3, 1, 1)
    model = conv_vqvae((1, 9, 9), 16, 4, halvings=1, width=16, show=False)
    history = fit({"ae": model}, Phase(VQLoss(codebook=0), adam(3e-3)), x, epochs=20, batch_size=16)
    error = history[history.term == "reconstruction"].value.to_numpy()
    assert error[-1] < 0.5 * error[0]
    plain = conv_autoencoder((1, 9, 9), 8, width=8, show=False)
    error = fit({"ae": plain}, Phase(SquaredError(), adam(3e-3)), x, epochs=20, batch_size=16).value.to_numpy()
    assert error[-1] < 0.7 * error[0]
    assert isinstance(plain, EncoderDecoder)
