"""The training loop: the same bits from the same seed, resumed or not, on one process or two; clear errors."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from launching import SUPPORT
from safetensors.torch import load_file
from torch import nn

from aelib.data import Batch, ImageSet
from aelib.models.autoencoder import Autoencoder, CrossEntropy, SquaredError
from aelib.models.boltzmann import RBM, ContrastiveDivergence
from aelib.models.convolutional import Convolutional
from aelib.training import EarlyStopping, Phase, fit
from aelib.training.optimizers import adam, adamw, constant, momentum_step, one_cycle, sgd

TWO = SUPPORT / "two_processes.py"


def model(seed: int = 0, latent: int = 3) -> Autoencoder:
    torch.manual_seed(seed)
    return Autoencoder((64, 20, latent), nn.Sigmoid, (1, 8, 8))


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_one_step_is_the_textbooks(small):
    """Full batch, plain gradient descent: the same as three lines of PyTorch."""
    ours, theirs = model(), model()
    fit({"ae": ours}, Phase(SquaredError(), sgd(0.01)), small, epochs=1, batch_size=120)
    x = small.images()
    loss = (theirs(x).x_hat - x).square().sum() / 120
    loss.backward()
    with torch.no_grad():
        for p in theirs.parameters():
            p -= 0.01 * p.grad
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_training_lowers_the_error(small):
    history = fit({"ae": model()}, Phase(CrossEntropy(), adam(1e-2)), small, epochs=20, batch_size=20)
    errors = history[history.term == "squared error"].value
    assert errors.iloc[-1] < 0.5 * errors.iloc[0]
    assert list(history.columns) == ["epoch", "split", "phase", "term", "value"]
    assert len(history.attrs["seconds"]) == 20


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(small):
    def run(seed: int) -> tuple[nn.Module, pd.DataFrame]:
        ae = model()
        return ae, fit({"ae": ae}, Phase(SquaredError(), adamw(1e-2)), small, epochs=2, batch_size=16, seed=seed)

    (a, first), (b, second), (c, _) = run(1), run(1), run(2)
    assert same(a, b)
    pd.testing.assert_frame_equal(first, second)
    assert not same(a, c)


def test_the_callers_random_state_is_left_alone(small):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    ae = Autoencoder((64, 5, 2), shape=(1, 8, 8))
    torch.manual_seed(5)
    fit({"ae": ae}, Phase(SquaredError()), small, epochs=1)
    assert torch.equal(torch.rand(3), expected)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("schedule", [constant, one_cycle, momentum_step])
def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(small, tmp_path, schedule):
    """With noise in the objective (the RBM samples), momentum, a schedule and a validation split."""

    def run(state_file: Path, stop_after: int | None = None) -> tuple[nn.Module, pd.DataFrame]:
        torch.manual_seed(0)
        rbm = RBM(64, 10)

        def interrupt(end) -> None:
            if end.epoch == stop_after:
                raise Interrupted

        phase = Phase(ContrastiveDivergence(), sgd(0.1, momentum=0.5), schedule(), updates=("rbm",))
        nets = {"rbm": rbm, "below": nn.Flatten()}
        options = dict(epochs=7, batch_size=25, seed=3, validation=20, state_file=state_file)
        return rbm, fit(nets, phase, small, callbacks=[interrupt], **options)

    whole, history = run(tmp_path / "whole.safetensors")
    for stop in (3, 6):
        with pytest.raises(Interrupted):
            run(tmp_path / "parts.safetensors", stop)
    parts, resumed = run(tmp_path / "parts.safetensors")
    assert same(whole, parts)
    pd.testing.assert_frame_equal(history, resumed)
    again, finished = run(tmp_path / "parts.safetensors")  # nothing is left to do
    assert same(whole, again)
    pd.testing.assert_frame_equal(history, finished)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["parts.safetensors", "whole.safetensors"]


def test_a_state_of_another_run_is_refused_by_name(small, tmp_path):
    file = tmp_path / "state.safetensors"
    phase = Phase(SquaredError())
    fit({"ae": model()}, phase, small, epochs=1, state_file=file)
    with pytest.raises(ValueError, match=r"epochs was 1 there and is 2 here"):
        fit({"ae": model()}, phase, small, epochs=2, state_file=file)
    with pytest.raises(ValueError, match=r"module 'ae': parts: .* out_features was 3 there and is 4 here"):
        fit({"ae": model(latent=4)}, phase, small, epochs=1, state_file=file)
    with pytest.raises(ValueError, match=r"phases was"):
        fit({"ae": model()}, Phase(CrossEntropy()), small, epochs=1, state_file=file)


def test_a_damaged_state_is_refused_by_name(small, tmp_path):
    file = tmp_path / "state.safetensors"
    fit({"ae": model()}, Phase(SquaredError()), small, epochs=1, state_file=file)
    whole = file.read_bytes()
    for broken in (b"", whole[:100], whole[:-10], b"<html>" + whole):
        file.write_bytes(broken)
        with pytest.raises(ValueError, match=r"state.safetensors is no readable training state"):
            fit({"ae": model()}, Phase(SquaredError()), small, epochs=1, state_file=file)


def test_validation_examples_are_never_trained_on(small):
    class Seen:
        def __init__(self) -> None:
            self.train, self.validation = set(), set()

        def __call__(self, nets, batch: Batch):
            seen = self.train if nets["ae"].training else self.validation
            seen |= set(batch.y.tolist())
            return SquaredError()(nets, batch)

    seen = Seen()
    numbered = ImageSet(small.x, torch.arange(len(small)))
    history = fit({"ae": model()}, Phase(seen), numbered, epochs=2, validation=30)
    assert len(seen.validation) == 30
    assert len(seen.train) == 90
    assert not seen.train & seen.validation
    assert set(history.split) == {"train", "validation"}


def test_the_history_is_the_mean_over_examples_also_with_a_short_last_batch(small):
    ae = model()
    frozen = Phase(SquaredError(), sgd(0.0))
    history = fit({"ae": ae}, frozen, small, epochs=1, batch_size=50)  # 50, 50, 20
    x = small.images()
    with torch.no_grad():
        expected = (ae(x).x_hat - x).square().sum() / 120
    assert history.value.iloc[0] == pytest.approx(expected.item(), rel=1e-5)


def test_a_phase_changes_only_its_own_modules(small):
    a, b = model(0), model(1)
    before_a, before_b = model(0), model(1)

    def through_both(nets, batch):
        return {
            "loss": SquaredError()({"ae": nets["a"]}, batch)["loss"] + SquaredError()({"ae": nets["b"]}, batch)["loss"]
        }

    fit({"a": a, "b": b}, Phase(through_both, updates=("b",)), small, epochs=1)
    assert same(a, before_a)
    assert not same(b, before_b)


def test_callbacks_can_end_the_training(small):
    def after_two(end) -> bool:
        return end.epoch == 2

    history = fit({"ae": model()}, Phase(SquaredError()), small, epochs=9, callbacks=[after_two])
    assert history.epoch.max() == 2


def test_early_stopping_waits_for_its_patience(small):
    history = fit(
        {"ae": model()}, Phase(SquaredError(), sgd(0.0)), small, epochs=9, validation=20, callbacks=[EarlyStopping(3)]
    )
    assert history.epoch.max() == 4  # the first is the best, three more bring nothing
    with pytest.raises(ValueError, match="needs a validation split"):
        fit({"ae": model()}, Phase(SquaredError()), small, epochs=2, callbacks=[EarlyStopping()])


def test_early_stopping_begins_anew_in_each_training(small):
    """A first training with a small loss leaves nothing that a second one could not reach."""
    stopping = EarlyStopping(2)

    def ended(scale: float) -> int:
        def scaled(nets, batch):
            return {"loss": SquaredError()(nets, batch)["loss"] * scale}

        options = dict(epochs=5, batch_size=50, validation=20, callbacks=[stopping])
        return fit({"ae": model()}, Phase(scaled, adam(1e-4)), small, **options).epoch.max()

    assert ended(1e-3) == 5
    assert ended(1.0) == 5


class Normalized(nn.Module):
    """An encoder with batch normalization and dropout, and a decoder."""

    def __init__(self) -> None:
        super().__init__()
        inner = [nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.ReLU()]
        self.layers = nn.Sequential(nn.Flatten(), *inner, nn.Linear(8, 64), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, x):
        return self.layers(x)


def reconstruction(nets, batch: Batch):
    return {"loss": (nets["ae"](batch.x) - batch.x).square().sum() / len(batch.x)}


@pytest.mark.parametrize("validation", [0, 20])
def test_a_callback_that_looks_at_the_model_changes_nothing(small, validation):
    """It sees the model in evaluation mode and without gradients, whether or not there is a validation split."""
    seen = []

    def look(end) -> None:
        model = end.modules["ae"]
        seen.append((model.training, torch.is_grad_enabled(), model(torch.ones(10, 1, 8, 8)).requires_grad))
        model.train()  # what it leaves behind is of no account

    def run(callbacks: list) -> nn.Module:
        torch.manual_seed(0)
        ae = Normalized()
        options = dict(epochs=3, batch_size=20, validation=validation)
        fit({"ae": ae}, Phase(reconstruction), small, callbacks=callbacks, **options)
        assert not ae.training
        return ae

    assert same(run([]), run([look]))
    assert seen == [(False, False, False)] * 3


@pytest.mark.parametrize("where", ["objective", "callback", "schedule"])
def test_an_error_leaves_the_modules_in_evaluation_mode(small, where):
    class Broken(Exception):
        pass

    def breaks(*_: object, **__: object):
        raise Broken

    ae = Normalized()
    ae.train()
    phase = Phase(breaks if where == "objective" else reconstruction, name="x")
    if where == "schedule":
        phase = Phase(reconstruction, schedule=breaks)
    with pytest.raises(Broken):
        fit({"ae": ae}, phase, small, epochs=2, callbacks=[breaks] if where == "callback" else [])
    assert not any(module.training for module in ae.modules())
    assert all(p.grad is None for p in ae.parameters())


def test_a_loss_that_is_not_finite_is_named(small):
    def breaks(nets, batch):
        terms = SquaredError()(nets, batch)
        breaks.calls += 1
        return terms | {"penalty": terms["loss"] * (float("nan") if breaks.calls == 8 else 1)}

    breaks.calls = 0
    with pytest.raises(
        FloatingPointError, match=r"Phase 'breaks': the term 'penalty' became nan in epoch 2, batch 3 of 5"
    ):
        fit({"ae": model()}, Phase(breaks), small, epochs=3, batch_size=24)


class Root:
    """The root of a sum of squares, of weights that are 0: a finite loss whose gradient is 0/0."""

    def __call__(self, nets, batch: Batch):
        return {"loss": nets["ae"].weight.square().sum().sqrt()}


def zeros(inputs: int = 64) -> nn.Linear:
    linear = nn.Linear(inputs, 1)
    nn.init.zeros_(linear.weight)
    return linear


def test_a_gradient_that_is_not_finite_in_the_last_step_is_named_and_the_good_state_kept(small, tmp_path):
    file, linear = tmp_path / "state.safetensors", zeros()

    def restart(end) -> None:
        good.update({key: value.clone() for key, value in linear.state_dict().items()})
        linear.weight.zero_()

    class Late(Root):
        """Away from 0 in the first epoch."""

        def __call__(self, nets, batch):
            return {"loss": super().__call__(nets, batch)["loss"] if good else nets["ae"].weight.sum()}

    good: dict[str, torch.Tensor] = {}
    phase, options = Phase(Late(), sgd(0.1), name="root"), dict(epochs=3, batch_size=120, state_file=file)
    message = r"^ae\.weight became nan in epoch 2, while every term was finite: a gradient was not"
    with pytest.raises(FloatingPointError, match=message):
        fit({"ae": linear}, phase, small, callbacks=[restart], **options)
    kept = {k.removeprefix("module/ae/"): v for k, v in load_file(file).items() if k.startswith("module/")}
    assert set(kept) == set(good)
    assert all(value.isfinite().all() for value in kept.values())


def test_a_buffer_that_is_no_longer_finite_is_named_and_one_that_never_was_is_let_be(small):
    class Counting(nn.Linear):
        def __init__(self, bad: float) -> None:
            super().__init__(64, 1)
            self.register_buffer("mask", torch.full((3,), -torch.inf))
            self.register_buffer("mean", torch.zeros(2))
            self.bad = bad

        def forward(self, x):
            self.mean.add_(self.bad)
            return super().forward(x)

    def objective(nets, batch):
        return {"loss": nets["ae"](batch.x.flatten(1)).square().mean()}

    fit({"ae": Counting(1.0)}, Phase(objective), small, epochs=1)
    with pytest.raises(FloatingPointError, match=r"^ae\.mean became inf in epoch 1"):
        fit({"ae": Counting(float("inf"))}, Phase(objective), small, epochs=1)


def test_terms_are_known_by_their_names_and_may_be_numbers(small):
    class Turning:
        """Turns the order of its terms with each batch."""

        calls = 0

        def __call__(self, nets, batch):
            self.calls += 1
            terms = {"loss": nets["ae"].bias.sum() * 0, "one": torch.ones(()), "half": 0.5, "two": 2}
            return terms if self.calls % 2 else dict(reversed(terms.items()))

    history = fit({"ae": nn.Linear(64, 1)}, Phase(Turning(), sgd(0.0)), small, epochs=2, batch_size=20, validation=50)
    for name, value in {"loss": 0, "one": 1, "half": 0.5, "two": 2}.items():
        assert history.value[history.term == name].tolist() == [value] * 4


def test_a_phase_computes_the_gradients_of_its_own_modules_alone(small):
    """A generator's phase goes through the discriminator, whose own gradients nobody uses."""
    judge, encoder, fixed = nn.Linear(3, 1), nn.Linear(64, 3), nn.Linear(3, 3).requires_grad_(False)

    def through_all(nets, batch):
        loss = nets["judge"](nets["fixed"](nets["encoder"](batch.x.flatten(1)))).square().mean()
        seen.append([p.grad is not None for m in nets.values() for p in m.parameters()])
        return {"loss": loss}

    class Watching(torch.optim.SGD):
        def step(self, closure=None):
            seen.append([p.grad is not None for m in (encoder, judge, fixed) for p in m.parameters()])
            return super().step(closure)

    seen: list[list[bool]] = []
    nets = {"encoder": encoder, "judge": judge, "fixed": fixed}
    fit(nets, Phase(through_all, Watching, updates=("encoder",)), small, epochs=1, batch_size=120)
    assert seen == [[False] * 6, [True, True, False, False, False, False]]


