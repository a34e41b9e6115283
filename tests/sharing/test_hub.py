"""Shared models: the same bits after a round trip, cards that say what was measured, refusals by name."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import hub
import pytest
import torch
from huggingface_hub import ModelCard
from launching import SUPPORT
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from aelib import __version__
from aelib.likelihoods import Gaussian
from aelib.models import vae as vae_module
from aelib.models.adversarial import AdversarialAutoencoder, Discriminator
from aelib.models.autoencoder import Autoencoder, EncoderDecoder, SquaredError
from aelib.models.boltzmann import RBM
from aelib.models.convolutional import Convolutional, SuperResolution
from aelib.models.sparse import SparseAutoencoder
from aelib.models.sparse_activations import TopK
from aelib.models.stacked import Classifier
from aelib.models.vae import DenseVAE
from aelib.records.claims import Claim
from aelib.sharing import Shared, share
from aelib.training import Phase, fit
from aelib.training.optimizers import adam

VAE_ARGUMENTS = {"widths": (784, 20, 4), "activation": nn.SiLU}
MODELS = {
    "dense": (Autoencoder, {"widths": (784, 30, 5), "activation": nn.SiLU}),
    "convolutional": (Convolutional, {"latent": 6}),
    "super-resolution": (SuperResolution, {}),
    "variational": (DenseVAE, VAE_ARGUMENTS),
    "adversarial": (AdversarialAutoencoder, {"classes": 3, "hidden": (20,), "normalize": True, "dropout": 0.2}),
    "tied, sparse": (
        SparseAutoencoder,
        {"units": 40, "activation": partial(TopK, k=4, negative=True), "decoder": "tied", "output": nn.Sigmoid},
    ),
}


def vae() -> DenseVAE:
    torch.manual_seed(0)
    return DenseVAE(**VAE_ARGUMENTS)


def claim(**changes: object) -> Claim:
    told = {
        "model": "VAE",
        "dataset": "MNIST test",
        "metric": "NLL",
        "unit": "nats",
        "higher_is_better": False,
        "values": [88.0, 90.0],
        "seeds": [0, 1],
        "protocol": "5,000 samples | 784-20-4.",
        "paper": 86.76,
        "paper_source": "Burda et al. (2016), table 1",
        "target": 89.2,
    }
    return Claim("likelihood", **told | changes)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_to_the_bit(name, images, tmp_path):
    """Trained a little, so that running means and tied weights are not what a new model has."""
    made, arguments = MODELS[name]
    torch.manual_seed(0)
    model = made(**arguments)
    if name == "convolutional":
        fit({"ae": model}, Phase(SquaredError(), adam(1e-3)), images, epochs=1, batch_size=50)
    share(model, arguments).save_pretrained(tmp_path)
    again = Shared.from_pretrained(tmp_path).model
    assert type(again) is made
    assert not again.training
    x = images[:7].images()
    model.eval()
    assert torch.equal(again.encode(x), model.encode(x))
    assert torch.equal(again.decode(model.encode(x)), model.decode(model.encode(x)))
    assert again.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), model.state_dict().values(), strict=True))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_a_likelihood_is_shared_and_another_is_refused_by_name(tmp_path):
    arguments = VAE_ARGUMENTS | {"likelihood": Gaussian(0.2, "logit")}
    torch.manual_seed(0)
    model = DenseVAE(**arguments)
    share(model, arguments).save_pretrained(tmp_path)
    loaded = Shared.from_pretrained(tmp_path).model
    assert loaded.likelihood == Gaussian(0.2, "logit")
    x = torch.rand(3, 1, 28, 28)
    assert torch.equal(loaded.decode(loaded.encode(x)), model.eval().decode(model.encode(x)))
    for other in ({}, {"likelihood": Gaussian(0.3, "logit")}):
        with pytest.raises(ValueError, match=r"make another DenseVAE .*the model itself is .*sigma=0.2"):
            share(model, VAE_ARGUMENTS | other)


@pytest.mark.parametrize(
    "name", ["os.system", "aelib.likelihoods.gaussian.torch", "aelib.likelihoods.gaussian.gaussian_kl"]
)
def test_a_config_makes_no_likelihood_but_aelibs(name):
    with pytest.raises(ValueError, match="is no likelihood of aelib"):
        Shared("aelib.models.vae.DenseVAE", {"likelihood": {"likelihood": name, "arguments": {}}})


def test_a_machine_without_images_is_shared_too(tmp_path):
    rbm = RBM(20, 6, "gaussian")
    share(rbm, {"visible": 20, "hidden": 6, "units": "gaussian"}).save_pretrained(tmp_path)
    v = torch.rand(5, 20)
    assert torch.equal(Shared.from_pretrained(tmp_path).model.encode(v), rbm.encode(v))


def test_a_model_that_a_function_made_is_shared_by_the_functions_name(images, tmp_path, monkeypatch):
    """As those of chapter 5, whose class takes layers."""

    def small_vae(latent: int) -> vae_module.VAE:
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 2 * latent))
        return vae_module.VAE(encoder, nn.Sequential(nn.Linear(latent, 784), nn.Unflatten(1, (1, 28, 28))))

    small_vae.__module__, small_vae.__qualname__ = "aelib.models.vae", "small_vae"
    monkeypatch.setattr(vae_module, "small_vae", small_vae, raising=False)
    model = small_vae(3).eval()
    share(model, {"latent": 3}, made_by=small_vae).save_pretrained(tmp_path)
    x = images[:5].images()
    assert torch.equal(Shared.from_pretrained(tmp_path).model.encode(x), model.encode(x))
    with pytest.raises(ValueError, match=r"encoder\.1 is .*out_features=6,.*out_features=8,"):
        share(model, {"latent": 4}, made_by=small_vae)


def test_a_model_inside_a_model_is_shared_with_it(tmp_path):
    inner = Discriminator(6, (5,), noise=0.1)
    model = Classifier(inner, 6, 3)
    share(
        model, {"encoder": share(inner, {"inputs": 6, "hidden": (5,), "noise": 0.1}), "features": 6, "classes": 3}
    ).save_pretrained(tmp_path)
    again = Shared.from_pretrained(tmp_path).model
    x = torch.rand(4, 6)
    assert torch.equal(again.encode(x), model.eval().encode(x))
    with pytest.raises(ValueError, match=r"encoder is Discriminator\(noise=0.1\) in it and Discriminator\(noise=0.2\)"):
        share(
            model,
            {
                "encoder": share(Discriminator(6, (5,), 0.2), {"inputs": 6, "hidden": (5,), "noise": 0.2}),
                "features": 6,
                "classes": 3,
            },
        )


def test_the_shared_model_is_the_one_that_was_given_and_no_random_number_is_used(images):
    model = vae()
    state = torch.get_rng_state()
    shared = share(model, VAE_ARGUMENTS)
    assert shared.model is model
    assert torch.equal(torch.get_rng_state(), state)
    assert isinstance(shared(images[:3].images()), tuple)


def test_the_card_is_made_from_the_claims(tmp_path):
    without_target = claim(metric="ELBO", target=None, paper=None, paper_source="", values=[-95.0], seeds=[0])
    share(vae(), VAE_ARGUMENTS, [claim(), without_target]).save_pretrained(tmp_path)
    card = ModelCard.load(tmp_path / "README.md")
    row = "| 86.76 (Burda et al. (2016), table 1) | 89.0 ± 1.4, 2 seeds | worse (× 1.03) | ≤ 89.2 | met |"
    assert row in card.text
    assert "| – | -95, 1 seed | – | – | – |" in card.text
    assert r"5,000 samples \| 784-20-4." in card.text
    assert "aelib.models.vae.DenseVAE" in card.text
    assert [r.metric_value for r in card.data.eval_results] == [89.0, -95.0]
    assert card.data.license == "mit"
    assert card.data.library_name == "aelib"
    share(vae(), VAE_ARGUMENTS).save_pretrained(tmp_path / "none")
    assert "No number was recorded" in (tmp_path / "none" / "README.md").read_text(encoding="utf-8")


def test_the_claims_travel_with_the_model(tmp_path):
    share(vae(), VAE_ARGUMENTS, [claim()]).save_pretrained(tmp_path)
    again = Shared.from_pretrained(tmp_path)
    assert again.claims == [claim()]
    again.save_pretrained(tmp_path / "copy")
    for name in ("README.md", "config.json"):
        assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / name).read_bytes()
    # safetensors writes the entries of its header in any order.
    first, second = (safe_open(folder / "model.safetensors", "pt") for folder in (tmp_path, tmp_path / "copy"))
    assert first.metadata() == second.metadata()
    assert set(first.keys()) == set(second.keys())
    assert all(torch.equal(first.get_tensor(name), second.get_tensor(name)) for name in first.keys())  # noqa: SIM118


PUSH_AND_LOAD = """
import sys, torch
from aelib.sharing import Shared, share
from test_hub import VAE_ARGUMENTS, claim, vae

