"""In which precision a training computes, and that nothing of it is left behind."""

import pytest
import torch
from torch import nn
from zoo import TRAININGS, Training

from aelib.metrics import reconstructions
from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.quantizers import EMAQuantizer
from aelib.models.vqvae import small_vqvae
from aelib.training import Phase, fit
from aelib.training.optimizers import adam
from aelib.training.precision import chosen_precision, training_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")  # the settings can be made without one


def settings() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


def dense() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"ae": Autoencoder((784, 64, 8), nn.ReLU)}


@pytest.mark.parametrize(
    ("precision", "inside"), [("tf32", ("high", True)), ("bf16", ("high", True)), ("float32", ("highest", False))]
)
def test_tf32_is_allowed_on_a_gpu_while_it_trains_and_no_longer(precision, inside):
    before = settings()
    with pytest.raises(KeyError), training_precision(precision, {}, GPU):
        assert settings() == inside
        raise KeyError  # whatever ends the training
    assert settings() == before
    with training_precision(precision, {}, CPU):
        assert settings() == before


def test_the_settings_are_untouched_in_callbacks_and_after(images, monkeypatch):
    """As on a GPU: lowered in training batches, not in validation, not in callbacks, not after a failure."""
    monkeypatch.setattr("aelib.training.loop.training_precision", lambda p, m, device: training_precision(p, m, GPU))
    before, seen = settings(), {"train": set(), "validation": set(), "callback": set()}

    def objective(nets, batch):
        seen["train" if torch.is_grad_enabled() else "validation"].add(settings())
        return SquaredError()(nets, batch)

    look = [lambda end: seen["callback"].add(settings())]
    fit(dense(), Phase(objective), images, epochs=1, validation=50, callbacks=look)
    assert seen == {"train": {("high", True)}, "validation": {before}, "callback": {before}}

    def breaks(nets, batch):
        raise KeyError

    with pytest.raises(KeyError):
        fit(dense(), Phase(breaks), images, epochs=1)
    assert settings() == before


def test_bf16_trains_as_float32_does_and_evaluates_in_float32(images):
    """After three epochs the loss agrees to 2 %; the model is as exact as any other afterwards, and in callbacks."""

    def run(precision):
        nets, seen = dense(), []
        options = dict(epochs=3, batch_size=20, precision=precision, validation=20)
        look = [lambda end: seen.append(nets["ae"](images.images()).x_hat)]
        history = fit(nets, Phase(SquaredError(), adam(1e-3)), images, callbacks=look, **options)
        return nets["ae"], history, seen[-1]

    (full, expected, _), (low, history, called) = run("float32"), run("bf16")
    assert not history.value.equals(expected.value)
    assert history.value.to_list() == pytest.approx(expected.value.to_list(), rel=0.02)
    assert low.encoder[1].weight.dtype == torch.float32
    after = reconstructions(low, images)
    assert after.dtype == torch.float32
    torch.testing.assert_close(called, after, rtol=1e-6, atol=1e-6)  # bfloat16 would err by 4e-3
    assert "forward" not in vars(low)
    torch.testing.assert_close(reconstructions(full, images), after, rtol=0.1, atol=0.05)


def test_under_bf16_modules_are_low_and_terms_are_not(images):
    seen = []
    nets = dense()
    nets["ae"].encoder[1].register_forward_hook(lambda module, x, y: seen.append(y.dtype))

    def objective(nets, batch):
        terms = SquaredError()(nets, batch)
        seen.append(terms["loss"].dtype)
        return terms

    fit(nets, Phase(objective), images, epochs=1, batch_size=200, precision="bf16")
    assert seen == [torch.bfloat16, torch.float32]


def test_the_codebook_is_searched_in_float32():
    """Two vectors that bfloat16 cannot tell apart: the nearer one is found under autocast too."""
    torch.manual_seed(0)
    model = small_vqvae(EMAQuantizer(2, 4, restart=0.0), 4).eval()
    z = torch.full((1, 4, 7, 7), 1.001)
    model.encoder = nn.Sequential(nn.Identity())
    model.grid = lambda x: z
    model.quantizer.vectors.copy_(torch.tensor([[1.003] * 4, [1.001] * 4]))
    with torch.autocast("cpu", torch.bfloat16):
        assert model(torch.zeros(1, 1, 28, 28)).indices.eq(1).all()


@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_every_objective_bears_bf16(training: Training):
    """No step of the book's fails for a type, and none is far from float32's after two steps."""

    def run(precision):
        torch.manual_seed(0)
        return fit(training.make(), training.phases, training.data(), epochs=1, batch_size=30, precision=precision)

    low, full = run("bf16"), run("float32")
    losses = full.term == "loss"
    assert low.value.notna().all()
    assert low.value[losses].to_list() == pytest.approx(full.value[losses].to_list(), rel=0.1, abs=0.1)


def test_the_launcher_is_heard_and_other_precisions_are_refused(images, monkeypatch):
    assert chosen_precision(None) == "tf32"
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")  # as by accelerate launch --mixed_precision bf16
    assert chosen_precision(None) == "bf16"
    assert chosen_precision("float32") == "float32"
    launched = fit(dense(), Phase(SquaredError()), images, epochs=1)
    asked = fit(dense(), Phase(SquaredError()), images, epochs=1, precision="bf16")
    assert launched.value.equals(asked.value)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    with pytest.raises(ValueError, match=r"is \"float32\", \"tf32\" or \"bf16\"; it is 'fp16'"):
        fit(dense(), Phase(SquaredError()), images, epochs=1)
