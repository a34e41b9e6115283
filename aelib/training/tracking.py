"""Trackers: the history's numbers, after each epoch, to TensorBoard or whatever else ``accelerate`` knows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from accelerate import Accelerator
from accelerate.tracking import GeneralTracker

LogWith: TypeAlias = str | GeneralTracker | Sequence[str | GeneralTracker]


@contextmanager
def tracking(accelerator: Accelerator, log_with: LogWith | None, name: str, run: Mapping[str, Any]) -> Iterator[None]:
    """Start the accelerator's trackers, and finish them when the training ends, in whatever way.

    Args:
        accelerator: made with the same *log_with*; its ``log`` then reaches the trackers, in the first process alone.
        log_with: names or trackers, or None.
        name: of the run.
        run: its settings: numbers and texts.

    Raises:
        ValueError: a tracker that is asked for is not installed, which ``accelerate`` would pass over in silence.
    """
    asked = [log_with] if isinstance(log_with, str | GeneralTracker) else list(log_with or [])
    found = {str(tracker) for tracker in accelerator.log_with}
    if missing := [one for one in asked if isinstance(one, str) and one != "all" and one not in found]:
        raise ValueError(
            f"No {' and no '.join(missing)} is installed here. pip install it (TensorBoard comes with "
            '"aelib[tensorboard]"), or leave log_with away.'
        )
    accelerator.init_trackers(name, config=dict(run))
    try:
        yield
    finally:
        for tracker in accelerator.trackers:
            tracker.finish()
