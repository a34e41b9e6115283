"""Records of the first edition: found by name alone, they say nothing of the recipe that they were trained by.

Chapters that still use them train through :func:`recorded`; new ones declare an :class:`aelib.records.runs.Run`.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from torch import nn

from aelib.records.profiles import current_profile
from aelib.records.provenance import RESULTS
from aelib.records.record_file import read_head, read_weights

COLUMNS = ["epoch", "split", "phase", "term", "value"]


def recorded(
    name: str,
    model: nn.Module,
    train: Callable[[], pd.DataFrame],
    *,
    weights: bool = True,
    folder: Path | None = None,
) -> pd.DataFrame:
    """Give *model* its weights of the first edition under ``full``, or train it where there are none.

    Each record that is loaded is noted, a line with its name, in the file that the variable ``AELIB_FIRST_EDITION``
    names: a page can say how many of its networks have a recipe that is not proved.

    Args:
        name: of the run.
        model: the network, as it is before training.
        train: trains it in place and returns the history.
        weights: whether the weights were recorded too, or the history alone.
        folder: where records are; ``results/runs`` by default.

    Returns:
        The history. Its ``attrs`` hold ``"seconds"`` and whatever *train* put there; for a recorded run also
        ``"hardware"``, ``"commit"`` and ``"date"``.

    Raises:
        ValueError: the record is damaged or does not fit the model.
    """
    path = (folder or RESULTS / "runs") / f"{name}.cpu.safetensors"
    if current_profile().name != "full" or not path.exists():
        return train()
    head = read_head(path)
    if weights:
        read_weights(path, {"": model})
    if told := os.environ.get("AELIB_FIRST_EDITION"):
        with open(told, "a", encoding="utf-8") as file:
            file.write(json.dumps(name) + "\n")
    history = pd.DataFrame(head["rows"], columns=COLUMNS)
    history.attrs |= head["attrs"] | {key: head[key] for key in ("hardware", "commit", "date")}
    return history
