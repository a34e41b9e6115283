"""Profiles: the sizes that a chapter runs at."""

import pytest

from aelib.records.profiles import Profile, current_profile


def test_full_is_the_default(monkeypatch):
    monkeypatch.delenv("AELIB_PROFILE", raising=False)
    assert current_profile().name == "full"


def test_a_profile_picks_its_own_value(monkeypatch):
    monkeypatch.setenv("AELIB_PROFILE", "quick")
    assert current_profile()(smoke=1, quick=2, full=3) == 2


@pytest.mark.parametrize("name", ["tpu", "cpu"])
def test_an_unknown_profile_is_refused_by_name(monkeypatch, name):
    monkeypatch.setenv("AELIB_PROFILE", name)
    with pytest.raises(ValueError, match=rf"AELIB_PROFILE must be one of smoke, quick, full; it is '{name}'"):
        current_profile()


def test_seeds_can_be_overridden(monkeypatch):
    monkeypatch.delenv("AELIB_SEEDS", raising=False)
    assert Profile("full").seeds(full=2) == [0, 1]
    assert Profile("quick").seeds(full=2) == [0]
    monkeypatch.setenv("AELIB_SEEDS", "3")
    assert Profile("full").seeds(full=2) == [0, 1, 2]
    for wrong in ("0", "three", "-1"):
        monkeypatch.setenv("AELIB_SEEDS", wrong)
        with pytest.raises(ValueError, match="AELIB_SEEDS"):
            Profile("full").seeds()
