"""What fit takes besides its own sets: tensors, data sets and loaders, in memory or streamed: the same training."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from launching import SUPPORT
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)
from torchvision.datasets import FakeData, ImageFolder
from torchvision.transforms import v2

from aelib.data import ImageSet
from aelib.likelihoods import Gaussian
from aelib.models.autoencoder import Autoencoder, CrossEntropy, SquaredError
from aelib.models.denoising import Denoising, Masking
from aelib.models.vae import ELBO, DenseVAE
from aelib.training import Phase, fit, given, streaming
from aelib.training.examples import label, numbers, parts
from aelib.training.given import InMemory, placed, taken
from aelib.training.optimizers import adam
from aelib.training.streaming import Streamed

TWO = SUPPORT / "two_processes_streamed.py"


def model(shape: tuple[int, ...] = (1, 8, 8)) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder((int(np.prod(shape)), 20, 3), nn.Sigmoid, shape)


def trained(data: Any, **options: Any) -> dict[str, Tensor]:
    """Two epochs with noise in the objective and a validation part: weights and history."""
    ae = model()
    options = {"epochs": 2, "batch_size": 16, "seed": 3, "validation": 23} | options
    history = fit({"ae": ae}, Phase(Denoising(CrossEntropy(), Masking(0.2)), adam(1e-2)), data, **options)
    return ae.state_dict() | {"history": torch.tensor(history.value.to_numpy())}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one.keys() | other.keys())


class Rows(Dataset[dict[str, Any]]):
    """As Hugging Face's: rows with a picture and a label, many at once, and a method batch() of another meaning."""

    def __init__(self, images: ImageSet) -> None:
        self.images, self.asked = images, 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return {"image": Image.fromarray(self.images.x[i, 0].numpy()), "label": int(self.images.y[i])}

    def __getitems__(self, index: list[int]) -> list[dict[str, Any]]:
        self.asked += 1
        return [self[i] for i in index]

    def batch(self, batch_size: int) -> None:
        raise AssertionError("not this one")


# The same training, whatever the data come as


@pytest.mark.parametrize(
    "made",
    [
        lambda s: s.x,
        lambda s: (s.x, s.y),
        lambda s: s.images(),
        lambda s: s.images().double(),
        lambda s: s.x.numpy(),
        lambda s: TensorDataset(s.x, s.y),
        lambda s: Subset(TensorDataset(s.x, s.y), range(120)),
        lambda s: ConcatDataset([TensorDataset(s.x[:50]), TensorDataset(s.x[50:])]),
        lambda s: list(s.images()),
        Rows,
        lambda s: DataLoader(TensorDataset(s.x, s.y), batch_size=16, shuffle=True),
        lambda s: DataLoader(Rows(s), batch_size=16, collate_fn=_rows),
    ],
)
@pytest.mark.parametrize("stream", [None, True])
def test_the_same_data_train_alike(small: ImageSet, made: Callable[[ImageSet], Any], stream: bool | None) -> None:
    data = made(small)
    options = {"batch_size": None} if isinstance(data, DataLoader) else {}
    assert same(trained(small), trained(data, stream=stream, workers=0, **options))


def _rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"x": torch.stack([numbers(row["image"]) for row in rows]), "y": torch.tensor([r["label"] for r in rows])}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(small: ImageSet, workers: int) -> None:
    assert same(trained(small), trained(Rows(small), stream=True, workers=workers))
    loader = DataLoader(Rows(small), batch_size=16, num_workers=workers, collate_fn=_rows)
    assert same(trained(small), trained(loader, stream=True, batch_size=None))


@pytest.mark.slow
def test_one_process_and_two_train_alike_on_a_stream(torchrun: Callable[[Path, int], dict[str, Tensor]]) -> None:
    one, two = torchrun(TWO, 1), torchrun(TWO, 2)
    assert (one.pop("processes"), two.pop("processes")) == (1, 2)
    assert (one.pop("read"), two.pop("read")) == (97 + 24, 49 + 12)  # in an epoch
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-4, atol=1e-5)


def test_labels_come_along(small: ImageSet) -> None:
    for data in ((small.x, small.y), TensorDataset(small.x, small.y), Rows(small)):
        for stream in (False, True):
            source, _ = taken(data, workers=0)
            source = placed(source, (), torch.device("cpu"), stream, False)
            index = torch.tensor([3, 1, 4, 1])
            batch = next(source.batches([index], (0,))) if isinstance(source, Streamed) else source.batch(index)
            assert torch.equal(batch.y, small.y[index]) and torch.equal(batch.x, small.batch(index).x)
    assert taken(small.x)[0].batch(torch.tensor([0])).y is None


