"""scripts/record.py: it trains what lacks a record, survives a kill, shares the work, asks again what had to wait."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import record
from safetensors import safe_open

import aelib
from aelib.records import runs
from aelib.records.record_file import read_head

ROOT = Path(aelib.__file__).parents[1]

# Each training writes a line to the log: what, and in which process.
CHAPTER = '''# %% [markdown]
# # Tiny

# %%
raise AssertionError("a cell that has no tag is not executed")

# %% tags=["hide-input", "runs"]
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from aelib.data import ImageSet
from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.records.runs import Run, Runs
from aelib.training import Call, Fit, Measured, Phase
from aelib.training.optimizers import sgd

LOG = Path(os.environ["RECORD_LOG"])
x = torch.randint(0, 256, (64, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
data = ImageSet(x, torch.arange(64) % 10)
runs = Runs("98_tiny")


@dataclass(frozen=True)
class Slow:
    """The squared error, and some time."""

    seconds: float = 0.0

    def __call__(self, nets, batch):
        time.sleep(self.seconds)
        return SquaredError()(nets, batch)


def note(what):
    with LOG.open("a") as file:
        file.write(f"{what} {os.getpid()}\\n")


def network(name, rate=0.01, seconds=0.0, epochs=2, seed=0, before=note, **options):
    torch.manual_seed(seed)
    ae = Autoencoder((64, 10, 2), nn.ReLU, (1, 8, 8))
    watch = Measured(lambda nets: note(f"{name}-epoch") or {"seen": 1.0})
    phase = Phase(Slow(seconds), sgd(rate))
    steps = [Call(before, name), Fit({"ae": ae}, phase, data, epochs=epochs, batch_size=32, callbacks=[watch])]
    return Run(f"98-{name}", {"ae": ae}, steps, **options)


# %% tags=["runs"]
DECLARATIONS


# %%
raise AssertionError
'''

SWEEP = """
def last(name, rate):
    history = network(name, rate, weights=False).load().history
    return history[history.split == "train"].value.iloc[-1]


RATES = (0.001, 0.1)


@runs.declare
def final():
    best = min(RATES, key=lambda rate: last(f"rate{rate:g}", rate))
    yield network(f"final-rate{best:g}", best, seed=1)


@runs.declare
def sweep():
    for rate in RATES:
        yield network(f"rate{rate:g}", rate, weights=False, worth=0.1 + rate)


@runs.declare
def diverging():
    yield network("diverges", RATE_OF_DIVERGING, minutes=0.1)
"""

LONG = """
@runs.declare
def long():
    yield network("long", seconds=0.05, epochs=20)
