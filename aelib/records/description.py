"""What a thing is, as plain JSON: settings by name and value, numbers by checksum or fingerprint.

Two descriptions made on different machines agree if the things do: there are no addresses, no names of files or
modules, and floating-point numbers, whose last bits differ from CPU to CPU, are compared with a tolerance.
"""

import functools
import inspect
import json
import math
import zlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from aelib.records.fingerprint import alike, checksum, fingerprint

LONG = 100  # longer sequences are described by a checksum

_known: WeakIdKeyDictionary = WeakIdKeyDictionary()


def described(value: Any) -> Any:
    """*value* as JSON can hold it, for comparison by :func:`differences`.

    - Numbers, texts and containers are themselves; a sequence of more than 100 elements is its length and CRC-32.
    - An object that has a method ``description()`` is what that returns.
    - A tensor of integers is its shape, type and CRC-32; one of floating-point numbers its fingerprint
      (:mod:`aelib.records.fingerprint`).
    - A module is its class, settings, parts, and the fingerprints of its weights.
    - A function is its qualified name, with the values that it closes over; its code is not looked at, so a number
      that matters has to be an argument. A ``functools.partial`` is its function and arguments.
    - Any other object is its class and its attributes; a dataclass its fields, without those of ``compare=False``, and
      apart from the others those that have their default: a field added to the class later makes no difference.
    """
    return _described(value, ())


def architecture(module: nn.Module) -> dict[str, Any]:
    """A module's class, its settings and those of its parts, the shapes of its parameters; no weights."""
    return _architecture(module, ())


def weights(module: nn.Module) -> dict[str, Any]:
    """The fingerprint of each of a module's tensors, by name."""
    return {key: described(value) for key, value in module.state_dict().items()}


def short(description: Any) -> str:
    """CRC-32 of a description: a name for it."""
    return f"{zlib.crc32(json.dumps(description, sort_keys=True).encode()):08x}"


def differences(saved: Any, wanted: Any, where: str = "") -> list[str]:
    """How two descriptions differ: one phrase a field, such as ``"optimizer: lr was 0.001 there and is 0.01 here"``.

    Fingerprints agree within a thousandth of the tensor's root mean square, other floating-point numbers within a
    millionth.
    """
    if isinstance(saved, Mapping) and isinstance(wanted, Mapping):
        if saved.get("class") != wanted.get("class"):
            return [_differ(where, saved.get("class", saved), wanted.get("class", wanted))]
        if "defaults" in saved or "defaults" in wanted:
            saved, wanted = _with_defaults(saved, wanted), _with_defaults(wanted, saved)
        if "fingerprint" in saved and "fingerprint" in wanted and saved["shape"] == wanted["shape"]:
            same = alike(saved["fingerprint"], wanted["fingerprint"])
            return [] if same else [f"{where} holds other numbers here than there"]
        if "checksum" in saved and "checksum" in wanted and saved.keys() == wanted.keys():
            same = saved == wanted
            return [] if same else [_differ(where, saved, wanted)]
        keys = [*wanted, *(key for key in saved if key not in wanted)]
        inside = f"{where}: " if where else ""
        return [d for key in keys for d in differences(saved.get(key), wanted.get(key), f"{inside}{key}")]
    if isinstance(saved, list) and isinstance(wanted, list) and len(saved) == len(wanted):
        if all(isinstance(v, Mapping | list) for v in [*saved, *wanted]):
            pairs = enumerate(zip(saved, wanted, strict=True), 1)
            return [
                d for i, (one, other) in pairs for d in differences(one, other, f"{where} {i}" if where else str(i))
            ]
        same = all(not differences(one, other) for one, other in zip(saved, wanted, strict=True))
    elif isinstance(saved, int | float) and isinstance(wanted, int | float):
        same = math.isclose(saved, wanted, rel_tol=1e-6) and isinstance(saved, bool) == isinstance(wanted, bool)
    else:
        same = saved == wanted
    return [] if same else [_differ(where, saved, wanted)]


