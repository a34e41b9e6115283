"""A training that is killed, again and again, and resumed: nothing of it is lost, and nothing of it is different."""

import random
import signal
import time
from pathlib import Path
from typing import Any

import killed_training
import pytest
from killed_training import PROCESSES, WRITTEN, die_while_saving, train
from recording import record
from safetensors import safe_open

from aelib.training import EarlyStopping

pytestmark = pytest.mark.processes
KILLS = 30
Result = tuple[dict[str, bytes], str]


def start(target: Any, *arguments: Any) -> Any:
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    return process


def result(path: Path) -> Result:
    """All bits of a finished run: its weights, and its history as it was written down."""
    with safe_open(path, framework="numpy") as file:
        weights = {key: file.get_tensor(key).tobytes() for key in file.keys()}  # noqa: SIM118 (it is not a dict)
        return weights, file.metadata()["history"]


def whole(state_file: Path) -> bool:
    """Whether there is a state; raises if it is not a whole one."""
    if not state_file.exists():
        return False
    with safe_open(state_file, framework="numpy") as file:
        assert "checksum" in file.metadata()
        assert all(file.get_tensor(key) is not None for key in file.keys())  # noqa: SIM118
    return True


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, float]:
    """What the run gives when nobody disturbs it, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    begun = PROCESSES.Event()
    process = start(train, folder / "state", folder / "out", begun)
    assert begun.wait(120)
    began = time.perf_counter()
    process.join(120)
    return result(folder / "out"), time.perf_counter() - began


def test_a_run_killed_at_thirty_random_moments(uninterrupted: tuple[Result, float], tmp_path: Path) -> None:
    expected, seconds = uninterrupted
    state_file, out = tmp_path / "state", tmp_path / "out"
    moments = random.Random(6)
    kills = with_state = runs = lives = 0
    finished = False
    while kills < KILLS or not finished:
        lives += 1
        begun = PROCESSES.Event()
        process = start(train, state_file, out, begun)
        if kills < KILLS:
            assert begun.wait(120)
            process.join(moments.uniform(0, seconds / 4))
            process.kill()
        process.join(120)
        finished = process.exitcode != -signal.SIGKILL
        if not finished:
            kills += 1
            with_state += whole(state_file)
        else:
            assert process.exitcode == 0
            assert result(out) == expected, "the resumed run differs"
            assert [path.name for path in tmp_path.iterdir() if path != out] == ["state"], "something was left behind"
            runs += 1
            state_file.unlink()
            out.unlink()
    assert kills == KILLS
    assert with_state >= KILLS // 2, "most kills came before anything was saved"
    record("killed_training", "random moments", kills=kills, lives=lives, runs=runs, identical=True)


@pytest.mark.parametrize("moment", WRITTEN)
def test_a_run_killed_while_it_saves(uninterrupted: tuple[Result, float], tmp_path: Path, moment: str) -> None:
    state_file, out = tmp_path / "state", tmp_path / "out"
    for in_epoch in (1, 3):  # of this life: the first state, and one that replaces another
        process = start(die_while_saving, state_file, moment, in_epoch)
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
        assert whole(state_file) == (in_epoch > 1 or moment == "renamed")
        assert any(tmp_path.glob(".state.*")) == (moment != "renamed")
    start(train, state_file, out).join(120)
    assert result(out) == uninterrupted[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "state"]
    record("killed_training", f"while it saves: {moment}", kills=2, lives=3, runs=1, identical=True)


def test_a_damaged_number_in_a_state_is_noticed(tmp_path: Path) -> None:
    state_file = tmp_path / "state"
    train(state_file, epochs=1)
    content = bytearray(state_file.read_bytes())
    for place in (len(content) - 100, content.index(b'\\"epoch\\": 1') + 11, content.index(b'"checksum"') + 14):
        damaged = content.copy()
        damaged[place] ^= 1
        state_file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"state is no readable training state \(its checksum .* Delete it to"):
            train(state_file, epochs=1)


def test_a_state_of_another_version_or_optimizer_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_file = tmp_path / "state"
    with monkeypatch.context() as patch:
        patch.setattr("aelib.training.state.FORMAT", "aelib training state 1")
        train(state_file, epochs=1)
    with pytest.raises(ValueError, match=r'format was "aelib training state 1" there and is "aelib training state 3"'):
        train(state_file, epochs=1)
    state_file.unlink()
    train(state_file, epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr(killed_training, "adam", lambda lr: killed_training.adam_again(10 * lr))
        with pytest.raises(ValueError, match=r"phase 'ELBO': optimizer: lr was 0.003 there and is 0.03 here"):
            train(state_file, epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr(killed_training, "ELBO", lambda: killed_training.elbo_again(beta=4.0))
        with pytest.raises(ValueError, match=r"phase 'ELBO': objective: beta was 1.0 there and is 4.0 here"):
            train(state_file, epochs=1)
    with pytest.raises(ValueError, match=r'callbacks was \["EarlyStopping"\] there and is \[\] here'):
        train(state_file, epochs=1, callbacks=[])


def test_early_stopping_goes_on_counting_in_a_resumed_run(tmp_path: Path) -> None:
    """A run that stops after three epochs without improvement, killed after the second of them, stops there too."""

    class Stubborn(EarlyStopping):
        epochs = 0

        def __call__(self, end: Any) -> bool:
            self.epochs += 1
            end.terms[("validation", "ELBO", "loss")] = 1.0  # never better than in the first epoch
            return super().__call__(end)

    class Killed(Exception):
        pass

    def kill(end: Any) -> None:
        if end.epoch == 3:
            raise Killed

    first, second = Stubborn(3), Stubborn(3)
    with pytest.raises(Killed):
        train(tmp_path / "state", callbacks=[first, kill])
    train(tmp_path / "state", callbacks=[second])
    assert (first.epochs, second.epochs) == (3, 2)  # epochs 1 to 3, of which the last was lost, then 3 and 4
