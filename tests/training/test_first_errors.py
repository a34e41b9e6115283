"""What a beginner gets wrong first is answered in one sentence: what was expected, what came, what to do."""

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import nn

from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.vae import ELBO
from aelib.training import EarlyStopping, Phase, fit
from aelib.training.optimizers import adam, constant


def dense() -> dict[str, nn.Module]:
    return {"ae": Autoencoder((64, 5), nn.ReLU, (1, 8, 8))}


def test_a_phase_is_given_objects_and_makers():
    parameters = [nn.Parameter(torch.zeros(1))]
    made = torch.optim.Adam(parameters)
    with pytest.raises(
        TypeError, match=r"takes an objective, e\.g\. Phase\(ELBO\(\)\), with its brackets; it got ELBO\."
    ):
        Phase(ELBO)
    with pytest.raises(
        TypeError, match=r"takes an objective, e\.g\. Phase\(ELBO\(\)\), with its brackets; it got str\."
    ):
        Phase("ELBO")
    with pytest.raises(TypeError, match=r"makes the optimizer .* e\.g\. adam\(1e-3\); its optimizer is an .* Adam\."):
        Phase(SquaredError(), made)
    with pytest.raises(TypeError, match=r"e\.g\. adam\(1e-3\); its optimizer is an object of class float\."):
        Phase(SquaredError(), 1e-3)
    with pytest.raises(TypeError, match=r"makes the schedule .* e\.g\. one_cycle\(\); its schedule is .* ConstantLR\."):
        Phase(SquaredError(), adam(1e-3), constant()(made, 1, 1))
    with pytest.raises(TypeError, match=r"names in a tuple, updates=\('ae',\); it got 'ae'\."):
        Phase(SquaredError(), updates="ae")
    assert Phase(SquaredError(), torch.optim.Adam).optimizer(parameters).defaults["lr"] == 1e-3  # a class is a maker


@pytest.mark.parametrize("compile", [False, "aot_eager"])
def test_a_module_of_another_name_is_asked_for_by_phase(small, compile):
    with pytest.raises(KeyError) as said:
        fit({"model": nn.Linear(1, 1)}, Phase(SquaredError()), small, epochs=1, batch_size=60, compile=compile)
    assert str(said.value) == (
        "Phase 'SquaredError' calls a module 'ae', and the modules of this training are ['model']: "
        "give fit the module under that name, {'ae': module}."
    )


def test_what_fit_is_given_is_checked_first(small):
    phase = Phase(SquaredError())
    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match=f"seed must be a whole number from 0 to 4294967295; it is {seed}"):
            fit(dense(), phase, small, epochs=1, seed=seed)
    with pytest.raises(TypeError, match=r"fit trains torch\.nn\.Modules; it got \{'ae': 'type'\}"):
        fit({"ae": Autoencoder}, phase, small, epochs=1)
    with pytest.raises(TypeError, match=r"fit takes phases, e\.g\. Phase\(ELBO\(\)\); it got \['SquaredError'\]"):
        fit(dense(), [SquaredError()], small, epochs=1)
    with pytest.raises(ValueError, match="waits for one epoch or more; its patience is 0"):
        EarlyStopping(0)


def test_terms_that_are_none_are_refused(small):
    def refused(objective, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            fit(dense(), Phase(objective, name="x"), small, epochs=1, batch_size=40)

    def loss(nets, batch) -> torch.Tensor:
        return SquaredError()(nets, batch)["loss"]

    class Changing:
        calls = 0

        def __call__(self, nets, batch):
            self.calls += 1
            return {"loss": loss(nets, batch)} | ({"late": 1.0} if self.calls > 1 else {})

    refused(loss, TypeError, r"phase 'x' returned a Tensor; it returns its terms by name, \{\"loss\": loss\}")
    refused(Changing(), ValueError, r"the terms \['late', 'loss'\] for one batch and \['loss'\] for another; return")
    refused(
        lambda nets, batch: {"loss": loss(nets, batch), "each": torch.zeros(40)},
        ValueError,
        r"The term 'each' of phase 'x' is one number, the mean over the batch; it got shape \(40,\)",
    )
    refused(lambda nets, batch: {"loss": loss(nets, batch), "y": None}, ValueError, "one number, .* it got NoneType")
    refused(
        lambda nets, batch: {"loss": loss(nets, batch).detach()},
        ValueError,
        r"The loss of phase 'x' depends on no parameter of \['ae'\]: compute it from",
    )


def test_an_accelerator_of_mixed_precision_made_before_is_named(small, monkeypatch):
    fit(dense(), Phase(SquaredError()), small, epochs=1)
    monkeypatch.setitem(AcceleratorState._shared_state, "_mixed_precision", "bf16")  # as by Accelerator("bf16")
    with pytest.raises(ValueError, match=r"in this process before, .* by Accelerator\(mixed_precision=\"no\"\)"):
        fit(dense(), Phase(SquaredError()), small, epochs=1)
    monkeypatch.undo()
    fit(dense(), Phase(SquaredError()), small, epochs=1)