def _with_defaults(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a dataclass with those fields at their default that the other one knows."""
    known = {*other, *other.get("defaults", {})}
    found = {key: value for key, value in one.items() if key != "defaults"}
    return found | {key: value for key, value in one.get("defaults", {}).items() if key in known}


def _described(value: Any, inside: tuple[int, ...]) -> Any:
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Tensor | np.ndarray):
        return _tensor(torch.as_tensor(value))
    if isinstance(value, PurePath):
        return value.name
    if isinstance(value, torch.dtype | torch.device | bytes | complex | slice | range):
        return str(value)
    if isinstance(value, type):
        return value.__qualname__
    if id(value) in inside:  # a function that calls itself, an object that knows itself
        return {"class": type(value).__qualname__}
    inside = (*inside, id(value))
    if callable(getattr(value, "description", None)):
        return _described(value.description(), inside)
    if isinstance(value, nn.Module):
        return _architecture(value, inside) | {"weights": weights(value)}
    if isinstance(value, Mapping):
        return {str(key): _described(one, inside) for key, one in value.items()}
    if isinstance(value, list | tuple | AbstractSet):
        found = [_described(one, inside) for one in value]
        found = sorted(found, key=json.dumps) if isinstance(value, AbstractSet) else found
        return found if len(found) <= LONG else {"length": len(found), "checksum": short(found)}
    if isinstance(value, functools.partial):
        of = {"class": _name(value.func), "arguments": _described(value.args, inside)}
        return of | {key: _described(one, inside) for key, one in value.keywords.items()}
    if isinstance(value, MethodType):
        return {"class": _name(value), "of": _described(value.__self__, inside)}
    if isinstance(value, FunctionType):
        return {"class": _name(value)} | _closure(value, inside)
    if isinstance(value, BuiltinFunctionType) or inspect.isroutine(value):
        return _name(value)
    kind = {"class": type(value).__qualname__}
    if not is_dataclass(value):
        slots = [s for c in type(value).__mro__ for s in np.atleast_1d(getattr(c, "__slots__", ())).tolist()]
        kept = {s: getattr(value, s) for s in slots if hasattr(value, s)} | getattr(value, "__dict__", {})
        return kind | {key: _described(one, inside) for key, one in kept.items() if key != "__dict__"}
    own = [f for f in fields(value) if f.compare]
    told = {f.name: _described(getattr(value, f.name), inside) for f in own}
    usual = {f.name: _described(f.default, inside) for f in own if f.default is not MISSING}
    defaults = {key: one for key, one in told.items() if key in usual and usual[key] == one}
    return kind | {k: v for k, v in told.items() if k not in defaults} | ({"defaults": defaults} if defaults else {})


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)


def _closure(function: FunctionType, inside: tuple[int, ...]) -> dict[str, Any]:
    names, cells = function.__code__.co_freevars, function.__closure__ or ()
    held = {}
    for name, cell in zip(names, cells, strict=True):
        try:
            held[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    given = inspect.signature(function).parameters.values()
    held |= {p.name: p.default for p in given if p.default is not p.empty}
    return {key: _described(value, inside) for key, value in held.items()}


def _architecture(module: nn.Module, inside: tuple[int, ...]) -> dict[str, Any]:
    inside = (*inside, id(module))
    kept = {k: v for k, v in vars(module).items() if not k.startswith("_") and k not in ("training", "forward")}
    own = {**module._parameters, **module._buffers}
    found = {"class": type(module).__qualname__} | {key: _described(value, inside) for key, value in kept.items()}
    shapes = {key: list(value.shape) for key, value in own.items() if value is not None}
    frozen = [key for key, value in module._parameters.items() if value is not None and not value.requires_grad]
    parts = {key: _architecture(part, inside) for key, part in module._modules.items() if part is not None}
    return found | {k: v for k, v in (("shapes", shapes), ("frozen", frozen), ("parts", parts)) if v}


def _tensor(x: Tensor) -> dict[str, Any]:
    """A tensor's description; that of a large one is remembered for as long as it lives unchanged."""
    version = 0 if x.is_inference() else x._version
    if x in _known and _known[x][0] == version:
        return _known[x][1]
    found: dict[str, Any] = {"shape": list(x.shape), "dtype": str(x.dtype).removeprefix("torch.")}
    if isinstance(x, nn.Parameter):
        return found  # its numbers are told once, as those of its module's start
    if x.is_floating_point() or x.is_complex():
        found["fingerprint"] = fingerprint(x)
    else:
        found["checksum"] = checksum(x)
    if x.numel() > 100_000:
        _known[x] = (version, found)
    return found


def _differ(where: str, saved: Any, wanted: Any) -> str:
    had, has = (_text(value) for value in (saved, wanted))
    return f"{where or 'it'} was {had} there and is {has} here"


def _text(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "…"
