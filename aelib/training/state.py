"""The state of a training run in one file, safetensors and never a pickle, written whole or not at all."""

import json
import os
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from aelib.records.description import differences

FORMAT = "aelib training state 3"
Step = tuple[str, Optimizer, LRScheduler]


class Saved(NamedTuple):
    """How far a run has come."""

    rows: list[dict[str, Any]]  # of the history
    seconds: list[float]  # that each epoch took
    epoch: int  # epochs done
    done: bool  # whether a callback has ended the run


class StateFile:
    """Saves and restores modules, optimizers, schedules and history.

    Args:
        path: the file; with None, nothing is saved or restored.
        modules: by name.
        steps: for each phase its name, optimizer and schedule, none of which has taken a step.
        recipe: what must agree for a run to be continued, as :func:`aelib.training.recipe.recipe_of` describes it.
        callbacks: those that have a ``state_dict`` and a ``load_state_dict`` (of JSON) go on where they were.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        modules: Mapping[str, nn.Module],
        steps: Sequence[Step],
        recipe: Mapping[str, Any],
        callbacks: Sequence[object] = (),
    ) -> None:
        self.path = None if path is None else Path(path)
        self.modules, self.steps = modules, steps
        self.callbacks = [c for c in callbacks if hasattr(c, "state_dict") and hasattr(c, "load_state_dict")]
        self.run = {"format": FORMAT, **recipe, "callbacks": [type(callback).__name__ for callback in self.callbacks]}

    def save(self, rows: list[dict[str, Any]], seconds: list[float], epoch: int, done: bool) -> None:
        """Write the state after *epoch*, to a temporary name first.

        Raises:
            TypeError: an optimizer keeps something that is neither a tensor, nor a number, text or container.
        """
        if self.path is None:
            return
        tensors: dict[str, Tensor] = {}
        for name, module in self.modules.items():
            tensors |= {f"module/{name}/{key}": value for key, value in module.state_dict().items()}
        optimizers = []
        for i, (_, optimizer, scheduler) in enumerate(self.steps):
            state = optimizer.state_dict()
            plain = {"state": state["state"], "groups": state["param_groups"], "schedule": _plain_schedule(scheduler)}
            optimizers.append(_packed(plain, f"optimizer/{i}", tensors))
        # safetensors refuses memory that two names share; a copy each is the price of a plain format.
        whole = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
        head = {
            "run": self.run,
            "epoch": epoch,
            "done": done,
            "rows": rows,
            "seconds": seconds,
            "optimizers": optimizers,
            "callbacks": [callback.state_dict() for callback in self.callbacks],
        }
        text = json.dumps(head)
        metadata = {"state": text, "checksum": _checksum(text, whole)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(save(whole, metadata))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        for left in self.path.parent.glob(f".{escape(self.path.name)}.*"):
            left.unlink(missing_ok=True)  # by a run that was killed while it wrote

    def load(self) -> Saved:
        """Restore the state, if there is one, and say how far the run has come.

        Raises:
            ValueError: the file is damaged, or belongs to another run; the message names what differs.
        """
        if self.path is None or not self.path.exists():
            return Saved([], [], 0, False)
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
            text = metadata.get("state", "{}")
            if metadata.get("checksum", "") not in ("", _checksum(text, tensors)):
                raise ValueError("its checksum is not that of its content")
            head = json.loads(text)
        except (SafetensorError, OSError, ValueError) as error:
            raise ValueError(
                f"{self.path} is no readable training state ({error}). Delete it to start anew."
            ) from error
        self._compare(head.get("run", {}))
        for name, module in self.modules.items():
            prefix = f"module/{name}/"
            module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        for (_, optimizer, scheduler), packed in zip(self.steps, head["optimizers"], strict=True):
            saved = _unpacked(packed, tensors)
            optimizer.load_state_dict({"state": saved["state"], "param_groups": saved["groups"]})
            scheduler.load_state_dict(saved["schedule"])
        for callback, values in zip(self.callbacks, head["callbacks"], strict=True):
            callback.load_state_dict(values)
        return Saved(head["rows"], head["seconds"], head["epoch"], head["done"])

    def _compare(self, saved: Mapping[str, Any]) -> None:
        if found := differences(saved, json.loads(json.dumps(self.run))):
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise ValueError(
                f"{self.path} holds the state of another run: {found[0]}{more}. "
                "Give this run a state_file of its own, or delete the file."
            )


def _packed(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """*value* as JSON, its tensors put into *tensors* under names that begin with *name*; :func:`_unpacked` undoes it.

    A container becomes a list that begins with its kind, so that a tuple and a key that is a number come back.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        tensors[name] = value
        return ["tensor", name]
    if isinstance(value, Mapping):
        return ["dict", *([key, _packed(one, f"{name}/{key}", tensors)] for key, one in value.items())]
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return [kind, *(_packed(one, f"{name}/{i}", tensors) for i, one in enumerate(value))]
    raise TypeError(
        f"The state of {name} is a {type(value).__name__}, which a state file does not hold: it takes tensors, "
        "numbers, texts, and lists, tuples and dicts of them. Train without a state_file, or with another optimizer."
    )


def _unpacked(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(value, list):
        return value
    kind, *rest = value
    if kind == "tensor":
        return tensors[rest[0]]
    if kind == "dict":
        return {key: _unpacked(one, tensors) for key, one in rest}
    found = [_unpacked(one, tensors) for one in rest]
    return tuple(found) if kind == "tuple" else found


def _plain_schedule(scheduler: LRScheduler) -> dict[str, Any]:
    return {key: value for key, value in scheduler.state_dict().items() if not callable(value)}


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """CRC-32 of all that is saved: it tells a file that a disk has damaged from a good one."""
    crc = zlib.crc32(text.encode())
    for key in sorted(tensors):
        crc = zlib.crc32(key.encode(), crc)
        crc = zlib.crc32(tensors[key].contiguous().reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


__all__ = ["StateFile"]
