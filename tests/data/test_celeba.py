"""The loader of CelebA on a stand-in: a folder of the same layout with a dozen plain images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import CelebA

from aelib.data import DataError, celeba
from aelib.models.beta_vae import compact_vae, traverse
from aelib.models.vae import ELBO
from aelib.plots import image_rows
from aelib.training import Phase, fit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As torchvision unpacks it; without checksums, which no stand-in can have."""
    monkeypatch.setattr(CelebA, "file_list", [(None, None, name) for _, _, name in CelebA.file_list])
    home = tmp_path / "celeba"
    (home / "img_align_celeba").mkdir(parents=True)
    names = [f"{i + 1:06d}.jpg" for i in range(12)]
    for i, name in enumerate(names):
        pixels = np.full((218, 178, 3), 255, np.uint8)  # white above and below
        pixels[20:198] = (20 * i, 90, 30)  # the square that is cropped: its red says which image it is
        Image.fromarray(pixels).save(home / "img_align_celeba" / name, quality=95)

    def table(file: str, rows: list[str], head: tuple[str, ...] = ()) -> None:
        (home / file).write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")

    table("list_eval_partition.txt", [f"{name} {0 if i < 8 else i % 2 + 1}" for i, name in enumerate(names)])
    table("identity_CelebA.txt", [f"{name} {100 + i}" for i, name in enumerate(names)])
    table("list_attr_celeba.txt", [f"{name} 1 -1" for name in names], ("12", "Smiling Young"))
    table("list_bbox_celeba.txt", [f"{name} 0 0 10 10" for name in names], ("12", "image_id x_1 y_1 width height"))
    points = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
    table("list_landmarks_align_celeba.txt", [f"{name} " + "1 " * 9 + "1" for name in names], ("12", points))
    return tmp_path


def test_faces_are_cropped_resized_and_split(folder):
    train, everything = celeba(folder=folder), celeba("all", folder=folder)
    assert train.x.shape == (8, 3, 64, 64)
    assert train.x.dtype == torch.uint8
    assert train.y.tolist() == list(range(100, 108))
    assert len(everything) == 12
    red = everything.x[:, 0].float().mean((1, 2))
    torch.testing.assert_close(red, 20.0 * torch.arange(12), atol=6, rtol=0)
    assert len(celeba("valid", folder=folder)) == len(celeba("test", folder=folder)) == 2
    assert len(celeba(limit=3, folder=folder, size=32)) == 3


def test_the_cache_folder_is_the_default(folder, monkeypatch):
    monkeypatch.setenv("AELIB_DATA", str(folder))
    assert len(celeba(limit=2)) == 2


def test_the_same_traversal_runs_on_faces(folder):
    faces = celeba(folder=folder)
    torch.manual_seed(0)
    model = compact_vae(latent=6, channels=3)
    fit({"vae": model}, Phase(ELBO(beta=4)), faces, epochs=1, batch_size=4)
    z = model.encode(faces.images()[:1])[0].detach()
    rows = traverse(model, z, [0, 3], torch.linspace(-2, 2, 5))
    assert rows.shape == (2, 5, 3, 64, 64)
    figure = image_rows({"latent 0": rows[0], "latent 3": rows[1]})
    assert figure.axes[0].get_images()[0].get_array().shape == (64, 64, 3)


def test_without_the_data_the_error_says_where_to_put_them(tmp_path):
    with pytest.raises(DataError, match=r"celeba does not hold CelebA .*img_align_celeba"):
        celeba(folder=tmp_path)
    with pytest.raises(ValueError, match="limit must be 1 or more"):
        celeba(limit=0, folder=tmp_path)