def test_many_are_asked_for_at_once(small: ImageSet) -> None:
    rows = Rows(small)
    trained(rows, stream=True, workers=0)
    assert rows.asked == 1 + 2 * (6 + 2)  # the first example, then 97 in batches of 16, the last of 17, and 23


def test_torchvisions_folders(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(8):
            Image.new("RGB", (9, 8), (20 * number, 0, 0)).save(tmp_path / name / f"{number}.png")
    ae = model((3, 8, 8))
    transform = v2.Compose([v2.CenterCrop(8), v2.PILToTensor()])
    history = fit({"ae": ae}, Phase(SquaredError()), ImageFolder(tmp_path, transform), epochs=1, batch_size=8)
    assert len(history) == 1
    with pytest.raises(
        ValueError, match=r"expects a batch of images of shape \(B, 3, 8, 8\); it got shape \(8, 3, 8, 9\)"
    ):
        fit({"ae": ae}, Phase(SquaredError()), ImageFolder(tmp_path), epochs=1, batch_size=8)


# In memory or not


class Drawn(Dataset[Tensor]):
    """Examples that are drawn anew at each reading, by the three generators that augmentations use."""

    def __init__(self, size: int = 60) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, i: int) -> Tensor:
        drawn = torch.rand(1, 8, 8) * 0.3 + random.random() * 0.3 + np.random.rand() * 0.3
        return drawn.clamp(0, 1)


def test_augmentations_are_not_frozen() -> None:
    source, _ = taken(Drawn(), workers=0)
    assert isinstance(placed(source, (), torch.device("cpu"), None, False), Streamed)
    assert isinstance(placed(source, (), torch.device("cpu"), False, False), InMemory)
    fixed, _ = taken(FakeData(20, (1, 8, 8), transform=v2.PILToTensor()), workers=0)
    assert isinstance(placed(fixed, (), torch.device("cpu"), None, False), InMemory)


@pytest.mark.slow
def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    once = trained(Drawn(), workers=0)
    torch.manual_seed(2)
    random.seed(2)
    assert same(once, trained(Drawn(), workers=2))
    assert not same(once, trained(Drawn(), workers=0, seed=4))


def test_each_epoch_draws_anew() -> None:
    source, _ = taken(Drawn(), workers=0)
    index = [torch.arange(10)]
    first, second = (next(source.batches(index, (0, epoch))).x for epoch in (1, 2))
    assert not torch.equal(first, second) and torch.equal(first, next(source.batches(index, (0, 1))).x)


def test_the_callers_generators_are_left_alone() -> None:
    def states() -> tuple[Any, ...]:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    before = states()
    data = Drawn()
    fit({"ae": model()}, Phase(SquaredError()), data, epochs=1, workers=0)
    fit({"ae": model()}, Phase(SquaredError()), data, epochs=1, workers=0, stream=False)
    assert states() == before


