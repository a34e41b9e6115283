"""A run is resumed as itself or not at all: every setting that decides what comes out is compared, and named."""

import copy
from functools import partial

import pytest
import torch
from blobs import blobs
from torch import nn

from aelib.data import ImageSet
from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.models.denoising import Denoising, Masking
from aelib.training import Fit, Phase, fit
from aelib.training.optimizers import adam, clipped, momentum_step, one_cycle, sgd
from aelib.training.recipe import differences


class Stop(Exception):
    pass


class Weighted:
    """An objective that is a plain class."""

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, nets, batch):
        return {"loss": self.weight * SquaredError()(nets, batch)["loss"]}


class LoadedJudge(Weighted):
    """An objective that holds a network."""

    def __init__(self, seed):
        super().__init__(1.0)
        torch.manual_seed(seed)
        self.judge = nn.Linear(3, 3)


def weighted(weight):
    return lambda nets, batch: Weighted(weight)(nets, batch)


def scaled(nets, batch, weight):
    return Weighted(weight)(nets, batch)


def model(activation=nn.Sigmoid, seed=0):
    torch.manual_seed(seed)
    return Autoencoder((64, 20, 3), activation, (1, 8, 8))


def phase(objective=None, optimizer=None, **more):
    return Phase(objective or SquaredError(), optimizer or adam(1e-3), name="p", **more)


def other_data():
    data = blobs(64, 8)
    return ImageSet(255 - data.x, data.y)


DIFFER = {
    "precision": ({}, {"precision": "float32"}, 'precision was "tf32" there and is "float32" here'),
    "compile": ({}, {"compile": "eager"}, 'compile was false there and is "eager" here'),
    "seed": ({}, {"seed": 1}, "seed was 0 there and is 1 here"),
    "validation": ({}, {"validation": 5}, "validation was 0 there and is 5 here"),
    "plain class": (
        {"phases": phase(Weighted(1.0))},
        {"phases": phase(Weighted(2.0))},
        "phase 'p': objective: weight was 1.0 there and is 2.0 here",
    ),
    "lambda": (
        {"phases": phase(weighted(1.0))},
        {"phases": phase(weighted(2.0))},
        "phase 'p': objective: weight was 1.0 there and is 2.0 here",
    ),
    "partial": (
        {"phases": phase(partial(scaled, weight=1.0))},
        {"phases": phase(partial(scaled, weight=2.0))},
        "phase 'p': objective: weight was 1.0 there and is 2.0 here",
    ),
    "network in an objective": (
        {"phases": phase(LoadedJudge(0))},
        {"phases": phase(LoadedJudge(1))},
        "phase 'p': objective: judge: weights: weight holds other numbers",
    ),
    "objective inside an objective": (
        {"phases": phase(Denoising(SquaredError(), Masking(0.1)))},
        {"phases": phase(Denoising(SquaredError(), Masking(0.2)))},
        "phase 'p': objective: corruption: fraction was 0.1 there and is 0.2 here",
    ),
    "clipping": (
        {"phases": phase(optimizer=clipped(sgd(0.01), 1e9))},
        {"phases": phase(optimizer=clipped(sgd(0.01), 1.0))},
        "phase 'p': optimizer: before each step 1: norm was 1000000000.0 there and is 1.0 here",
    ),
    "no clipping": (
        {"phases": phase(optimizer=clipped(sgd(0.01), 1.0))},
        {"phases": phase(optimizer=sgd(0.01))},
        "phase 'p': optimizer: before each step was",
    ),
    "learning rate": (
        {},
        {"phases": phase(optimizer=adam(1e-2))},
        "phase 'p': optimizer: lr was 0.001 there and is 0.01 here",
    ),
    "schedule": (
        {"phases": phase(schedule=one_cycle(0.3))},
        {"phases": phase(schedule=one_cycle(0.5))},
        "phase 'p': schedule: _schedule_phases 1: end_step was",
    ),
    "schedule of the momentum": (
        {"phases": phase(optimizer=sgd(0.01, 0.5), schedule=momentum_step(0.9, 1))},
        {"phases": phase(optimizer=sgd(0.01, 0.5), schedule=momentum_step(0.8, 1))},
        "phase 'p': schedule: momentum was 0.9 there and is 0.8 here",
    ),
    "what is updated": (
        {},
        {"phases": phase(updates=("ae",)), "modules": {"ae": model(), "more": nn.Linear(1, 1)}},
        "module 'more'",
    ),
    "activation": (
        {},
        {"modules": {"ae": model(nn.ReLU)}},
        'module \'ae\': parts: encoder: parts: 2 was "Sigmoid" there and is "ReLU" here',
    ),
    "data of one size": ({}, {"data": other_data()}, "data: x was"),
}