"""

SHARED = '''
def wait_for_company(name):
    """Until two processes have begun a run each."""
    note(name)
    while len({line.split()[1] for line in LOG.read_text().splitlines()}) < 2:
        time.sleep(0.05)


@runs.declare
def shared():
    for i in range(4):
        yield network(f"shared{i}", before=wait_for_company)
'''


class Desk:
    """A folder with one chapter, and the command: in a process of its own, or here."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.log = folder / "runs", folder / "log"
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir()
        self.log.touch()
        self.monkeypatch, self.capsys = monkeypatch, capsys
        monkeypatch.setattr(runs, "FOLDER", runs.FOLDER)  # main sets both
        monkeypatch.setenv("AELIB_PROFILE", "full")
        monkeypatch.setenv("RECORD_LOG", str(self.log))

    def chapter(self, declarations: str) -> None:
        (self.notebooks / "98_tiny.py").write_text(CHAPTER.replace("DECLARATIONS", declarations), encoding="utf-8")

    def start(self, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, str(ROOT / "scripts" / "record.py"), "--threads", "1", *self.places, *arguments]
        settings = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
        return subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Its exit status and what it printed."""
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["record.py", *self.places, *arguments])
        return record.main(), self.capsys.readouterr().out

    @property
    def places(self) -> list[str]:
        return ["--notebooks", str(self.notebooks), "--folder", str(self.folder)]

    def noted(self, what: str) -> list[str]:
        """The processes that noted this, in order."""
        lines = (line.rsplit(" ", 1) for line in self.log.read_text(encoding="utf-8").splitlines())
        return [process for said, process in lines if said == what]

    def records(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.safetensors"))

    def history(self, name: str) -> list[list]:
        return read_head(self.folder / f"98-{name}.safetensors")["rows"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_a_sweep_what_it_decides_and_a_failure(desk: Desk) -> None:
    desk.chapter(SWEEP.replace("RATE_OF_DIVERGING", "1e30"))
    code, said = desk.run("--list")
    assert code == 0 and not desk.folder.exists()
    assert "3 left, about 2 min; 1 declarations cannot be asked yet." in said
    assert "98_tiny, final: There is no record of the run '98-rate0.001'" in said

    code, said = desk.run()
    assert code == 1, "a run has failed"
    assert desk.records() == [f"98-{n}.safetensors" for n in ("diverges", "final-rate0.1", "rate0.001", "rate0.1")]
    order = [line.split()[1] for line in said.splitlines() if "recorded in" in line or ": failed." in line]
    assert order == ["98-diverges:", "98-rate0.1:", "98-rate0.001:", "98-final-rate0.1:"], (
        "the most worth a minute first"
    )
    assert said.splitlines()[-1].endswith("3 recorded; 1 failed; none left.")
    with safe_open(desk.folder / "98-rate0.1.safetensors", framework="pt") as file:
        assert not file.keys()
    with safe_open(desk.folder / "98-final-rate0.1.safetensors", framework="pt") as file:
        assert "ae/encoder.1.weight" in file.keys()  # noqa: SIM118 (no mapping)
    trained = desk.log.read_text()

    code, said = desk.run()
    assert code == 0 and desk.log.read_text() == trained, "nothing is tried again"
    code, said = desk.run("--list", "--only", "98-d")
    assert "failed" in said and "Phase 'Slow': the term 'loss' became" in said and "rate0.1" not in said
    desk.chapter(SWEEP.replace("RATE_OF_DIVERGING", "1e-3"))
    code, said = desk.run()
    assert code == 0 and "98-diverges: recorded" in said, "its recipe has changed"


@pytest.mark.slow
def test_a_killed_recording_goes_on_and_gives_the_same(desk: Desk) -> None:
    desk.chapter(LONG)
    process = desk.start()
    until(lambda: len(desk.noted("long-epoch")) >= 4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert desk.records() == []
    code, said = desk.run("--hours", "0.000001")
    assert code == 0 and "The time is up" in said and desk.records() == []
    code, said = desk.run()
    assert code == 0 and desk.records() == ["98-long.safetensors"]
    assert not (desk.folder / ".state" / "98-long").exists()
    assert 20 <= len(desk.noted("long-epoch")) <= 22, "only the epochs that were not whole are trained again"

    interrupted = desk.history("long")
    (desk.folder / "98-long.safetensors").unlink()
    assert desk.run()[0] == 0
    assert desk.history("long") == interrupted


@pytest.mark.slow
def test_two_processes_share_the_runs(desk: Desk) -> None:
    desk.chapter(SHARED)
    assert desk.start("--processes", "2").wait(240) == 0
    assert len(desk.records()) == 4
    by = [desk.noted(f"shared{i}") for i in range(4)]
    assert all(len(processes) == 1 for processes in by), "each run is trained once"
    assert len({process for processes in by for process in processes}) == 2


def test_a_broken_chapter_does_not_keep_the_others_waiting(desk: Desk) -> None:
    desk.chapter('@runs.declare\ndef one():\n    yield network("one")\n    raise KeyError("oh")')
    (desk.notebooks / "97_broken.py").write_text('# %% tags=["runs"]\n1 / 0\n', encoding="utf-8")
    code, said = desk.run()
    assert code == 1 and desk.records() == ["98-one.safetensors"]
    code, said = desk.run("--list")
    assert "97_broken: ZeroDivisionError: division by zero" in said
    assert "98_tiny, one: KeyError: 'oh'" in said
