"""The row autoencoder: shapes, what may depend on what, and that it learns."""

import pytest
import torch

from aelib.models.autoencoder import SquaredError
from aelib.models.rows import RowReader, RowWriter, row_autoencoder
from aelib.nets import count_parameters
from aelib.optimizers import adam
from aelib.training import Phase, fit


def test_shapes_and_parameters():
    model = row_autoencoder()
    x = torch.rand(3, 1, 28, 28)
    assert model.encode(x).shape == (3, 64)
    assert model(x).x_hat.shape == x.shape
    reader = 4 * 128 * (28 + 128 + 2) + 128 * 64 + 64
    writer = 4 * 128 * (64 + 128 + 2) + 128 * 28 + 28
    assert count_parameters(model) == reader + writer


def test_a_row_is_written_before_the_rows_below_are_thought_of_and_all_see_the_code():
    torch.manual_seed(0)
    z = torch.randn(1, 5)
    writer = RowWriter(5, 8, 6, rows=4)
    jacobian = torch.func.jacrev(lambda code: writer(code)[0, 0])(z)[:, :, 0]  # (rows, columns, latent)
    assert jacobian.abs().sum((1, 2)).gt(0).all()
    short = RowWriter(5, 8, 6, rows=2)
    short.load_state_dict(writer.state_dict())
    torch.testing.assert_close(short(z), writer(z)[:, :, :2])


def test_the_code_has_seen_every_row():
    torch.manual_seed(0)
    reader = RowReader(6, 8, 5)
    jacobian = torch.func.jacrev(lambda x: reader(x)[0])(torch.rand(1, 1, 4, 6))[:, 0, 0]  # (latent, rows, columns)
    assert jacobian.abs().sum((0, 2)).gt(0).all()


def test_nothing_goes_around_the_code():
    model = row_autoencoder(latent=3, hidden=8, shape=(1, 8, 8))
    x = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(model(x).x_hat, model.decode(model.encode(x)))


def test_it_learns(small):
    torch.manual_seed(0)
    model = row_autoencoder(latent=8, hidden=32, shape=(1, 8, 8))
    losses = fit({"ae": model}, Phase(SquaredError(), adam(1e-2)), small, epochs=15, batch_size=20).value
    assert losses.iloc[-1] < 0.3 * losses.iloc[0]


def test_color_and_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"gray images, \(1, H, W\); it got the shape \(3, 8, 8\)"):
        row_autoencoder(shape=(3, 8, 8))
    with pytest.raises(ValueError, match="batch of images of shape"):
        row_autoencoder().encode(torch.rand(2, 1, 8, 8))
