"""Descriptions: known answers, and what makes two things differ or not."""

import zlib
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from aelib.records.description import architecture, described, differences
from aelib.records.fingerprint import WIDTH, alike, fingerprint, signs


@dataclass
class Setting:
    rate: float = 0.1
    name: str = "a"
    seen: list = field(default_factory=list, compare=False)


def test_integers_are_told_by_the_crc_of_their_bytes():
    x = torch.arange(10, dtype=torch.uint8)
    told = described(x)
    assert told == {"shape": [10], "dtype": "uint8", "checksum": f"{zlib.crc32(bytes(range(10))):08x}"}
    assert described(np.arange(10, dtype=np.uint8)) == told
    assert differences(told, described(x.flip(0)))


@pytest.mark.parametrize("n", [1, 7, WIDTH, WIDTH + 1, 3 * WIDTH + 5])
def test_a_fingerprint_is_the_mean_the_deviation_and_two_sums_with_signs(n):
    x = torch.randn(n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pattern = torch.stack([signs(WIDTH)[i % WIDTH] * signs(n // WIDTH + 1)[i // WIDTH] for i in range(n)])
    expected = [x.mean(), x.std(correction=0), *((pattern * x[:, None]).sum(0) / n**0.5)]
    assert fingerprint(x) == pytest.approx([float(v) for v in expected], rel=1e-5, abs=1e-7)


def test_signs_are_balanced_and_unlike():
    s = signs(100_000)
    assert set(s.unique().tolist()) == {-1.0, 1.0}
    assert s.mean(0).abs().max() < 0.02  # six standard deviations
    assert (s[:, 0] * s[:, 1]).mean().abs() < 0.02
    assert (s[1:] * s[:-1]).mean(0).abs().max() < 0.02


def test_a_fingerprint_tells_other_draws_and_orders_and_not_roundings():
    torch.manual_seed(0)
    for _ in range(200):
        x = torch.randn(30, 50)
        assert not alike(fingerprint(x), fingerprint(torch.randn(30, 50)))
        assert not alike(fingerprint(x), fingerprint(x.flatten()[torch.randperm(1500)].view(30, 50)))
        assert alike(fingerprint(x), fingerprint(x.half().float()))
    assert alike(fingerprint(torch.zeros(5)), fingerprint(torch.zeros(5)))
    assert not alike(fingerprint(torch.zeros(5)), fingerprint(torch.full((5,), 1e-9)))
    assert not alike(fingerprint(torch.tensor([1.0, torch.nan])), fingerprint(torch.ones(2)))


def test_a_tensor_that_is_changed_in_place_is_described_anew():
    x = torch.zeros(200_000, dtype=torch.int64)
    before = described(x)
    assert described(x) is before  # a second look costs nothing
    x[7] = 1
    assert differences(before, described(x))


def test_functions_are_their_names_and_what_they_hold():
    def outer(rate):
        return lambda x, power=2: rate * x**power

    assert differences(described(outer(1.0)), described(outer(1.0))) == []
    assert differences(described(outer(1.0)), described(outer(2.0))) == ["rate was 1.0 there and is 2.0 here"]
    assert differences(described(partial(max, key=outer(1.0))), described(partial(max, key=outer(3.0)))) == [
        "key: rate was 1.0 there and is 3.0 here"
    ]

    def calls_itself(n):
        return calls_itself(n - 1) if n else described

    assert "calls_itself" in described(calls_itself)["class"]


def test_a_field_that_was_added_with_its_default_makes_no_difference():
    old = {"class": "Setting", "defaults": {"rate": 0.1}}
    assert differences(old, described(Setting())) == []
    assert differences(described(Setting()), old) == []
    assert differences(old, described(Setting(name="b"))) == ['name was absent there and is "b" here']
    assert differences(described(Setting(rate=0.2)), described(Setting())) == ["rate was 0.2 there and is 0.1 here"]
    assert differences(described(Setting()), described(Setting(seen=[1]))) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (nn.ReLU(), nn.SiLU()),
        (nn.Linear(3, 2), nn.Linear(3, 2, bias=False)),
        (nn.Dropout(0.1), nn.Dropout(0.2)),
        (nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU(), nn.ReLU())),
        (nn.LSTM(3, 4), nn.LSTM(3, 4, num_layers=2)),
        (nn.Linear(3, 2), nn.Linear(3, 2).requires_grad_(False)),
    ],
)
def test_other_layers_are_another_architecture(one, other):
    assert differences(architecture(one), architecture(one)) == []
    assert differences(architecture(one), architecture(other))


def test_numbers_agree_within_a_millionth_and_kinds_do_not_mix():
    assert differences({"a": 0.1}, {"a": 0.1 * (1 + 1e-9)}) == []
    assert differences({"a": 1}, {"a": True})
    assert differences({"a": float("inf")}, {"a": float("inf")}) == []
    assert differences(described(Fraction(1, 3)), described(Fraction(1, 2)))  # has slots and no __dict__
