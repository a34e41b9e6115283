"""The benchmarks measure what they say: equal networks, an answering worker, and ratios of what was timed."""

import re
import sys
import types
from itertools import pairwise
from pathlib import Path

import against_pythae
import loops
import published_error
import pytest
import scaling
import steps
import streaming
import torch
from published_error import OURS, Outcome
from recipes import RECIPES
from torch import nn

from aelib.data import Batch, ImageSet
from aelib.models.autoencoder import SquaredError
from aelib.models.quantizers import EMAQuantizer
from aelib.models.vqvae import small_vqvae
from aelib.nets import count_parameters

ROOT = Path(__file__).parents[2]

ECHO = """
import json, sys
images, folder, threads = sys.argv[1:]
print(json.dumps({"pythae": "0", "torch": "0", "threads": int(threads)}), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if order["seed"] == 13:
        sys.exit("Thirteen is refused.")
    seconds = 4.0 if order["fused"] else 5.0
    answer = {"seconds": seconds, "loading": 0.5, "loss": 1.0, "parameters": 835_384, "order": order}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def worker(tmp_path: Path, images: ImageSet) -> against_pythae.Worker:
    program = tmp_path / "worker.py"
    program.write_text(ECHO, encoding="utf-8")
    with against_pythae.Worker([sys.executable, "-I", program], images, tmp_path) as started:
        yield started


def test_a_worker_does_as_it_is_told_with_as_many_threads(worker: against_pythae.Worker) -> None:
    assert worker.about["threads"] == torch.get_num_threads()
    order = worker.train("VAE", images=50, seed=3, fused=True)["order"]
    assert order == {"model": "VAE", "images": 50, "batch": 100, "rate": 1e-3, "seed": 3, "fused": True}


def test_a_worker_that_ends_is_quoted(worker: against_pythae.Worker) -> None:
    for _ in range(2):  # at the order that it refuses, and at one that finds it gone
        with pytest.raises(RuntimeError, match=r"ended with status 1.*Thirteen is refused\."):
            worker.train("VAE", images=50, seed=13)


def test_unequal_networks_are_not_compared(worker: against_pythae.Worker, images: ImageSet) -> None:
    with pytest.raises(ValueError, match=r"equally many parameters; ours has 31,377, pythae's 835,384"):
        against_pythae.compare(worker, "VQ-VAE", images, rounds=1)


def test_both_sides_take_turns_and_ratios_are_taken_round_by_round(
    worker: against_pythae.Worker, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([1.0, 2.0, 2.0, 2.5, 4.0, 5.0])
    monkeypatch.setattr(against_pythae, "seconds", lambda *_: next(times))
    found = against_pythae.compare(worker, "VAE", images, rounds=3)
    ratio = found["VAE: pythae's trainer over fit"]
    assert (ratio["median"], ratio["least"], ratio["most"]) == (2.5, 1.25, 5.0)
    assert found["VAE: pythae's trainer over a bare loop"]["median"] == 2.0
    assert found["VAE: pythae's trainer with a fused Adam over fit"]["median"] == 2.0
    assert found["VAE: an epoch of 200 by fit"]["median"] == 2.0
    assert found["VAE: of which fetching batches"]["median"] == 10.0


def test_the_workers_networks_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """pythae itself is not installed here: what the module takes from it is left out."""
    names = "data.datasets models models.base.base_utils models.nn trainers trainers.training_callbacks"
    for name in ("pythae", *(f"pythae.{part}" for part in names.split())):
        stub = types.ModuleType(name)
        stub.__getattr__ = lambda attribute: nn.Module if attribute.startswith("Base") else dict
        monkeypatch.setitem(sys.modules, name, stub)
    monkeypatch.delitem(sys.modules, "pythae_worker", raising=False)
    import pythae_worker

    monkeypatch.delitem(sys.modules, "pythae_worker")
    ours = small_vqvae(EMAQuantizer(512, 16, restart=0))
    encoder, decoder = pythae_worker.GridEncoder(), pythae_worker.GridDecoder()
    ours.encoder.load_state_dict(encoder.layers.state_dict())
    ours.decoder.load_state_dict(decoder.layers.state_dict())
    assert count_parameters(ours) == count_parameters(encoder) + count_parameters(decoder)
    x = torch.rand(2, 1, 28, 28)
    z = ours.grid(x)
    torch.testing.assert_close(encoder(x)["embedding"], z)
    torch.testing.assert_close(decoder(z)["reconstruction"], ours.decode(z))


def test_pythaes_environment_is_pinned_and_has_our_torch() -> None:
    def pins(path: Path) -> dict[str, str]:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
        lines = [line for line in lines if " ; " not in line]  # of the lock: what has one version everywhere
        assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", line)] == []
        return dict(line.split("==") for line in lines)

    theirs, ours = pins(against_pythae.REQUIREMENTS), pins(ROOT / "constraints.txt")
    assert {"torch", "numpy", "tqdm"} <= theirs.keys() & ours.keys()
    assert [name for name in theirs.keys() & ours.keys() if theirs[name] != ours[name]] == []


def test_the_published_protocol_stops_at_the_end_of_the_epoch_that_gets_there(images: ImageSet) -> None:
    train, test = images[:64], images[64:]
    errors = [published_error.published(train, test, 0, error=0, epochs=n).error for n in (1, 2)]
    assert published_error.published(train, test, 0, error=errors[0], epochs=9).error == errors[0]
    assert errors[1] != errors[0]


def test_a_miss_of_ours_is_no_result() -> None:
    theirs, ours = [Outcome(90, 0.0025), Outcome(80, 0.002)], [Outcome(30, 0.0019), Outcome(20, 0.002)]
    found = published_error.measures(theirs, {"ours": ours})
    ratio = found["the published protocol over ours"]
    assert (ratio["least"], ratio["most"]) == (3.0, 4.0)
    assert found["ours: test error"]["most"] == pytest.approx(2.0)
    with pytest.raises(ValueError, match=r"did not: ours 0\.002100"):
        published_error.measures(theirs, {"ours": [ours[0], Outcome(20, 0.0021)]})


def test_operations_are_counted_forward_and_backward(images: ImageSet) -> None:
    """Two for each weight and use, three times: forward, for the weights, and for the inputs except the image."""
    batch = images.batch(torch.arange(8))
    widths = (784, 512, 256, 128, 64, 128, 256, 512, 784)
    weights = sum(a * b for a, b in pairwise(widths))
    assert steps.operations(RECIPES["dense"], batch) == 8 * 2 * (3 * weights - 784 * 512)
    read, written, ends = 4 * 128 * (28 + 128), 4 * 128 * (64 + 128), 128 * 64 + 28 * 128 * 28
    first = 28 * 4 * 128 * 28 + 4 * 128 * 128 * 2  # no gradient for the rows; the first states are zero, twice
    found = steps.operations(RECIPES["LSTM"], batch)
    assert found == pytest.approx(8 * 2 * (3 * (28 * (read + written) + ends) - first), rel=0.02)


def test_all_of_a_steps_time_is_somewhere(images: ImageSet) -> None:
    shares = steps.shares(steps.Step(RECIPES["VAE"], images), steps=3)
    assert sum(shares.values()) == pytest.approx(100)
    assert min(shares.values()) > 0


@pytest.mark.slow
def test_a_process_of_its_own_measures_an_epoch() -> None:
    cost = scaling.apart(scaling.Work(images=60_000, width=4))
    assert cost.seconds > 0
    assert cost.growth > 0.5 * 60_000 * 784  # what importing took and gave back is there to be used
    with pytest.raises(RuntimeError, match="failed"):
        scaling.apart(scaling.Work(images=0, width=8))


def test_the_usual_epoch_sees_every_image_once(images: ImageSet) -> None:
    seen: list[torch.Tensor] = []
    losses: list[float] = []

    class Watched(SquaredError):
        def __call__(self, nets, batch: Batch) -> dict[str, torch.Tensor]:
            terms = super().__call__(nets, batch)
            seen.append(batch.x)
            losses.append(terms["loss"].item())
            return terms

    model = OURS.network(0)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loader = torch.utils.data.DataLoader(loops.Pictures(images), 64, shuffle=True)
    mean = loops.usual_epoch({"ae": model}, Watched(), optimizer, loader)
    assert [len(x) for x in seen] == [64, 64, 64, 8]
    assert mean == pytest.approx(sum(losses) / 4)
    torch.testing.assert_close(
        torch.cat(seen).sum((1, 2, 3)).sort().values, images.images().sum((1, 2, 3)).sort().values
    )


def test_an_environment_is_made_once_for_each_list_of_pins(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("pythae==0.1.2\n", encoding="utf-8")
    monkeypatch.setattr(against_pythae, "REQUIREMENTS", pins)
    monkeypatch.setattr("venv.create", lambda folder, **_: folder.mkdir(parents=True, exist_ok=True))
    commands: list[list[str]] = []
    monkeypatch.setattr("subprocess.run", lambda command, check: commands.append([str(part) for part in command]))
    python = against_pythae.environment()
    assert against_pythae.environment() == python
    assert commands == [[str(python), "-m", "pip", "install", "-q", "-r", str(pins)]]
    pins.write_text("pythae==0.1.1\n", encoding="utf-8")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as during, pytest.raises(KeyboardInterrupt):
        during.setattr("subprocess.run", interrupted)
        against_pythae.environment()
    assert against_pythae.environment() == python
    assert len(commands) == 2


@pytest.mark.slow
def test_the_streamed_loops_train_on_the_same_pictures_and_say_what_they_took() -> None:
    made = streaming.Made(5000)
    assert made[0].shape == (1, 64, 64) and made[0].dtype == torch.uint8
    for i in (0, 65, 4095):
        row, column = divmod(int(made[i].argmax()), 64)
        assert abs(row - i % 64) <= 1 and column == i // 64
    for loop in streaming.LOOPS.values():
        loop(300)
    took = streaming.alone("bare", 300)
    assert took["rate"] > 0 and 100 < took["memory"] < 10_000
