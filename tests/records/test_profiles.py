"""Profiles: the sizes that a chapter runs at."""

import pytest

from aelib.records.profiles import Profile, current_profile


def test_cpu_is_the_default(monkeypatch):
    monkeypatch.delenv("AELIB_PROFILE", raising=False)
    assert current_profile().name == "cpu"


def test_a_profile_picks_its_own_value(monkeypatch):
    monkeypatch.setenv("AELIB_PROFILE", "gpu")
    assert current_profile()(smoke=1, cpu=2, gpu=3) == 3


def test_an_unknown_profile_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("AELIB_PROFILE", "tpu")
    with pytest.raises(ValueError, match=r"AELIB_PROFILE must be one of smoke, cpu, gpu; it is 'tpu'"):
        current_profile()


def test_seeds_can_be_overridden(monkeypatch):
    monkeypatch.delenv("AELIB_SEEDS", raising=False)
    assert Profile("cpu").seeds(cpu=2) == [0, 1]
    monkeypatch.setenv("AELIB_SEEDS", "3")
    assert Profile("cpu").seeds(cpu=2) == [0, 1, 2]
    for wrong in ("0", "three", "-1"):
        monkeypatch.setenv("AELIB_SEEDS", wrong)
        with pytest.raises(ValueError, match="AELIB_SEEDS"):
            Profile("cpu").seeds()
