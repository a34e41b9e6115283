"""Dense and convolutional autoencoders, their objectives, the likelihoods under them, and how they start."""

import math

import pytest
import torch
from sklearn.metrics import log_loss
from torch import nn

from aelib.data import Batch
from aelib.likelihoods import bernoulli_nll, binary_entropy, squared_error
from aelib.models.autoencoder import Autoencoder, CrossEntropy, SquaredError
from aelib.models.convolutional import Convolutional, SuperResolution
from aelib.nets import count_parameters, he_init, mlp

STACKED = (784, 512, 256, 128, 64)


def stacked() -> Autoencoder:
    return Autoencoder(STACKED, nn.ReLU)


@pytest.mark.parametrize(
    ("make", "parameters"), [(SuperResolution, 1_702_081), (Convolutional, 1_009_569), (stacked, 1_149_520)]
)
def test_chapter_nine_networks_have_their_shapes_and_parameters(make, parameters):
    model = make().eval()
    x = torch.rand(3, 1, 28, 28)
    out = model(x)
    assert count_parameters(model) == parameters
    assert out.z.shape == (3, 64)
    assert out.x_hat.shape == out.logits.shape == x.shape
    torch.testing.assert_close(model.decode(model.encode(x)), out.x_hat)
    assert out.x_hat.min() >= 0
    assert out.x_hat.max() <= 1


def test_super_resolution_sees_only_fourteen_by_fourteen():
    model = SuperResolution()
    x = torch.rand(2, 1, 28, 28)
    coarse = nn.functional.interpolate(x, (14, 14), mode="bilinear")
    # An image with the same 2x2 means (bilinear halving averages two pixels a side) has the same code.
    same = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert not torch.allclose(same, x)
    torch.testing.assert_close(model.encode(same), model.encode(x))


def test_the_code_of_a_dense_autoencoder_is_linear_in_the_last_hidden_layer():
    model = Autoencoder((784, 50, 7), nn.Sigmoid)
    assert isinstance(model.encoder[-1], nn.Linear)
    assert [type(layer) for layer in model.decoder] == [nn.Linear, nn.Sigmoid, nn.Linear, nn.Unflatten]


@pytest.mark.parametrize("make", [SuperResolution, Convolutional, stacked])
@pytest.mark.parametrize(
    ("wrong", "came"),
    [
        (torch.rand(2, 1, 27, 28), r"\(2, 1, 27, 28\)"),
        (torch.rand(2, 784), r"\(2, 784\)"),
        (torch.arange(5), r"\(5,\)"),  # labels
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), "uint8"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(make, wrong, came):
    with pytest.raises(ValueError, match=came):
        make().encode(wrong)


def test_widths_must_fit_the_image():
    with pytest.raises(ValueError, match=r"Autoencoder .* the first 784; it got \(100, 10\)"):
        Autoencoder((100, 10))
    with pytest.raises(ValueError, match="two or more positive widths"):
        mlp((784,), nn.ReLU)


def test_squared_error_is_summed_over_pixels_and_averaged_over_images():
    x = torch.zeros(4, 1, 28, 28)
    assert squared_error(x + 0.5, x).item() == pytest.approx(784 * 0.25)


def test_bernoulli_nll_is_scikit_learns_log_loss():
    torch.manual_seed(0)
    logits, x = torch.randn(6, 30), torch.randint(2, (6, 30)).float()
    expected = 30 * log_loss(x.flatten().numpy(), logits.sigmoid().flatten().numpy())
    assert bernoulli_nll(logits, x).item() == pytest.approx(expected, rel=1e-5)


def test_the_cross_entropy_of_the_truth_is_its_entropy():
    x = torch.rand(5, 40)
    assert bernoulli_nll(torch.logit(x), x).item() == pytest.approx(binary_entropy(x).item(), rel=1e-4)
    assert binary_entropy(torch.full((2, 3), 0.5)).item() == pytest.approx(3 * math.log(2))
    assert binary_entropy(torch.tensor([[0.0, 1.0]])).item() == 0


def test_likelihoods_refuse_other_shapes_and_empty_batches():
    for function in (squared_error, bernoulli_nll):
        with pytest.raises(ValueError, match="one shape"):
            function(torch.rand(2, 3), torch.rand(2, 4))
        with pytest.raises(ValueError, match="non-empty"):
            function(torch.rand(0, 3), torch.rand(0, 3))


def test_objectives_agree_with_torch(images):
    model, batch = stacked(), images.batch([0, 1, 2])
    x_hat = model(batch.x).x_hat
    mse = nn.functional.mse_loss(x_hat, batch.x)
    torch.testing.assert_close(SquaredError(per_pixel=True)({"ae": model}, batch)["loss"], mse)
    torch.testing.assert_close(SquaredError()({"ae": model}, batch)["loss"], 784 * mse)
    terms = CrossEntropy()({"ae": model}, batch)
    bce = nn.functional.binary_cross_entropy(x_hat, batch.x, reduction="sum") / 3
    torch.testing.assert_close(terms["loss"], bce, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(terms["squared error"], 784 * mse)
    assert not terms["squared error"].requires_grad


def test_he_initialization_keeps_the_signal_where_the_default_loses_five_sixths_a_layer():
    torch.manual_seed(0)
    x, layers = torch.randn(2000, 512), 6
    deep = mlp([512] * (layers + 1), nn.ReLU, last=True)
    with torch.no_grad():
        for layer in deep[::2]:
            layer.bias.zero_()
        lost = (deep(x).square().mean() / x.square().mean()).item()
        kept = (he_init(deep)(x).square().mean() / x.square().mean()).item()
    assert lost ** (1 / layers) == pytest.approx(1 / 6, rel=0.1)
    assert kept ** (1 / layers) == pytest.approx(1, rel=0.1)


def test_he_initialization_of_a_transposed_convolution_keeps_the_signal():
    torch.manual_seed(0)
    layer = he_init(nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1))
    x = torch.randn(20, 64, 14, 14)
    with torch.no_grad():
        out = layer(x)
    # Variance 2 (the gain that ReLU takes away), away from the border.
    assert out[:, :, 2:-2, 2:-2].var().item() == pytest.approx(2, rel=0.1)
    assert layer.bias.abs().max() == 0


def test_batch_may_lack_labels():
    model = stacked()
    assert SquaredError()({"ae": model}, Batch(torch.rand(2, 1, 28, 28), None))["loss"] > 0
