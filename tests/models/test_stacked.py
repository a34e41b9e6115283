"""The classifier on an encoder, its objective, and the training of one layer of a stack."""

import math

import pytest
import torch
from sklearn.metrics import log_loss
from torch import nn

from aelib.data import Batch
from aelib.metrics import accuracy
from aelib.models.autoencoder import SquaredError
from aelib.models.stacked import Classifier, LabelCrossEntropy, OnCodes
from aelib.training import Phase, fit
from aelib.training.optimizers import adam


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Sigmoid()), 20)


def test_untrained_it_says_one_tenth_for_every_class(classifier, small):
    loss = LabelCrossEntropy()({"classifier": classifier}, small.batch())["loss"]
    assert loss.item() == pytest.approx(math.log(10), rel=1e-6)
    assert classifier(small.images()).z.shape == (120, 20)


def test_the_loss_is_scikit_learns_and_the_error_a_percentage(classifier, small):
    nn.init.normal_(classifier.head.weight)
    batch = small.batch()
    terms = LabelCrossEntropy()({"classifier": classifier}, batch)
    probabilities = classifier(batch.x).logits.double().softmax(1).detach().numpy()
    assert terms["loss"].item() == pytest.approx(log_loss(batch.y, probabilities, labels=range(10)), rel=1e-5)
    right = (probabilities.argmax(1) == batch.y.numpy()).mean()
    assert terms["error"].item() == pytest.approx(100 * (1 - right), rel=1e-5)
    assert accuracy(classifier, small, batch_size=7).percent == pytest.approx(100 * right)


def test_fine_tuning_reaches_the_encoder_and_learns_the_labels(classifier, small):
    before = classifier.encoder[1].weight.detach().clone()
    fit({"classifier": classifier}, Phase(LabelCrossEntropy(), adam(1e-2)), small, epochs=20, batch_size=20)
    assert not torch.equal(before, classifier.encoder[1].weight)
    assert accuracy(classifier, small) == (100.0, 0.0)


class Line(nn.Module):
    """An autoencoder of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return Out(self.weight * x)


class Out:
    def __init__(self, x_hat):
        self.x_hat = x_hat


def test_a_layer_is_trained_on_the_codes_of_those_below_and_they_stay():
    below, line = nn.Linear(3, 2), Line()
    x = torch.rand(5, 3)
    loss = OnCodes(SquaredError())({"ae": line, "below": below}, Batch(x, None))["loss"]
    codes = below(x).detach()
    torch.testing.assert_close(loss, (0.25 * codes**2).sum() / 5)
    loss.backward()
    assert line.weight.grad is not None
    assert below.weight.grad is None


def test_errors_say_what_is_missing(classifier, small):
    with pytest.raises(ValueError, match="needs labels"):
        LabelCrossEntropy()({"classifier": classifier}, Batch(small.images(), None))
    with pytest.raises(ValueError, match="at least one image"):
        accuracy(classifier, small[:0])
