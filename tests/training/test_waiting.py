"""No training step waits for a GPU: shown on a pretended one, by counting on a CPU, and on a real one if there is."""

import pytest
import torch
from blobs import blobs
from torch import nn
from waiting import PretendedGPU, waits_of
from zoo import TRAININGS, Training

from aelib.data import Binarized, Grids, ImageSet, Sprites
from aelib.training import fit
from aelib.training.steps import PhaseAtWork

# An LSTM over sentences needs their lengths on the host, and a batch is as wide as the longest of them.
LOOKS_AT_LENGTHS = {"07 words", "07 attention", "07 sentiment"}
# Kernels and backward passes inside of the objective, which ask for a real device: counted on a CPU alone.
NEEDS_A_DEVICE = {"08 contractive, deep", "08 contractive, reconstruction", "10 states of rows", "10 code of rows"}
silent = pytest.mark.parametrize(
    "training",
    [t for name, t in TRAININGS.items() if name not in LOOKS_AT_LENGTHS],
    ids=[name for name in TRAININGS if name not in LOOKS_AT_LENGTHS],
)


def at_work(training: Training, modules: dict[str, nn.Module], device: torch.device) -> list[PhaseAtWork]:
    return [PhaseAtWork(phase, modules, modules, 10, 5, device, compile=False) for phase in training.phases]


def test_the_counter_counts() -> None:
    x = torch.arange(6.0)
    looks = {
        "item": lambda: x.sum().item(),
        "bool": lambda: bool(x.any()),
        "mask": lambda: x[x > 2],
        "put": lambda: x.clone().__setitem__(x > 2, x[:3]),
        "nonzero": lambda: x.nonzero(),
        "bincount": lambda: torch.bincount(x.long()),
        "list": lambda: x.tolist(),
        "cpu": lambda: x.cpu(),
        "new": lambda: torch.tensor([1.0]),
    }
    assert {name: len(waits_of(look)) for name, look in looks.items()} == dict.fromkeys(looks, 1)
    assert waits_of(lambda: torch.where(x > 2, x, 0).sum()[None].expand(3)) == []
    gpu = PretendedGPU()
    y = gpu.tensor(x)
    with gpu.mode:
        assert waits_of(lambda: x.to(gpu.device)) == ["aten::_to_copy from cpu to cuda:0"]
        assert waits_of(lambda: y.to("cpu")) == ["aten::_to_copy from cuda:0 to cpu"]
        with pytest.raises(RuntimeError, match=r"cuda:0 and cpu"):
            y + torch.ones(6)


@pytest.mark.parametrize(
    "training",
    [t for name, t in TRAININGS.items() if name not in LOOKS_AT_LENGTHS | NEEDS_A_DEVICE],
    ids=[name for name in TRAININGS if name not in LOOKS_AT_LENGTHS | NEEDS_A_DEVICE],
)
def test_a_step_on_a_pretended_gpu_stays_there(training: Training) -> None:
    """The batch, every objective and every optimizer: nothing is made elsewhere, sent, or looked at."""
    torch.manual_seed(0)
    gpu = PretendedGPU()
    modules, data = gpu.modules(training.make()), gpu.data(training.data())
    with gpu.mode:
        phases, index = at_work(training, modules, gpu.device), torch.arange(16, device=gpu.device)

        def step() -> None:
            batch = data.batch(index)
            for phase in phases:
                terms = phase.terms(batch, compiled=False)
                assert torch.stack([*terms.values()]).device == gpu.device
                # The backward pass needs a real device; the next test takes it.
                for parameter in (p for module in modules.values() for p in module.parameters()):
                    parameter.grad = torch.zeros_like(parameter)
                phase.optimizer.step()
                phase.scheduler.step()

        assert waits_of(step) == []


@silent
def test_an_epoch_waits_as_often_with_many_batches_as_with_few(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("likelihoods.bernoulli", "likelihoods.categorical", "models.quantizers", "models.recurrent"):
        monkeypatch.setattr(f"aelib.{module}.reading_is_free", lambda x: False)  # as on a GPU

    def waits(batch_size: int) -> list[str]:
        torch.manual_seed(0)
        modules, data = training.make(), training.data()
        return waits_of(lambda: fit(modules, training.phases, data, epochs=1, batch_size=batch_size))

    few, many = waits(10), waits(5)  # of 20 or 60 examples
    assert len(many) == len(few), many


@pytest.mark.parametrize(
    "data",
    [
        blobs(30, 8),
        Binarized(blobs(30, 8)),
        Sprites(torch.arange(30)),
        Grids(torch.zeros(30, 5, 1).long(), torch.arange(30)),
    ],
    ids=lambda data: type(data).__name__,
)
def test_a_batch_is_made_where_the_data_are(data: ImageSet) -> None:
    gpu = PretendedGPU()
    there = gpu.data(data)
    with gpu.mode:
        index = torch.arange(16, device=gpu.device)
        assert waits_of(lambda: there.batch(index)) == []
        assert {part.device for part in there.batch(index) if part is not None} == {gpu.device}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_no_step_on_a_gpu_waits() -> None:
    device = torch.device("cuda")
    index = torch.arange(16, device=device)
    for training in (training for name, training in TRAININGS.items() if name not in LOOKS_AT_LENGTHS):
        torch.manual_seed(0)
        modules = {name: module.to(device) for name, module in training.make().items()}
        data, phases = training.data().to(device), at_work(training, modules, device)
        try:
            for mode in ("default", "error"):  # the first step loads kernels
                torch.cuda.set_sync_debug_mode(mode)
                for phase in phases:
                    phase.terms(data.batch(index), compiled=False)["loss"].backward()
                    phase.optimizer.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