model = vae()
print(share(model, VAE_ARGUMENTS, [claim()]).push_to_hub("me/vae").oid)
x = torch.rand(3, 1, 28, 28)
again = Shared.from_pretrained("me/vae")
assert torch.equal(again.model.encode(x), model.encode(x))
assert again.claims == [claim()]
"""


@pytest.mark.slow
def test_a_model_is_pushed_to_a_hub_and_loaded_from_it(tmp_path):
    with hub.serving() as (address, files):
        settings = {
            "HF_ENDPOINT": address,
            "HF_HOME": str(tmp_path),
            "HF_TOKEN": "hf_test",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "0",
            "no_proxy": "127.0.0.1",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(SUPPORT), os.environ.get("PYTHONPATH", "")]),
        }
        run = [sys.executable, "-c", PUSH_AND_LOAD]
        done = subprocess.run(run, env=os.environ | settings, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert hub.COMMIT in done.stdout
    assert {"README.md", "config.json", "model.safetensors"} <= set(files)
    assert b"| met |" in files["README.md"]


def edit(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")


def test_another_format_is_refused_by_name(tmp_path):
    share(vae(), VAE_ARGUMENTS).save_pretrained(tmp_path)
    edit(tmp_path, format="aelib model 2", aelib="3.1")
    with pytest.raises(ValueError, match=rf"saved by aelib 3.1 as 'aelib model 2'; aelib {__version__} reads"):
        Shared.from_pretrained(tmp_path)


def test_weights_of_another_model_are_refused_by_name(tmp_path):
    share(vae(), VAE_ARGUMENTS).save_pretrained(tmp_path / "a")
    share(DenseVAE((784, 20, 4), nn.Tanh), {"widths": (784, 20, 4)}).save_pretrained(tmp_path / "b")
    (tmp_path / "b" / "model.safetensors").replace(tmp_path / "a" / "model.safetensors")
    with pytest.raises(ValueError, match=r"it holds the weights of .*DenseVAE"):  # of the same shapes, too
        Shared.from_pretrained(tmp_path / "a")
    foreign = load_file(tmp_path / "a" / "model.safetensors")
    save_file(foreign, tmp_path / "a" / "model.safetensors")
    with pytest.raises(ValueError, match="it holds the weights of another program's model"):
        Shared.from_pretrained(tmp_path / "a")


@pytest.mark.parametrize("missing", ["encoder.1.weight", "decoder.2.bias"])
def test_weights_that_are_not_complete_are_refused_by_name(missing, tmp_path):
    shared = share(vae(), VAE_ARGUMENTS)
    shared.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    del tensors[missing]
    save_file(tensors, file, {"aelib": shared._identity()})
    with pytest.raises(ValueError, match=missing):
        Shared.from_pretrained(tmp_path)


def test_damaged_folders_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"holds no model of aelib: its config.json is missing"):
        Shared.from_pretrained(tmp_path)
    share(vae(), VAE_ARGUMENTS).save_pretrained(tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    for broken in (b"", whole[:50], whole[:-4], b"<html>" + whole):
        (tmp_path / "model.safetensors").write_bytes(broken)
        with pytest.raises(ValueError, match=r"model.safetensors of .* is not that of"):
            Shared.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model.safetensors of .* is not that of"):
        Shared.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "aelib.models.vae.math",
        "aelib.models.vae.ELBO",
        "aelib.models.vae.mlp",
        "aelib.models.vae.VAE.encode",
        "aelib.models.boltzmann.pairwise",
        "aelib.models.none.VAE",
        "aelib.modelsish.VAE",
        "torch.nn.Linear",
        "VAE",
        "",
    ],
)
def test_a_config_calls_nothing_but_models(name, tmp_path):
    share(vae(), VAE_ARGUMENTS).save_pretrained(tmp_path)
    edit(tmp_path, model=name)
    with pytest.raises(ValueError, match=r"makes no model of aelib\.models"):
        Shared.from_pretrained(tmp_path)
    edit(tmp_path, model="aelib.models.vae.DenseVAE", arguments={"activation": {"class": "subprocess.Popen"}})
    with pytest.raises(ValueError, match=r"subprocess\.Popen makes no model of aelib\.models or torch\.nn"):
        Shared.from_pretrained(tmp_path)


def test_arguments_of_another_version_are_refused_by_name(tmp_path):
    share(vae(), VAE_ARGUMENTS).save_pretrained(tmp_path)
    edit(tmp_path, arguments={"widths": [784, 4], "flow": 3}, aelib="9.0")
    with pytest.raises(ValueError, match=r"cannot be called with .*'flow'.* aelib 9.0"):
        Shared.from_pretrained(tmp_path)


def test_arguments_that_make_another_model_are_refused_by_name():
    with pytest.raises(ValueError, match=r"encoder\.2 is SiLU\(inplace=False\) in it and Tanh\(\) by the arguments"):
        share(vae(), VAE_ARGUMENTS | {"activation": nn.Tanh})
    with pytest.raises(ValueError, match=r"encoder\.1 is Linear\(.*out_features=20.*out_features=21"):
        share(vae(), VAE_ARGUMENTS | {"widths": (784, 21, 4)})
    with pytest.raises(ValueError, match=r"encoder\.10 is Linear\(.*out_features=6,.*out_features=7,"):
        share(Convolutional(6), {"latent": 7})
    arguments = {"units": 40, "activation": partial(TopK, k=5)}
    with pytest.raises(ValueError, match=r"encoder\.2 is TopK\(k=4, negative=False\) in it and TopK\(k=5"):
        share(SparseAutoencoder(40, lambda: TopK(4)), arguments)


def test_what_cannot_be_written_down_is_refused():
    with pytest.raises(ValueError, match=r"'activation' cannot be written down as JSON: .*functools.partial"):
        share(vae(), VAE_ARGUMENTS | {"activation": lambda: nn.SiLU()})
    net = EncoderDecoder(nn.Sequential(nn.Flatten()), nn.Sequential(nn.Unflatten(1, (1, 28, 28))))
    with pytest.raises(ValueError, match="'encoder' cannot be written down"):
        share(net, {"encoder": net.encoder, "decoder": net.decoder})
    with pytest.raises(ValueError, match=r"torch.nn.modules.linear.Linear makes no model of aelib.models"):
        share(nn.Linear(2, 3), {"in_features": 2, "out_features": 3})