def test_divergence_keeps_the_last_good_state(small, tmp_path):
    file = tmp_path / "state.safetensors"

    def breaks(nets, batch):
        breaks.calls += 1
        return {"loss": SquaredError()(nets, batch)["loss"] * (float("inf") if breaks.calls > 8 else 1)}

    breaks.calls = 0
    with pytest.raises(FloatingPointError, match="epoch 3"):
        fit({"ae": model()}, Phase(breaks), small, epochs=5, batch_size=30, state_file=file)
    assert all(t.isfinite().all() for t in load_file(file).values())


def test_what_does_not_fit_together_is_refused(small):
    ae, phase = model(), Phase(SquaredError())
    with pytest.raises(TypeError, match=r'by name, e\.g\. \{"ae": model\}'):
        fit(ae, phase, small, epochs=1)
    with pytest.raises(TypeError, match="takes a data set"):
        fit({"ae": ae}, phase, None, epochs=1)
    with pytest.raises(ValueError, match="1 or more; they are 0 and 128"):
        fit({"ae": ae}, phase, small, epochs=0)
    with pytest.raises(ValueError, match="0 to 119; it is 120"):
        fit({"ae": ae}, phase, small, epochs=1, validation=120)
    with pytest.raises(ValueError, match=r"updates \['vae'\]; the modules are \['ae'\]"):
        fit({"ae": ae}, Phase(SquaredError(), updates=("vae",)), small, epochs=1)
    with pytest.raises(ValueError, match="a name of its own"):
        fit({"ae": ae}, [phase, phase], small, epochs=1)
    with pytest.raises(ValueError, match="returned no 'loss'"):
        fit({"ae": ae}, Phase(lambda nets, batch: {"error": batch.x.sum()}), small, epochs=1)
    wrong = ImageSet(torch.zeros(10, 1, 9, 8, dtype=torch.uint8), torch.zeros(10, dtype=torch.int64))
    with pytest.raises(
        ValueError, match=r"expects a batch of images of shape \(B, 1, 8, 8\); it got shape \(10, 1, 9, 8\)"
    ):
        fit({"ae": ae}, phase, wrong, epochs=1)


