"""The whole path as one file: raw rows, windows and pictures go in, and the scores are PyTorch's."""

from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from torch import nn

from aelib.data import series, table
from aelib.likelihoods import Bernoulli, Gaussian, Mixed, gaussian_kl_terms
from aelib.likelihoods.surprise import surprise
from aelib.models.autoencoder import Autoencoder
from aelib.models.sized import conv_vae, row_vae, sequence_autoencoder
from aelib.sharing import Shared, share
from aelib.sharing.path_to_onnx import Scored, path_to_onnx


def answer(file: Path, raw: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(["score"], {"raw": raw})[0]


def people() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": random.integers(18, 90, 60),
            "income": np.where(random.random(60) < 0.2, np.nan, random.lognormal(3, 1, 60)),
            "town": random.choice(["Bergen", "Oslo"], 60),
            "smoker": random.random(60) < 0.3,
        }
    )


@pytest.mark.slow
def test_raw_rows_of_a_table(tmp_path: Path) -> None:
    found = table(people())
    torch.manual_seed(0)
    vae = row_vae(found.columns.width, 2, Mixed(found.columns.blocks), show=False).eval()
    raw = torch.from_numpy(found.columns.raw(people()))
    path_to_onnx(Scored(vae, found.columns), raw, tmp_path / "own" / "score.onnx")
    scores = answer(tmp_path / "own" / "score.onnx", raw.numpy()[:7])
    with torch.no_grad():
        wanted = surprise(vae, found.columns.transform(people()))
    np.testing.assert_allclose(scores, wanted[:7], rtol=1e-4, atol=1e-4)
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["score.onnx"]


@pytest.mark.slow
def test_pictures_as_bytes_and_windows(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pictures = torch.randint(0, 256, (6, 3, 9, 11), dtype=torch.uint8)
    vae = conv_vae((3, 9, 11), 2, width=4, show=False).eval()
    path_to_onnx(Scored(vae), pictures, tmp_path / "pictures.onnx")
    with torch.no_grad():
        wanted = surprise(vae, pictures / 255)
    np.testing.assert_allclose(answer(tmp_path / "pictures.onnx", pictures.numpy()[2:3]), wanted[2:3], rtol=1e-4)

    values = 100 + 7 * torch.randn(80, 2)
    found = series(values, 8)
    lstm = sequence_autoencoder((8, 2), 2, hidden=4, show=False).eval()
    raw = values.unfold(0, 8, 8).transpose(1, 2)  # (10, 8, 2)
    path_to_onnx(Scored(lstm, found.scaling), raw, tmp_path / "windows.onnx", tolerance=1e-4)
    with torch.no_grad():
        wanted = surprise(lstm, found.scaling.windows(values, stride=8).batch().x)
    np.testing.assert_allclose(answer(tmp_path / "windows.onnx", raw.numpy()), wanted, rtol=1e-3, atol=1e-3)


def test_what_surprise_is() -> None:
    x = torch.rand(5, 1, 8, 8)
    plain = Autoencoder((64, 2), shape=(1, 8, 8))
    torch.testing.assert_close(surprise(plain, x), -Bernoulli().log_prob(plain(x).logits, x))
    vae = conv_vae((1, 8, 8), 2, width=4, likelihood=Gaussian(), show=False)
    mu, logvar = vae.posterior(x)
    wanted = -Gaussian().log_prob(vae.decoder(mu), x) + gaussian_kl_terms(mu, logvar).sum(1)
    torch.testing.assert_close(surprise(vae, x), wanted)
    with pytest.raises(TypeError, match="Linear lacks one"):
        surprise(nn.Linear(2, 2), torch.rand(3, 2))


def test_one_example_is_too_few(tmp_path: Path) -> None:
    vae = conv_vae((1, 8, 8), 2, width=4, show=False)
    with pytest.raises(ValueError, match="needs two examples or more"):
        path_to_onnx(Scored(vae), torch.rand(1, 1, 8, 8), tmp_path / "score.onnx")


def test_a_model_is_kept_with_its_datas_transform(tmp_path: Path) -> None:
    found = table(people())
    arguments = {"width": found.columns.width, "latent": 2, "likelihood": Mixed(found.columns.blocks), "show": False}
    vae = row_vae(**arguments).eval()
    share(vae, arguments, made_by=row_vae, transform=found.columns).save_pretrained(tmp_path / "rows")
    again = Shared.from_pretrained(tmp_path / "rows")
    assert again.transform == found.columns
    x = again.transform.transform(people())
    assert torch.equal(again.model.encode(x), vae.encode(found.columns.transform(people())))
    scaling = series(np.arange(50.0), 8).scaling
    arguments = {"shape": (8, 1), "latent": 2, "hidden": 4, "show": False}
    model = sequence_autoencoder(**arguments)
    share(model, arguments, made_by=sequence_autoencoder, transform=scaling).save_pretrained(tmp_path / "series")
    assert Shared.from_pretrained(tmp_path / "series").transform == scaling
    without = share(model, arguments, made_by=sequence_autoencoder)
    assert without.transform is None and "transform" not in without._identity()
    config = (tmp_path / "series" / "config.json").read_text()
    (tmp_path / "series" / "config.json").write_text(config.replace('"Scaling"', '"os.system"'))
    with pytest.raises(ValueError, match="transform of a Columns or a Scaling"):
        Shared.from_pretrained(tmp_path / "series")