def test_what_does_not_fit_is_streamed(small: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = taken(Rows(small), workers=0)
    assert isinstance(source, Streamed) and source.bytes == 120 * 64

    class Memory:
        available = 2 * 120 * 64

    monkeypatch.setattr(given.psutil, "virtual_memory", lambda: Memory)
    assert isinstance(placed(source, (), torch.device("cpu"), None, False), InMemory)
    Memory.available -= 1
    assert isinstance(placed(source, (), torch.device("cpu"), None, False), Streamed)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")  # two processes on the machine, each with its own copy
    Memory.available = 3 * 120 * 64
    assert isinstance(placed(source, (), torch.device("cpu"), None, False), Streamed)


class Interrupted(Exception):
    pass


def test_a_streamed_training_is_resumed(tmp_path: Path) -> None:
    def stop(end: Any) -> None:
        if end.epoch == 2:
            raise Interrupted

    whole = trained(Drawn(), epochs=4, workers=0)
    path = tmp_path / "state.safetensors"
    with pytest.raises(Interrupted):
        trained(Drawn(), epochs=4, workers=0, callbacks=[stop], state_file=path)
    # The callback came before the state of its epoch was saved: one epoch is done.
    assert same(whole, trained(Drawn(), epochs=4, workers=0, state_file=path))
    with pytest.raises(ValueError, match=r"another run: examples was 60 there and is 61 here"):
        trained(Drawn(61), epochs=4, workers=0, state_file=path)


def test_other_data_are_another_run(small: ImageSet, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    for stream in (None, True):
        data = Rows(small)
        trained(data, epochs=1, workers=0, state_file=path, stream=stream)
        other = Rows(ImageSet(255 - small.x, small.y))
        with pytest.raises(ValueError, match="holds the state of another run"):
            trained(other, epochs=1, workers=0, state_file=path, stream=stream)
        path.unlink()


# One clear error, with the index


class Faulty(Dataset[Any]):
    """Good examples but for number 37."""

    def __init__(self, fault: Callable[[Tensor], Any]) -> None:
        self.fault = fault

    def __len__(self) -> int:
        return 60

    def __getitem__(self, i: int) -> Any:
        x = torch.full((1, 8, 8), i / 60)
        return self.fault(x) if i == 37 else x


def raises(x: Tensor) -> Tensor:
    raise OSError(5, "Input/output error", "/data/37.png")


def silent(x: Tensor) -> Tensor:
    raise KeyError


def not_a_number(x: Tensor) -> Tensor:
    x[0, 2, 3:5] = torch.tensor([torch.nan, torch.inf])
    return x


FAULTS = [
    (raises, RuntimeError, r"it cannot be read: OSError: \[Errno 5\] Input/output error: '/data/37\.png'\."),
    (silent, RuntimeError, r"it raises KeyError\."),
    (not_a_number, ValueError, r"2 of its numbers are not finite: mend or remove it\."),
    (
        lambda x: x[:, 1:],
        ValueError,
        r"it is float32 \(1, 7, 8\), and example 0 is float32 \(1, 8, 8\): make all alike",
    ),
    (lambda x: x.byte(), ValueError, r"it is uint8 \(1, 8, 8\), and example 0 is float32 \(1, 8, 8\)"),
    (lambda x: x.long(), TypeError, r"it holds int64: convert it by \.float\(\), and scale it\."),
    (lambda x: "text", TypeError, r"it is a str: give a tensor, an array, or a picture\."),
    (lambda x: {"photo": x}, TypeError, r"it has the columns \['photo'\]: call the one to learn 'x' or 'image'"),
    (lambda x: (), TypeError, r"it is empty: give a tensor, or a tensor and a label\."),
    (lambda x: x + 2, ValueError, r"Bernoulli takes pixels in \[0, 1\]; .*: divide them by 255, or use Gaussian\(\)\."),
    (lambda x: x - 2, ValueError, r"Bernoulli takes pixels in \[0, 1\]; .* the usual normalization to mean 0"),
]


@pytest.mark.parametrize(("fault", "kind", "message"), FAULTS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_bad_example_is_called_by_its_index(
    fault: Callable[[Tensor], Any], kind: type[Exception], message: str, stream: bool
) -> None:
    ae = model()
    before = [p.clone() for p in ae.parameters()]
    with pytest.raises(kind, match=rf"^Example 37 of the data set: {message}") as caught:
        fit({"ae": ae}, Phase(SquaredError()), Faulty(fault), epochs=1, batch_size=60, stream=stream, workers=0)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(p, q) for p, q in zip(ae.parameters(), before, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "kind", "message"), FAULTS[:3])
def test_a_bad_example_in_a_worker(fault: Callable[[Tensor], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=rf"^Example 37 of the data set: {message}") as caught:
        fit({"ae": model()}, Phase(SquaredError()), Faulty(fault), epochs=1, batch_size=7, stream=True, workers=2)
    if fault is raises:
        assert 'in raises\n    raise OSError(5, "Input/output error", "/data/37.png")' in caught.value.__notes__[0]


def test_bad_tensors() -> None:
    phase, ae = Phase(SquaredError()), model()
    x = torch.rand(20, 1, 8, 8)
    x[13, 0, 0, 0] = torch.nan
    for data, kind, message in [
        (x, ValueError, "Example 13 of the data set: 1 of its numbers are not finite"),
        (torch.rand(20), ValueError, r"has the axes \(N, \.\.\.\), N examples; this one is \(20,\)"),
        (torch.rand(0, 1, 8, 8), ValueError, r"N examples; this one is \(0, 1, 8, 8\)"),
        (torch.zeros(20, 64, dtype=torch.int64), TypeError, r"it holds int64: convert it by \.float\(\), and scale it"),
        ((torch.rand(20, 1, 8, 8), torch.zeros(19)), ValueError, "there are 20 and 19"),
        (torch.rand(20, 1, 8, 8) - 0.5, ValueError, r"Example \d+ of the data set: Bernoulli takes pixels in \[0, 1\]"),
    ]:
        with pytest.raises(kind, match=message):
            fit({"ae": ae}, phase, data, epochs=1)


def test_what_is_no_data_set(small: ImageSet) -> None:
    class Endless(IterableDataset[Tensor]):
        def __iter__(self) -> Iterator[Tensor]:
            yield torch.rand(1, 8, 8)

    sampler = WeightedRandomSampler([1.0] * 120, 120)
    tensors = TensorDataset(small.x)
    for data, kind, message in [
        (Endless(), TypeError, "asks a data set for examples by their number"),
        (DataLoader(Endless(), batch_size=4), TypeError, "asks a data set for examples|pass over its sampler"),
        (iter([small.x]), TypeError, "asks a data set for examples by their number"),
        ({"train": tensors, "test": tensors}, TypeError, r"has \['test', 'train'\]: give one"),
        ("photos", TypeError, r"For files there is aelib\.data\.folder, for tables aelib\.data\.table"),
        (DataLoader(tensors, sampler=sampler), TypeError, "pass over its sampler, a WeightedRandomSampler"),
        (DataLoader(tensors, batch_size=None), TypeError, "Give a loader with a batch_size"),
        ([], ValueError, "The data set is empty"),
    ]:
        with pytest.raises(kind, match=message):
            fit({"ae": model()}, Phase(SquaredError()), data, epochs=1, workers=0)
    with pytest.raises(ValueError, match=r"has batches of 16, batch_size is 32: leave batch_size away"):
        fit({"ae": model()}, Phase(SquaredError()), DataLoader(tensors, 16), epochs=1, batch_size=32)
    with pytest.raises(ValueError, match="0 or more; it is -1"):
        fit({"ae": model()}, Phase(SquaredError()), Rows(small), epochs=1, workers=-1)


def test_a_readers_own_tensor_trains_after_one_stated_step() -> None:
    """Asked for in public: (N, 1, 131, 2) with values from 0 to 300. The error says what to do, and that is enough."""
    random = torch.Generator().manual_seed(0)
    x = 300 * torch.rand(64, 1, 131, 2, generator=random)
    x[0, 0, 0, 0] = 300
    torch.manual_seed(0)
    vae = DenseVAE((262, 20, 2), shape=(1, 131, 2))
    with pytest.raises(ValueError, match=r"these reach from .* to 300: divide them by 300, or use Gaussian\(\)"):
        fit({"vae": vae}, Phase(ELBO()), x, epochs=1)
    fit({"vae": vae}, Phase(ELBO()), x / 300, epochs=1)
    gaussian = DenseVAE((262, 20, 2), shape=(1, 131, 2), likelihood=Gaussian(100.0))
    fit({"vae": gaussian}, Phase(ELBO()), x, epochs=1)


# Conversions


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("L", (1, 4, 6)), ("1", (1, 4, 6)), ("RGB", (3, 4, 6)), ("RGBA", (4, 4, 6)), ("CMYK", (3, 4, 6))],
)
def test_pictures_become_bytes(mode: str, shape: tuple[int, ...]) -> None:
    x = numbers(Image.new(mode, (6, 4)))
    assert x.shape == shape and x.dtype == torch.uint8
    with pytest.raises(TypeError, match="a picture of mode F: convert it to L or RGB"):
        numbers(Image.new("F", (6, 4)))


def test_items_are_taken_apart() -> None:
    assert parts({"pixel_values": 1, "labels": 2}) == (1, 2) and parts({"img": 1}) == (1, None)
    assert parts((1, 2, 3)) == (1, 2) and parts([1]) == (1, None) and parts(1) == (1, None)
    for given_label, wanted in [
        (3, torch.tensor(3)),
        (np.int32(3), torch.tensor(3)),
        (torch.tensor([3]), torch.tensor(3)),
        (0.5, torch.tensor(0.5)),
        (True, torch.tensor(1)),
    ]:
        found = label(given_label)
        assert torch.equal(found, wanted) and found.dtype in (torch.int64, torch.float32)
    for left_away in ("cat", None, {"boxes": []}, torch.zeros(3)):
        assert label(left_away) is None


def test_readers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming.os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert streaming.cores() == 6
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert streaming.cores() == 1
