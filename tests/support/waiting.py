"""What makes a program wait for a GPU, noticed without one: on a pretended GPU, and by counting on a CPU."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# Their answer's value or length has to be known to go on.
LOOKS = {
    "aten::_local_scalar_dense",
    "aten::bincount",
    "aten::equal",
    "aten::masked_select",
    "aten::nonzero",
    "aten::repeat_interleave.Tensor",
}
# From the device to Python or back again: PyTorch waits for the stream unless both ends are prepared for it.
CROSSINGS = {Tensor.cpu, Tensor.numpy, Tensor.tolist, Tensor.cuda, torch.from_numpy, torch.tensor}


class Waits(TorchDispatchMode):
    """Collects what would wait in its context; ``with Waits() as waits`` … ``waits.seen``."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.crossings = _Crossings(self.seen)

    def __enter__(self) -> "Waits":
        self.crossings.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.crossings.__exit__(*error)

    def __torch_dispatch__(self, op: Any, types: Any, args: tuple = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        name = op._schema.name
        if name in LOOKS or f"{name}.{op._overloadname}" in LOOKS:
            self.seen.append(name)
        if name in ("aten::index", "aten::index_put", "aten::index_put_"):
            chosen = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)]
            self.seen += [f"{name} by a mask"] * len(chosen)
        out = op(*args, **kwargs)
        if name in ("aten::_to_copy", "aten::copy_"):
            source = args[1] if name == "aten::copy_" else args[0]
            if source.device != out.device:
                self.seen.append(f"{name} from {source.device} to {out.device}")
        return out


class _Crossings(TorchFunctionMode):
    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        if function in CROSSINGS:
            self.seen.append(function.__name__)
        before = len(self.seen)
        out = function(*args, **(kwargs or {}))
        if function is one_hot:  # looks on CPUs only
            del self.seen[before:]
        return out


class PretendedGPU:
    """Moves modules and data to a GPU that is not there: shapes and devices without numbers, by PyTorch's fake tensors.

    In :attr:`mode` whatever mixes devices raises, and so does whatever needs a value.
    """

    def __init__(self) -> None:
        from torch._subclasses.fake_tensor import FakeTensorMode

        self.mode = FakeTensorMode(allow_non_fake_inputs=True)
        self.device = torch.device("cuda", 0)
        self.moved: dict[int, tuple[Tensor, Tensor]] = {}  # tied weights stay tied

    def tensor(self, x: Tensor) -> Tensor:
        if id(x) not in self.moved:
            with self.mode:
                there = torch.empty(x.shape, dtype=x.dtype, device=self.device)
            if isinstance(x, nn.Parameter):
                there = nn.Parameter(there, x.requires_grad)
            self.moved[id(x)] = x, there
        return self.moved[id(x)][1]

    def modules(self, modules: Mapping[str, nn.Module]) -> Mapping[str, nn.Module]:
        for module in (part for whole in modules.values() for part in whole.modules()):
            for name, parameter in [*module._parameters.items()]:
                if parameter is not None:
                    setattr(module, name, self.tensor(parameter))
            for name, buffer in module._buffers.items():
                module._buffers[name] = None if buffer is None else self.tensor(buffer)
        return modules

    def data(self, value: Any) -> Any:
        """A data set, by its fields: its own checks may look at numbers."""
        if isinstance(value, Tensor):
            return self.tensor(value)
        if not is_dataclass(value):
            return value
        moved = object.__new__(type(value))
        for field in fields(value):
            object.__setattr__(moved, field.name, self.data(getattr(value, field.name)))
        return moved


def waits_of(work: Callable[[], object]) -> list[str]:
    """What would have waited while *work* ran."""
    with Waits() as waits:
        work()
    return waits.seen
