"""The standard error of a likelihood is the spread of the estimate over sets of images, however many are sampled."""

import pytest
import torch
from blobs import blobs
from torch import nn

from aelib.data import binarize
from aelib.metrics import nll
from aelib.models.vae import ELBO, DenseVAE
from aelib.training import Phase, fit
from aelib.training.optimizers import adam


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    vae = DenseVAE((64, 32, 4), nn.ReLU, (1, 8, 8))
    fit({"vae": vae}, Phase(ELBO(), adam(1e-2)), binarize(blobs(1000, 8)), epochs=6, batch_size=50)
    return vae


@pytest.mark.parametrize("on", [None, 40])
def test_the_standard_error_is_the_spread_over_sets_of_images(trained, on):
    sets = [nll(trained, binarize(blobs(100, 8, seed), seed), 50, on, seed) for seed in range(60)]
    spread = torch.tensor([one.nats for one in sets]).std().item()
    errors = torch.tensor([one.standard_error for one in sets])
    # Ten kinds of blobs occur equally often in every set: the spread is somewhat below that of chosen by chance.
    assert 0.5 * spread < errors.mean().item() < 2 * spread


def test_the_error_shrinks_with_the_images_and_grows_where_few_are_sampled(trained):
    images = binarize(blobs(1600, 8, seed=9))
    whole, quarter, some = nll(trained, images, 50), nll(trained, images[:400], 50), nll(trained, images, 50, on=40)
    assert whole.standard_error == pytest.approx(quarter.standard_error / 2, rel=0.15)
    assert whole.standard_error < some.standard_error
    assert str(whole) != f"{whole.nats:.2f} ± 0.00 nats"