@pytest.fixture
def options():
    return {"modules": {"ae": model()}, "phases": phase(), "data": blobs(64, 8), "epochs": 3, "batch_size": 32}


@pytest.mark.parametrize("what", DIFFER)
def test_a_run_is_not_resumed_as_another(what, options, tmp_path):
    first, second, named = DIFFER[what]

    def stop(end):
        raise Stop

    def run(changes, callbacks=()):
        return fit(**options | copy.deepcopy(changes), state_file=tmp_path / "state", callbacks=callbacks)

    run({**first, "epochs": 3})
    assert len(run(first)) == 3  # itself: nothing is left to do
    with pytest.raises(ValueError, match=r"holds the state of another run") as refused:
        run(second)
    described = [Fit(**options | copy.deepcopy(changes)).description() for changes in (first, second)]
    found = differences(*described)
    assert any(named in one for one in found), found
    assert found[0][:20] in str(refused.value) or "start" in found[0]


def test_a_recipe_is_the_same_when_it_is_made_anew(options):
    """Of other objects at other addresses, with another number of threads, after a training elsewhere."""
    one = Fit(**options).description()
    again = options | {"modules": {"ae": model()}, "phases": phase(), "data": blobs(64, 8)}
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        assert differences(one, Fit(**again).description()) == []
    finally:
        torch.set_num_threads(threads)
    assert "0x" not in str(one) and "aelib" not in str(one)


def test_another_start_is_another_recipe_and_the_last_bits_are_not(options):
    one = Fit(**options).description()
    other = Fit(**options | {"modules": {"ae": model(seed=1)}}).description()
    assert any("start of 'ae': encoder.1.weight holds other numbers" in found for found in differences(one, other))
    rounded = model().half().float()  # half precision stands in for another machine's arithmetic, and is worse
    assert differences(one, Fit(**options | {"modules": {"ae": rounded}}).description()) == []


class Counting(torch.optim.SGD):
    """The rate over the step's number, kept as a plain integer, beside a tuple and a nested tensor."""

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                s = self.state[p]
                s["step"] = s.get("step", 0) + 1
                s["more"] = {"shape": tuple(p.shape), "sum": [s["step"] * torch.ones(2)], 3: None}
                with torch.no_grad():
                    p.sub_(p.grad, alpha=group["lr"] / s["step"])


def test_what_an_optimizer_keeps_beside_tensors_survives(options, tmp_path):
    made = []

    def counting(parameters):
        made.append(Counting(list(parameters), lr=0.02))
        return made[-1]

    def run(name, callbacks=()):
        state = tmp_path / name
        changes = {"modules": {"ae": model()}, "phases": Phase(SquaredError(), counting), "epochs": 5}
        return fit(**options | changes, state_file=state, callbacks=callbacks)

    def stop(end):
        if end.epoch == 2:
            raise Stop

    whole = run("whole")
    with pytest.raises(Stop):
        run("parts", [stop])
    resumed = run("parts")
    assert resumed.value.tolist() == whole.value.tolist()
    state = next(iter(made[-1].state.values()))
    assert state["step"] == 10 and state["more"]["shape"] == (20, 64) and state["more"][3] is None
    assert state["more"]["sum"][0].tolist() == [10.0, 10.0]


def test_what_a_state_file_cannot_hold_is_refused_in_words(options, tmp_path):
    class Odd(torch.optim.SGD):
        def step(self, closure=None):
            self.state[self.param_groups[0]["params"][0]]["set"] = {1, 2}

    with pytest.raises(TypeError, match=r"optimizer/0/state/0/set is a set, which a state file does not hold"):
        fit(**options | {"phases": phase(optimizer=lambda p: Odd(p, lr=0.1))}, state_file=tmp_path / "state")


def test_a_resumed_history_has_the_seconds_of_all_epochs(options, tmp_path):
    def stop(end):
        if end.epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        fit(**options, state_file=tmp_path / "state", callbacks=[stop])
    assert len(fit(**options, state_file=tmp_path / "state").attrs["seconds"]) == 3
