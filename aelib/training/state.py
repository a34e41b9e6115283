"""The state of a training run in one file, safetensors and never a pickle, written whole or not at all."""

import json
import os
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from glob import escape
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

FORMAT = "aelib training state 2"
Step = tuple[str, Optimizer, LRScheduler]


class StateFile:
    """Saves and restores modules, optimizers, schedules and history.

    Args:
        path: the file; with None, nothing is saved or restored.
        modules: by name.
        steps: for each phase its name, optimizer and schedule, none of which has taken a step.
        run: what else must agree for a run to be continued (epochs, batch size, seed, ...).
        callbacks: those that have a ``state_dict`` and a ``load_state_dict`` (of JSON) go on where they were.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        modules: Mapping[str, nn.Module],
        steps: Sequence[Step],
        run: Mapping[str, Any],
        callbacks: Sequence[object] = (),
    ) -> None:
        self.path = None if path is None else Path(path)
        self.modules, self.steps = modules, steps
        self.callbacks = [c for c in callbacks if hasattr(c, "state_dict") and hasattr(c, "load_state_dict")]
        self.run = {"format": FORMAT, "phases": [name for name, _, _ in steps], **described(run)}
        self.run["callbacks"] = [type(callback).__name__ for callback in self.callbacks]
        for name, optimizer, scheduler in steps:
            # From here on the optimizer's own numbers change, and a saved state overwrites them.
            self.run[f"optimizer of {name!r}"] = {"class": type(optimizer).__name__, **described(optimizer.defaults)}
            self.run[f"schedule of {name!r}"] = {
                "class": type(scheduler).__name__,
                **described(_plain_schedule(scheduler)),
            }
        for name, module in modules.items():
            shapes = {key: list(value.shape) for key, value in module.state_dict().items()}
            self.run[f"module {name!r}"] = {"class": type(module).__name__, "shapes": shapes}

    def save(self, rows: list[dict[str, Any]], epoch: int, done: bool) -> None:
        """Write the state after *epoch*, to a temporary name first."""
        if self.path is None:
            return
        tensors: dict[str, Tensor] = {}
        for name, module in self.modules.items():
            tensors |= {f"module/{name}/{key}": value for key, value in module.state_dict().items()}
        optimizers = []
        for i, (_, optimizer, scheduler) in enumerate(self.steps):
            state = optimizer.state_dict()
            for index, values in state["state"].items():
                tensors |= {f"optimizer/{i}/{index}/{key}": v for key, v in values.items() if isinstance(v, Tensor)}
            optimizers.append({"groups": state["param_groups"], "schedule": _plain_schedule(scheduler)})
        # safetensors refuses memory that two names share; a copy each is the price of a plain format.
        whole = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
        head = {
            "run": self.run,
            "epoch": epoch,
            "done": done,
            "rows": rows,
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

    def load(self) -> tuple[list[dict[str, Any]], int, bool]:
        """Restore the state, if there is one: the history's rows, the epochs done, and whether the run had ended.

        Raises:
            ValueError: the file is damaged, or belongs to another run; the message names what differs.
        """
        if self.path is None or not self.path.exists():
            return [], 0, False
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
        for i, ((_, optimizer, scheduler), saved) in enumerate(zip(self.steps, head["optimizers"], strict=True)):
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                kind, *place = key.split("/")
                if kind == "optimizer" and place[0] == str(i):
                    state.setdefault(int(place[1]), {})[place[2]] = value
            optimizer.load_state_dict({"state": state, "param_groups": saved["groups"]})
            scheduler.load_state_dict(saved["schedule"])
        for callback, values in zip(self.callbacks, head["callbacks"], strict=True):
            callback.load_state_dict(values)
        return head["rows"], head["epoch"], head["done"]

    def _compare(self, saved: Mapping[str, Any]) -> None:
        wanted = json.loads(json.dumps(self.run))
        for key in [*wanted, *(key for key in saved if key not in wanted)]:
            if saved.get(key) != wanted.get(key):
                had, has = (_short(d.get(key)) for d in (saved, wanted))
                raise ValueError(
                    f"{self.path} holds the state of another run: {key} was {had} there and is {has} here. "
                    "Give this run a state_file of its own, or delete the file."
                )


def described(value: Any) -> Any:
    """*value* as JSON can hold it, for comparison: dataclasses by class and fields, other objects by their class."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): described(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [described(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {"class": type(value).__name__} | {f.name: described(getattr(value, f.name)) for f in fields(value)}
    return getattr(value, "__name__", type(value).__name__)


def _plain_schedule(scheduler: LRScheduler) -> dict[str, Any]:
    return {key: value for key, value in scheduler.state_dict().items() if not callable(value)}


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """CRC-32 of all that is saved: it tells a file that a disk has damaged from a good one."""
    crc = zlib.crc32(text.encode())
    for key in sorted(tensors):
        crc = zlib.crc32(key.encode(), crc)
        crc = zlib.crc32(tensors[key].contiguous().reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def _short(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "…"


__all__ = ["StateFile"]
