"""Networks as they were published: their parameters, their codes, and what their losses hide."""

import math

import pytest
import torch
from torch import nn

from aelib.data import Batch
from aelib.likelihoods import Gaussian, gaussian_kl, squared_error
from aelib.models.autoencoder import RectifiedDense
from aelib.models.convolutional import PooledConvolutional, StridedConvolutional
from aelib.models.rows import RowCode, RowStates
from aelib.models.sparse import L1Sparse
from aelib.models.vae import ELBO, DenseVAE
from aelib.nets import count_parameters

MODELS = [RectifiedDense, PooledConvolutional, StridedConvolutional, RowStates, RowCode]


@pytest.mark.parametrize(
    ("make", "code", "parameters"),
    [
        (RectifiedDense, 64, 784 * 128 + 128 + 128 * 64 + 64 + 64 * 128 + 128 + 128 * 784 + 784),
        (lambda: RectifiedDense(unit_columns=True), 64, 218_192),
        (PooledConvolutional, 1568, 16 * 9 + 16 + 32 * 16 * 9 + 32 + 32 * 16 * 9 + 16 + 16 * 9 + 1),
        (StridedConvolutional, 64, 456_865),
        (RowStates, 3584, 4 * 128 * (28 + 128 + 2) + 4 * 28 * (128 + 28 + 2)),
        (RowCode, 64, 4 * 128 * (28 + 128 + 2) + 128 * 64 + 64 + 4 * 128 * (64 + 128 + 2) + 128 * 28 + 28),
    ],
)
def test_codes_and_parameters_are_those_of_the_published_layers(make, code, parameters):
    model, x = make().eval(), torch.rand(3, 1, 28, 28)
    out = model(x)
    assert out.z.shape == (3, code)
    assert out.x_hat.shape == out.logits.shape == x.shape
    assert count_parameters(model) == parameters
    torch.testing.assert_close(model.decode(model.encode(x)), out.x_hat)


@pytest.mark.parametrize("make", MODELS)
def test_every_weight_gets_a_gradient(make):
    torch.manual_seed(0)
    model, x = make(), torch.rand(4, 1, 28, 28)
    squared_error(model(x).x_hat, x).backward()
    still = [name for name, weight in model.named_parameters() if not weight.grad.abs().sum() > 0]
    assert still == []


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("wrong", [torch.rand(2, 28, 28), torch.zeros(2, 1, 28, 28, dtype=torch.uint8)])
def test_what_is_no_batch_of_images_is_refused(make, wrong):
    with pytest.raises(ValueError, match="expects"):
        make().encode(wrong)


def test_two_pictures_with_one_code_have_one_reconstruction():
    torch.manual_seed(0)
    for model in (RowCode().eval(), StridedConvolutional().eval()):
        z = torch.randn(1, 64).expand(2, 64)
        first, second = model.decode(z)
        torch.testing.assert_close(first, second)


def test_widths_must_fit_the_image():
    with pytest.raises(ValueError, match=r"RectifiedDense .* the first 784; it got \(100, 10\)"):
        RectifiedDense((100, 10))
    with pytest.raises(ValueError, match=r"RectifiedDense .* two or more widths"):
        RectifiedDense((784,))


def test_a_rectified_code_is_nowhere_negative():
    torch.manual_seed(0)
    z = RectifiedDense().encode(torch.rand(50, 1, 28, 28))
    assert z.min() == 0 and z.max() > 0


def test_unit_columns_have_length_one():
    columns = RectifiedDense(unit_columns=True).decoder[0].columns()
    torch.testing.assert_close(columns.norm(dim=0), torch.ones(64))
    assert columns.shape == (128, 64)


def test_pooling_is_blind_to_what_is_not_the_largest():
    """A convolution that hands the picture on, then pooling: all but the largest of four pixels is lost."""
    model = PooledConvolutional()
    with torch.no_grad():
        for layer in (model.encoder[0], model.encoder[3]):
            layer.weight.zero_()
            layer.bias.zero_()
            layer.weight[0, 0, 1, 1] = 1
    x = torch.rand(2, 1, 28, 28)
    expected = nn.functional.max_pool2d(x, 4).flatten(1)
    torch.testing.assert_close(model.encode(x)[:, :49], expected)


def test_means_hide_a_weight_of_twelve_and_a_quarter():
    """The published VAE loss, with means over pixels and latents, is a bound with that weight on sums."""
    torch.manual_seed(0)
    model, x = DenseVAE((784, 400, 32), nn.ReLU, likelihood=Gaussian(link="logit")), torch.rand(5, 1, 28, 28)
    torch.manual_seed(1)
    out = model(x)
    means = nn.functional.mse_loss(out.x_hat, x) + 0.5 * gaussian_kl(out.mu, out.logvar) / 32
    torch.manual_seed(1)
    bound = ELBO(beta=12.25)({"vae": model}, Batch(x, None))["loss"]
    torch.testing.assert_close(784 * means, bound - 392 * math.log(math.pi), rtol=1e-4, atol=0)
    assert count_parameters(model) == 784 * 400 + 400 + 2 * (400 * 32 + 32) + 32 * 400 + 400 + 400 * 784 + 784


def test_the_l1_penalty_takes_any_autoencoder():
    torch.manual_seed(0)
    model, x = RectifiedDense(), torch.rand(6, 1, 28, 28)
    terms = L1Sparse(alpha=0.3)({"ae": model}, Batch(x, None))
    z = model.encode(x)
    torch.testing.assert_close(terms["penalty"], 0.3 * z.sum() / 6)
    torch.testing.assert_close(terms["squared error"], 784 * nn.functional.mse_loss(model(x).x_hat, x))
    torch.testing.assert_close(terms["loss"], terms["squared error"] / 2 + terms["penalty"])
    assert terms["active"] == (z > 0).sum() / 6
