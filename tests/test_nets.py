"""How networks start: the variance of a signal through a stack, and an output at the data's mean."""

import pytest
import torch
from blobs import blobs
from torch import nn

from aelib.models.autoencoder import Autoencoder, EncoderDecoder
from aelib.models.denoising import TiedAutoencoder
from aelib.models.quantizers import FSQ
from aelib.models.vae import DenseVAE
from aelib.models.vqvae import grid_decoder, grid_encoder, small_vqvae
from aelib.nets import glorot_init, mlp, set_output_bias


def test_glorots_start_keeps_the_variance_both_ways():
    torch.manual_seed(0)
    stack = glorot_init(mlp([400] * 9, nn.Identity))
    x = torch.randn(500, 400, requires_grad=True)
    out = stack(x)
    assert out.var().item() == pytest.approx(1, rel=0.25)
    (back,) = torch.autograd.grad(out, x, torch.randn_like(out))
    assert back.var().item() == pytest.approx(1, rel=0.25)
    layer = glorot_init(nn.Linear(300, 100), gain=4.0)
    assert layer.weight.std().item() == pytest.approx(4 * (2 / 400) ** 0.5, rel=0.02)
    assert layer.weight.abs().max() <= 4 * (6 / 400) ** 0.5
    assert not layer.bias.any()


def test_a_gain_of_four_passes_a_signal_through_logistic_layers_and_the_default_does_not():
    def spread(start):
        torch.manual_seed(0)
        stack = start(mlp([100] * 6, nn.Sigmoid))
        return stack(torch.rand(200, 100)).std(0).mean().item()

    assert spread(lambda stack: glorot_init(stack, 4.0)) > 30 * spread(lambda stack: stack)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Autoencoder((64, 20, 3), nn.ReLU, (1, 8, 8)),
        lambda: DenseVAE((64, 20, 3), nn.ReLU, (1, 8, 8)),
        lambda: TiedAutoencoder(10, (1, 8, 8)),
    ],
)
def test_a_dense_output_starts_at_the_mean_of_each_pixel(make):
    torch.manual_seed(0)
    model, x = make(), blobs(100, 8).images()
    assert set_output_bias(model, x) is model
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.zero_()  # what is left is the bias
    found = model.decode(model.encode(x[:2]))
    torch.testing.assert_close(found[0], x.mean(0).clamp(1e-3, 1 - 1e-3))


def test_a_convolutional_output_starts_at_the_mean_of_its_channel(images):
    model = set_output_bias(small_vqvae(FSQ((4, 4)), 8), images.images())
    assert model.decoder[-1].bias.sigmoid().item() == pytest.approx(images.images().mean().item())
    linear = EncoderDecoder(grid_encoder(2, 8), grid_decoder(2, 8))
    linear.output = nn.Identity()
    assert set_output_bias(linear, images.images()).decoder[-1].bias.item() == pytest.approx(
        images.images().mean().item()
    )


def test_an_output_without_a_bias_for_each_pixel_is_refused(images):
    with pytest.raises(ValueError, match="needs a bias of 784 numbers to start at the mean; it has 64"):
        set_output_bias(Autoencoder((64, 20, 3), nn.ReLU, (1, 8, 8)), images.images())
    model = Autoencoder()
    model.output = nn.Hardtanh()
    with pytest.raises(ValueError, match="a sigmoid or a linear output"):
        set_output_bias(model, images.images())
    without = EncoderDecoder(nn.Sequential(), nn.Sequential(nn.Linear(3, 784, bias=False)))
    with pytest.raises(ValueError, match="it has none"):
        set_output_bias(without, images.images())
