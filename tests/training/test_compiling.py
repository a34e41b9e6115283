"""Compiled phases: the history and the weights of a run without, one graph a phase, and clear errors."""

from dataclasses import replace
from pathlib import Path
from shutil import which

import pandas as pd
import pytest
import torch
import torch._inductor.config
from blobs import blobs
from safetensors.torch import load_file
from torch import nn
from torch._dynamo.utils import counters
from zoo import TRAININGS, Training

from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.quantizers import EMAQuantizer
from aelib.models.vqvae import VQLoss, small_vqvae
from aelib.training import Phase, fit
from aelib.training.compiling import check_compile
from aelib.training.optimizers import sgd
from aelib.training.phases import Modules

CPU = torch.device("cpu")
# Follows a program as compile=True does, and then runs PyTorch's own kernels: the same bits, and no C++ compiler.
TRACED = "aot_eager"
needs_a_compiler = pytest.mark.skipif(
    not any(map(which, ("g++", "clang++", "c++"))), reason="needs a C++ compiler such as g++"
)
# The compiler's own generator draws other noise, and leaves out what nothing depends on.
SAME_NOISE = torch._inductor.config.patch(fallback_random=True)
OFTEN = {"00 dense, squared error", "04 VAE", "06 labels", "07 words", "08 codebook by averages"}
SENTENCES = {"07 words", "07 attention", "07 sentiment"}


def run(training: Training, **options: object) -> tuple[Modules, pd.DataFrame]:
    torch.manual_seed(0)
    modules = training.make()
    fixed = dict(epochs=2, batch_size=6, validation=3)  # 17 or 57 are left: the last batch is short
    return modules, fit(modules, training.phases, training.data(), **fixed | options)


