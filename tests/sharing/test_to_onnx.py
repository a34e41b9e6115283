"""Models as ONNX: onnxruntime gives PyTorch's answers, for batches of any size."""

import sys
from functools import partial

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.convolutional import Convolutional
from aelib.models.sparse import SparseAutoencoder
from aelib.models.sparse_activations import TopK
from aelib.models.vae import DenseVAE
from aelib.sharing.to_onnx import to_onnx
from aelib.training import Phase, fit

MODELS = {
    "dense": partial(Autoencoder, (784, 30, 5), nn.SiLU),
    "convolutional": partial(Convolutional, 6),
    "variational": partial(DenseVAE, (784, 20, 4)),
    "sparse": partial(SparseAutoencoder, 40, partial(TopK, 4), decoder="unit columns"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_onnxruntime_gives_the_answers_of_pytorch(name, images, tmp_path):
    torch.manual_seed(0)
    model = MODELS[name]()
    if name == "convolutional":  # running means and variances are part of what is exported
        fit({"ae": model}, Phase(SquaredError()), images, epochs=1, batch_size=50)
    model.train()
    differences = to_onnx(model, images[:4].images(), tmp_path)
    assert model.training
    assert set(differences) == {"encoder", "decoder"}
    assert max(differences.values()) <= 1e-4
    model.eval()
    encoder, decoder = (onnxruntime.InferenceSession(tmp_path / f"{half}.onnx") for half in ("encoder", "decoder"))
    for batch in (1, 7, 200):
        x = images[:batch].images()
        with torch.no_grad():
            z = model.encode(x)
            x_hat = model.decode(z)
        (codes,) = encoder.run(["z"], {"x": x.numpy()})
        (pictures,) = decoder.run(["x_hat"], {"z": z.numpy()})
        assert np.abs(codes - z.numpy()).max() <= 1e-5 * max(1, z.abs().max())
        assert np.abs(pictures - x_hat.numpy()).max() <= 1e-5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["decoder.onnx", "encoder.onnx"]


def test_the_files_say_what_they_are(images, tmp_path):
    to_onnx(DenseVAE((784, 20, 4)), images[:4].images(), tmp_path)
    for half, takes, gives in (("encoder", "x", "z"), ("decoder", "z", "x_hat")):
        file = onnx.load(tmp_path / f"{half}.onnx")
        assert file.producer_name == "aelib DenseVAE"
        assert [i.name for i in file.graph.input] == [takes]
        assert [o.name for o in file.graph.output] == [gives]
        assert file.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


class Hidden(Autoencoder):
    """Its decoder draws random numbers, which no export can repeat."""

    def decode(self, z: Tensor) -> Tensor:
        return super().decode(z + torch.rand_like(z))


def test_an_export_that_differs_is_not_written(images, tmp_path):
    with pytest.raises(ValueError, match=r"onnxruntime's decoder of Hidden differs from PyTorch's by .* was written"):
        to_onnx(Hidden((784, 20, 4)), images[:4].images(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_is_refused(images, tmp_path, monkeypatch):
    with pytest.raises(TypeError, match="takes a model with encode and decode; Linear has not both"):
        to_onnx(nn.Linear(2, 3), images.images(), tmp_path)
    with pytest.raises(ValueError, match="two examples or more, to see which size varies; it got 1"):
        to_onnx(DenseVAE((784, 20, 4)), images[:1].images(), tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"package 'onnxruntime' is not installed: .*aelib\[onnx\]"):
        to_onnx(DenseVAE((784, 20, 4)), images[:4].images(), tmp_path)
