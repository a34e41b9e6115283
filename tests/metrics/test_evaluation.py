"""What holds for every measure: modes come back, results can be trained on, memory is bounded."""

import pytest
import torch
from blobs import blobs
from torch import nn

from aelib import metrics
from aelib.data import TextSet, binarize
from aelib.models.pixelcnn import PixelCNN
from aelib.models.quantizers import FSQ
from aelib.models.recurrent import Seq2Seq
from aelib.models.vae import VAE, DenseVAE
from aelib.models.vqvae import small_vqvae
from aelib.nets import evaluating


class Classes(nn.Linear):
    """A classifier of 8 x 8 images, with a layer that behaves otherwise in training."""

    def forward(self, x):
        return type(
            "Output", (), {"logits": nn.functional.dropout(super().forward(x.flatten(1)), training=self.training)}
        )


def vae() -> VAE:
    return DenseVAE((64, 16, 4), nn.Tanh, (1, 8, 8))


def symbols() -> nn.Module:
    return small_vqvae(FSQ((3, 3)), width=4)


def sentences() -> TextSet:
    return TextSet(torch.tensor([[3, 4, 5], [4, 3, 0]]), torch.zeros(2, dtype=torch.int64))


SMALL, LARGE = blobs(30, 8), blobs(30)
MEASURES = {
    "codes": (vae, lambda model: metrics.codes(model, SMALL)),
    "reconstructions": (vae, lambda model: metrics.reconstructions(model, SMALL)),
    "elbo": (vae, lambda model: metrics.elbo(model, binarize(SMALL))),
    "importance_bounds": (vae, lambda model: metrics.importance_bounds(model, binarize(SMALL), [1, 3])),
    "interpolation": (vae, lambda model: metrics.interpolation(model, SMALL.images()[:2], SMALL.images()[2:4])),
    "generated": (vae, lambda model: metrics.generated(model, 5, SMALL)),
    "unit_activity": (vae, lambda model: metrics.unit_activity(model, SMALL)),
    "error_under": (vae, lambda model: torch.tensor(metrics.error_under(model, SMALL, metrics.noise(0.1)))),
    "accuracy": (lambda: Classes(64, 10), lambda model: torch.tensor(metrics.accuracy(model, SMALL).percent)),
    "code_grids": (symbols, lambda model: metrics.code_grids(model, LARGE).x),
    "bits_per_symbol": (
        lambda: PixelCNN(9, (7, 7), 4),
        lambda model: torch.tensor(metrics.bits_per_symbol(model, metrics.code_grids(symbols(), LARGE))),
    ),
    "rewritten": (lambda: Seq2Seq(8, 4, 4), lambda model: metrics.rewritten(model, sentences())),
    "nats_per_word": (lambda: Seq2Seq(8, 4, 4), lambda model: torch.tensor(metrics.nats_per_word(model, sentences()))),
}


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_leaves_every_module_in_the_mode_that_it_was_in(name):
    make, measure = MEASURES[name]
    model = make().train()
    list(model.modules())[-1].eval()  # e.g. a frozen normalization
    modes = [module.training for module in model.modules()]
    measure(model)
    assert [module.training for module in model.modules()] == modes


@pytest.mark.parametrize("name", MEASURES)
def test_what_a_measure_gives_can_be_trained_on(name):
    make, measure = MEASURES[name]
    assert not measure(make()).is_inference()


def test_a_readers_probe_learns_from_codes_and_reconstructions():
    model = vae()
    for x in (metrics.codes(model, SMALL), metrics.reconstructions(model, SMALL).flatten(1)):
        probe = nn.Linear(x.shape[1], 10)
        nn.functional.cross_entropy(probe(x), SMALL.y).backward()
        assert probe.weight.grad.abs().sum() > 0


def test_modes_and_gradients_come_back_after_an_error():
    model = vae().train()
    with pytest.raises(ZeroDivisionError), evaluating(model):
        assert not model.training and not torch.is_grad_enabled()
        raise ZeroDivisionError
    assert model.training and torch.is_grad_enabled()


def test_the_random_state_comes_back_after_an_error():
    model, before = vae(), torch.get_rng_state()
    with pytest.raises(ValueError, match="images of shape"):
        metrics.nll(model, binarize(LARGE))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("samples", [500, 2000])
def test_the_memory_of_a_likelihood_depends_neither_on_the_samples_nor_on_the_width_of_a_layer(samples):
    wide = 64 * 784  # 64 maps of 28 x 28; 4,000 of them at once would be 800 MB in each layer
    decoder = nn.Sequential(nn.Linear(2, wide), nn.Unflatten(1, (64, 28, 28)), nn.ReLU(), nn.Conv2d(64, 1, 1))
    model, most, total = VAE(nn.Sequential(nn.Flatten(), nn.Linear(784, 4)), decoder), 0, 0

    def count(_module, _inputs, output):
        nonlocal most, total
        most, total = max(most, output.numel()), total + len(output)

    decoder[0].register_forward_hook(count)
    few = binarize(blobs(2))
    estimate = metrics.nll(model, few, samples)
    assert total >= 2 * samples  # all of them were drawn
    assert 4 * most <= 2**25  # bytes
    assert metrics.elbo(model, few, samples).isfinite().all()
    assert 4 * most <= 2**25
    assert 0 < estimate.nats < 784
