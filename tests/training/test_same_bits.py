"""The same seed gives the same bits on a CPU, a stopped run goes on with them, and NaN ends a run: for every model."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from zoo import TRAININGS, Training

import aelib.models
from aelib.training import EpochEnd, fit

EPOCHS = 3
every_training = pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)


class Stopped(Exception):
    pass


def stop(end: EpochEnd) -> None:
    if end.epoch == 2:
        raise Stopped


def run(training: Training, seed: int = 0, **options: object) -> tuple[Mapping[str, nn.Module], pd.DataFrame]:
    torch.manual_seed(seed)
    modules = training.make()
    # 60 or 20 images: the last batch is short, and some are held out.
    fixed = dict(epochs=EPOCHS, batch_size=16, validation=7, seed=seed)
    return modules, fit(modules, training.phases, training.data(), **fixed, **options)


def bits(modules: Mapping[str, nn.Module]) -> dict[str, bytes]:
    return {f"{m}/{k}": v.numpy().tobytes() for m, module in modules.items() for k, v in module.state_dict().items()}


@every_training
def test_the_same_seed_gives_the_same_bits_stopped_or_not(training: Training, tmp_path: Path) -> None:
    modules, history = run(training)
    with pytest.raises(Stopped):
        run(training, state_file=tmp_path / "state", callbacks=[stop])
    torch.rand(5)  # what the caller draws meanwhile is of no account
    again, resumed = run(training, state_file=tmp_path / "state")
    assert bits(again) == bits(modules)
    pd.testing.assert_frame_equal(resumed, history, check_exact=True)
    other, _ = run(training, seed=1)
    assert bits(other) != bits(modules)


@every_training
def test_a_value_that_is_not_finite_stops_the_run_and_the_last_good_state_is_kept(
    training: Training, tmp_path: Path
) -> None:
    """A weight becomes NaN after the second epoch: the third stops at its first batch, and says so by name."""

    def watch(end: EpochEnd) -> None:
        if end.epoch == 2:
            good.update(bits(end.modules))
            poisoned.append(next(p for module in end.modules.values() for p in module.parameters()))

    class Poison:
        """The objective, after a weight has become NaN in epoch 3, when the state of epoch 2 has been saved."""

        def __init__(self, objective) -> None:
            self.objective = objective

        def __call__(self, nets, batch):
            if poisoned:
                with torch.no_grad():
                    poisoned[0].fill_(float("nan"))
            return self.objective(nets, batch)

    good: dict[str, bytes] = {}
    poisoned: list[nn.Parameter] = []
    first, *others = training.phases
    poisonous = (replace(first, objective=Poison(first.objective)), *others)
    state = tmp_path / "state"
    message = r"Phase '[^']+': the term '[^']+' became (nan|inf|-inf) in epoch 3, batch 1 of \d\. Lower the learning"
    with pytest.raises(FloatingPointError, match=message):
        run(Training(training.make, poisonous, training.data), state_file=state, callbacks=[watch])
    kept = {k: v for k, v in load_file(state).items() if k.startswith("module/")}
    assert {k.removeprefix("module/"): v.numpy().tobytes() for k, v in kept.items()} == good
    assert all(value.isfinite().all() for value in kept.values())


def test_every_objective_of_the_book_is_among_them() -> None:
    """Whoever adds a paper adds a line to `zoo`."""
    objectives = set()
    for info in pkgutil.iter_modules(aelib.models.__path__):
        module = importlib.import_module(f"aelib.models.{info.name}")
        for name, found in vars(module).items():
            if inspect.isclass(found) and found.__module__ == module.__name__ and not issubclass(found, nn.Module):
                calls = [vars(base)["__call__"] for base in found.__mro__ if "__call__" in vars(base)]
                if calls and list(inspect.signature(calls[0]).parameters)[1:] == ["nets", "batch"]:
                    objectives.add(name)
    used = {type(phase.objective).__name__ for training in TRAININGS.values() for phase in training.phases}
    missing = sorted(objectives - used)
    assert not missing, f'add a line "NN name": Training(…, (Phase({missing[0]}(…)),)) to tests/support/zoo.py'
