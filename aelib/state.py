"""The state of a training run in one file, safetensors and never a pickle, written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

FORMAT = "aelib training state 1"
Step = tuple[str, Optimizer, LRScheduler]


class StateFile:
    """Saves and restores modules, optimizers, schedules and history.

    Args:
        path: the file; with None, nothing is saved or restored.
        modules: by name.
        steps: for each phase its name, optimizer and schedule.
        run: what else must agree for a run to be continued (epochs, batch size, seed, ...).
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        modules: Mapping[str, nn.Module],
        steps: Sequence[Step],
        run: Mapping[str, Any],
    ) -> None:
        self.path = None if path is None else Path(path)
        self.modules, self.steps = modules, steps
        self.run = {"format": FORMAT, **run, "phases": [name for name, _, _ in steps]}
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
            schedule = {k: v for k, v in scheduler.state_dict().items() if not callable(v)}
            optimizers.append({"groups": state["param_groups"], "schedule": schedule})
        head = {"run": self.run, "epoch": epoch, "done": done, "rows": rows, "optimizers": optimizers}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        os.close(handle)
        try:
            # safetensors refuses memory that two names share; a copy each is the price of a plain format.
            whole = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
            save_file(whole, temporary, metadata={"state": json.dumps(head)})
            os.replace(temporary, self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def load(self) -> tuple[list[dict[str, Any]], int, bool]:
        """Restore the state, if there is one: the history's rows, the epochs done, and whether the run had ended.

        Raises:
            ValueError: the file is damaged, or belongs to another run; the message names what differs.
        """
        if self.path is None or not self.path.exists():
            return [], 0, False
        try:
            with safe_open(self.path, framework="pt") as file:
                head = json.loads((file.metadata() or {}).get("state", "{}"))
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
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


def _short(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "…"


__all__ = ["StateFile"]
