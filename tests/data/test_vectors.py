"""Vectors: what `fit` asks of a data set, and what is refused."""

import pytest
import torch
from torch import nn

from aelib.data import Vectors
from aelib.models.autoencoder import EncoderDecoder, SquaredError
from aelib.training import Phase, fit
from aelib.training.optimizers import adam


def test_a_batch_is_rows_without_labels():
    x = torch.arange(12.0).view(6, 2)
    batch = Vectors(x).batch(torch.tensor([4, 0]))
    assert torch.equal(batch.x, x[[4, 0]])
    assert batch.y is None
    assert len(Vectors(x).to("cpu")) == 6


def test_a_linear_autoencoder_finds_the_line_that_points_lie_on():
    torch.manual_seed(0)
    x = torch.randn(400, 1) * torch.tensor([[3.0, 4.0]]) / 5
    line = EncoderDecoder(nn.Sequential(nn.Linear(2, 1)), nn.Sequential(nn.Linear(1, 2)), (2,))
    line.output = nn.Identity()
    history = fit({"ae": line}, Phase(SquaredError(), adam(0.02)), Vectors(x), epochs=30, batch_size=20)
    assert history.value.iloc[-1] < 1e-3


@pytest.mark.parametrize("x", [torch.zeros(3), torch.zeros(3, 2, 2), torch.zeros(3, 2, dtype=torch.int64)])
def test_what_is_no_float_matrix_is_refused(x):
    with pytest.raises(ValueError, match=r"Vectors are a float matrix \(N, d\); got"):
        Vectors(x)