@pytest.mark.parametrize(("warm_up", "steps"), [(0.5, 2), (0.1, 10), (0.3, 1)])
def test_one_cycle_of_few_steps_ends_at_zero(warm_up, steps):
    optimizer = sgd(1.0)([nn.Parameter(torch.zeros(1))])
    schedule = one_cycle(warm_up)(optimizer, steps, 1)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < steps:
            schedule.step()
    assert all(0 <= rate <= 1.0 for rate in rates)
    assert steps < 2 or rates[-1] < 1e-3


def test_one_cycle_goes_up_and_down_and_momentum_steps_once(small):
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = adam(1e-3)([parameter])
    schedule = one_cycle(0.25)(optimizer, 100, 10)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step() if len(rates) < 100 else None
    assert max(rates) == pytest.approx(1e-3)
    assert 20 <= rates.index(max(rates)) <= 25
    assert rates[-1] < 1e-7
    optimizer = sgd(0.1, momentum=0.5)([parameter])
    schedule = momentum_step(0.9, after_epochs=2)(optimizer, 50, 10)
    momenta = []
    for _ in range(50):
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        schedule.step()
    assert momenta == [0.5] * 20 + [0.9] * 30
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_batch_normalization_is_trained_and_then_frozen(images):
    torch.manual_seed(0)
    conv = Convolutional(4)
    fit({"ae": conv}, Phase(SquaredError()), images, epochs=1, batch_size=50)
    assert not conv.training
    assert conv.encoder[1].num_batches_tracked == 4
    before = conv.encoder[1].running_mean.clone()
    conv(images[:3].images())
    assert torch.equal(conv.encoder[1].running_mean, before)


@pytest.mark.slow
def test_several_processes_give_the_history_of_one(torchrun):
    """Under torchrun, gloo, with batches that do not divide by the number of processes."""
    one = torchrun(TWO, 1)
    for processes in (2, 3):
        many = torchrun(TWO, processes)
        assert many["processes"].item() == processes
        for key in one.keys() - {"processes"}:
            torch.testing.assert_close(many[key], one[key], rtol=1e-4, atol=1e-5)
