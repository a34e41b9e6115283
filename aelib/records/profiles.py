"""How much of a chapter to run: ``smoke`` (seconds), ``quick`` (minutes) or ``full``, what the book shows.

A profile names a scale, not a device: the device is the best there is. This is the only place that reads
``AELIB_PROFILE`` and ``AELIB_SEEDS``. The chapter's code is the same in all three; only the sizes that it asks of its
profile differ, and whether long trainings are loaded from their records (:mod:`aelib.records.runs`).
"""

import os
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
NAMES = ("smoke", "quick", "full")


@dataclass(frozen=True)
class Profile:
    """A named scale. Calling it picks the value that belongs to it: ``profile(smoke=1, quick=5, full=50)``."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ValueError(
                f"AELIB_PROFILE must be one of {', '.join(NAMES)}; it is {self.name!r}. Unset it to get 'full'."
            )

    def __call__(self, *, smoke: T, quick: T, full: T) -> T:
        """The value that belongs to this profile."""
        return {"smoke": smoke, "quick": quick, "full": full}[self.name]

    def seeds(self, *, smoke: int = 1, quick: int = 1, full: int = 3) -> list[int]:
        """Seeds 0, 1, … of the repetitions to run; the variable ``AELIB_SEEDS`` (a count) overrides the profile's."""
        wanted = os.environ.get("AELIB_SEEDS") or str(self(smoke=smoke, quick=quick, full=full))
        if not wanted.isdecimal() or int(wanted) < 1:
            raise ValueError(f"AELIB_SEEDS must be a whole number of at least 1; it is {wanted!r}.")
        return list(range(int(wanted)))


def current_profile() -> Profile:
    """The profile that the environment variable ``AELIB_PROFILE`` names, ``full`` when it is unset.

    Raises:
        ValueError: the variable names no profile.
    """
    return Profile(os.environ.get("AELIB_PROFILE") or "full")
