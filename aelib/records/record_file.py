"""A record's file: safetensors, the weights of some modules, and in its header what else is known of their training."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from aelib.records.description import differences

Modules = Mapping[str, nn.Module]


def contents(modules: Modules, half: bool = True) -> dict[str, Tensor]:
    """What a record holds of the modules: every tensor once, by ``module/name``.

    Args:
        half: whether matrices and kernels are in half precision. Vectors weigh little, and the variances that batch
            normalization keeps can be too large for it.
    """
    state, tied = _state(modules), _tied(modules)
    kept = {key: value for key, value in state.items() if key not in tied}
    return {k: v.half() if half and v.dtype == torch.float32 and v.ndim > 1 else v for k, v in kept.items()}


def write(path: Path, modules: Modules, head: Mapping[str, Any], half: bool = True) -> None:
    """Write a record under a temporary name, then rename it.

    Raises:
        FloatingPointError: a weight is not finite, or would not be in half precision; nothing is written.
    """
    tensors = contents(modules, half)
    if lost := [k for k, v in tensors.items() if v.is_floating_point() and not v.isfinite().all()]:
        raise FloatingPointError(f"The run is not recorded: {', '.join(lost)} would hold numbers that are not finite.")
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


def read_head(path: Path) -> dict[str, Any]:
    """What is known of the training.

    Raises:
        ValueError: the file is no record.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {})["run"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path.name} is no readable record ({error}). Delete it, and record the run again."
        ) from error


def read_weights(path: Path, modules: Modules) -> None:
    """Give the modules their recorded weights, and put them in evaluation mode.

    Raises:
        ValueError: the file is no record of such modules.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
        state = {k: v.float() if v.dtype == torch.float16 else v for k, v in state.items()}
        state |= {key: state[first] for key, first in _tied(modules).items()}
        for name, module in modules.items():
            prefix = _prefix(name)
            module.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
            module.eval()
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{path.name} does not hold these modules ({error}). Delete it, and record it again."
        ) from error


def prepared(folder: Path, recipe: Mapping[str, Any]) -> Path:
    """The folder for the states of a training that is not finished, emptied if one by another recipe has filled it."""
    told = folder / "recipe.json"
    try:
        known = not differences(json.loads(told.read_text(encoding="utf-8")), recipe)
    except (OSError, ValueError):
        known = False
    if not known:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        part = told.with_suffix(".part")
        part.write_text(json.dumps(recipe), encoding="utf-8")
        part.replace(told)
    return folder


def plain(value: Any) -> Any:
    """Numbers, lists and dicts, as JSON has them."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _state(modules: Modules) -> dict[str, Tensor]:
    state = ((name, *item) for name, module in modules.items() for item in module.state_dict().items())
    return {f"{_prefix(name)}{key}": value for name, key, value in state}


def _prefix(name: str) -> str:
    """The first edition's records hold one module, without a name."""
    return f"{name}/" if name else ""


def _tied(modules: Modules) -> dict[str, str]:
    """What the modules have under two names, e.g. tied weights: each further name, and the first. Recorded once."""
    first: dict[tuple[int, torch.Size], str] = {}
    names = {k: first.setdefault((v.data_ptr(), v.shape), k) for k, v in _state(modules).items() if v.numel()}
    return {k: one for k, one in names.items() if k != one}