def weights(modules: Modules) -> dict[str, torch.Tensor]:
    return {f"{m}/{k}": v for m, module in modules.items() for k, v in module.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", [n if n in OFTEN else pytest.param(n, marks=pytest.mark.long) for n in TRAININGS])
def test_a_phase_is_one_graph_that_computes_the_same(name: str) -> None:
    """Nothing in a step makes the compiler give up; the short last batch and the validation ask for no other graph."""
    modules, history = run(TRAININGS[name])
    counters.clear()
    with SAME_NOISE:
        others, compiled = run(TRAININGS[name], compile=TRACED)
    if name not in SENTENCES:  # of every length: several graphs, with Python between them
        assert not counters["graph_break"]
        assert counters["stats"]["unique_graphs"] == len(TRAININGS[name].phases)
    pd.testing.assert_frame_equal(compiled, history, rtol=1e-5)
    torch.testing.assert_close(weights(others), weights(modules), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_more_than_eight_networks_are_compiled_in_one_process(small) -> None:
    """torch.compile keeps eight graphs of a piece of code, and then no longer compiles it."""
    counters.clear()
    for width in range(2, 12):
        ae = Autoencoder((64, width), nn.ReLU, (1, 8, 8))
        fit({"ae": ae}, Phase(SquaredError()), small, epochs=1, batch_size=60, compile=TRACED)
    assert counters["stats"]["unique_graphs"] == 10


@pytest.mark.slow
def test_a_compiled_run_is_resumed_and_repeated_with_the_same_bits(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(end) -> None:
        if end.epoch == 1:
            raise Stopped

    training, options = TRAININGS["04 VAE"], dict(compile=TRACED, epochs=3)
    modules, history = run(training, **options)
    with pytest.raises(Stopped):
        run(training, state_file=tmp_path / "state", callbacks=[stop], **options)
    again, resumed = run(training, state_file=tmp_path / "state", **options)
    pd.testing.assert_frame_equal(resumed, history, check_exact=True)
    assert all(torch.equal(v, weights(modules)[k]) for k, v in weights(again).items())


def test_a_loss_that_is_not_finite_is_named_and_the_last_good_state_kept(small, tmp_path: Path) -> None:
    class Spoiled(SquaredError):
        def __call__(self, nets, batch):
            terms = super().__call__(nets, batch)
            return terms | {"loss": terms["loss"] * nets["weight"].factor}

    def spoil(end) -> None:
        if end.epoch == 2:
            good.update({f"module/ae/{k}": v.clone() for k, v in ae.state_dict().items()})
            weight.factor.fill_(float("nan"))

    ae, weight, state = Autoencoder((64, 5), nn.ReLU, (1, 8, 8)), nn.Module(), tmp_path / "state"
    weight.register_buffer("factor", torch.ones(()))
    good: dict[str, torch.Tensor] = {}
    phase, options = Phase(Spoiled(), updates=("ae",), name="spoiled"), dict(epochs=3, batch_size=24, compile=TRACED)
    with pytest.raises(FloatingPointError, match=r"'spoiled': the term 'loss' became nan in epoch 3, batch 1 of 5"):
        fit({"ae": ae, "weight": weight}, phase, small, state_file=state, callbacks=[spoil], **options)
    kept = load_file(state)
    assert all(torch.equal(kept[name], value) for name, value in good.items())
    assert good


@pytest.mark.long
@needs_a_compiler
@pytest.mark.parametrize(
    "name", ["01 dense, cross-entropy", "04 VAE, gray pixels", "08 codebook by averages", "06 labels"]
)
def test_compiled_kernels_agree_with_pytorchs(name: str) -> None:
    phases = tuple(replace(phase, optimizer=sgd(1e-3)) for phase in TRAININGS[name].phases)  # Adam enlarges rounding
    training = replace(TRAININGS[name], phases=phases)
    modules, history = run(training, epochs=1)
    with SAME_NOISE:
        others, compiled = run(training, epochs=1, compile=True)
    pd.testing.assert_frame_equal(compiled, history, rtol=1e-4)
    torch.testing.assert_close(weights(others), weights(modules), rtol=1e-3, atol=1e-5)


def test_a_compiled_codebook_revives_its_dead_codes() -> None:
    model = small_vqvae(EMAQuantizer(64, 4), 4)
    model.quantizer.vectors += 100  # nothing is near them
    before = model.codebook.clone()
    fit({"ae": model}, Phase(VQLoss(codebook=0)), blobs(16), epochs=1, batch_size=16, compile=TRACED)
    assert (model.codebook - before).abs().amin(1).gt(50).all()


def test_an_objective_that_cannot_be_compiled_is_named(small) -> None:
    """A gradient inside of the loss, taken by torch.autograd.grad, would be differentiated twice."""

    def penalized(nets, batch):
        x = batch.x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(nets["ae"](x).z.sum(), x, create_graph=True)
        return {"loss": slope.square().sum()}

    phase, options = Phase(penalized), dict(epochs=1, batch_size=60)
    fit({"ae": Autoencoder((64, 5), nn.ReLU, (1, 8, 8))}, phase, small, **options)
    with pytest.raises(RuntimeError, match=r"Phase 'penalized' cannot be compiled \(.+\): leave compile away for this"):
        fit({"ae": Autoencoder((64, 5), nn.ReLU, (1, 8, 8))}, phase, small, compile=TRACED, **options)


def test_what_cannot_be_compiled_is_refused(small, monkeypatch: pytest.MonkeyPatch) -> None:
    ae = {"ae": Autoencoder((64, 5), nn.ReLU, (1, 8, 8))}
    with pytest.raises(ValueError, match=r"torch.compile's backends, .*'inductor'.*; it is 'gcc'"):
        fit(ae, Phase(SquaredError()), small, epochs=1, compile="gcc")
    with pytest.raises(ValueError, match="works in one process; this training runs on 4"):
        check_compile(True, CPU, 4)
    check_compile(False, CPU, 4)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ValueError, match=r"needs a C\+\+ compiler; g\+\+ or clang\+\+ or .* is not found. Install"):
        fit(ae, Phase(SquaredError()), small, epochs=1, compile=True)
