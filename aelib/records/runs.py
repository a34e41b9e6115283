"""Recorded runs: trained weights kept beside the results, for networks that a page has no time to train.

A record is one safetensors file: matrices and kernels in half precision, vectors as they are, and, in its header,
the history and where, when and how long it was trained. A page that loads one measures its numbers anew; only the
training is spared.
"""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from aelib.records.profiles import current_profile
from aelib.records.provenance import RESULTS, commit, hardware, today

COLUMNS = ["epoch", "split", "phase", "term", "value"]


def recorded(
    name: str,
    model: nn.Module,
    train: Callable[[], pd.DataFrame],
    *,
    weights: bool = True,
    folder: Path | None = None,
) -> pd.DataFrame:
    """Give *model* its recorded weights, or train it where there is no record.

    Args:
        name: of the run, unique in the book, e.g. ``"09-conv-published-seed0"``.
        model: the network, as it is before training.
        train: trains it in place and returns the history; called if there is no record of this profile, and
            always under ``smoke``. With ``AELIB_RECORD=1`` what was trained is recorded; to redo a record, delete it.
        weights: whether the weights are recorded too, or the history alone.
        folder: where records are; ``results/runs`` by default.

    Returns:
        The history. Its ``attrs`` hold ``"seconds"`` (a list, one an epoch) and whatever *train* put there; for a
        loaded record also ``"hardware"``, ``"date"`` and ``"commit"``.

    Raises:
        ValueError: the record is damaged or belongs to another network.
    """
    profile = current_profile().name
    path = (folder or RESULTS / "runs") / f"{name}.{profile}.safetensors"
    if path.exists() and profile != "smoke":
        return _load(path, model if weights else nn.Module())
    history = train()
    if os.environ.get("AELIB_RECORD") == "1" and profile != "smoke" and os.environ.get("RANK", "0") == "0":
        _save(path, model if weights else nn.Module(), history)
    return history


def _save(path: Path, model: nn.Module, history: pd.DataFrame) -> None:
    state, tied = model.state_dict(), _tied(model)
    # Vectors weigh little, and the variances that batch normalization keeps can be too large for half precision.
    tensors = {k: v.half() if v.dtype == torch.float32 and v.ndim > 1 else v for k, v in state.items() if k not in tied}
    if lost := [k for k, v in tensors.items() if v.is_floating_point() and not v.isfinite().all()]:
        raise FloatingPointError(f"The run is not recorded: {', '.join(lost)} would hold numbers that are not finite.")
    head = {
        "rows": history.to_dict("records"),
        "attrs": history.attrs,
        "hardware": hardware(),
        "commit": commit(),
        "date": today(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, temporary, {"run": json.dumps(head)})
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _tied(model: nn.Module) -> dict[str, str]:
    """What the model has under two names, e.g. tied weights: each further name, and the first. Recorded once."""
    first: dict[tuple[int, torch.Size], str] = {}
    names = {k: first.setdefault((v.data_ptr(), v.shape), k) for k, v in model.state_dict().items() if v.numel()}
    return {k: one for k, one in names.items() if k != one}


def _load(path: Path, model: nn.Module) -> pd.DataFrame:
    try:
        with safe_open(path, framework="pt") as file:
            head = json.loads(file.metadata()["run"])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
        state = {k: v.float() if v.dtype == torch.float16 else v for k, v in weights.items()}
        model.load_state_dict(state | {k: state[first] for k, first in _tied(model).items()})
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"{path.name} is no record of this {type(model).__name__} ({error}). "
            "Delete it; a run with AELIB_RECORD=1 then makes it anew."
        ) from error
    model.eval()
    history = pd.DataFrame(head["rows"], columns=COLUMNS)
    history.attrs |= head["attrs"] | {key: head[key] for key in ("hardware", "commit", "date")}
    return history
