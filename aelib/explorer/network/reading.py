"""What a page holds, read back: the networks and arrays that ``quantize.py`` and ``packing.py`` wrote."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aelib.explorer.network.layers import Step

WRITTEN_APART = ("kind", "bits", "weight", "scale", "bias")  # of a step; the rest is its geometry


def unpack(text: str, kind: str = "<f4") -> np.ndarray:
    """The flat array that :func:`~aelib.explorer.network.packing.pack` wrote; ``kind`` is ``"u1"`` for bytes."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=kind)


def unpack_codes(data: Mapping[str, Any]) -> Tensor:
    """Codes (N, d), as rounded by :func:`~aelib.explorer.network.packing.pack_codes`."""
    low, high = unpack(data["data"], "u1").reshape(2, -1).astype(np.uint16)
    numbers = torch.from_numpy((low + 256 * high).astype(np.float32)).view(data["count"], -1)
    return torch.tensor(data["low"]) + numbers * torch.tensor(data["step"])


def steps(payload: Sequence[Mapping[str, Any]]) -> list[Step]:
    """The steps of a network in a page, with the weights as rounded for it."""
    return [
        Step(
            data["kind"],
            {key: value for key, value in data.items() if key not in WRITTEN_APART},
            _weight(data),
            _floats(data.get("bias")),
        )
        for data in payload
    ]


def _weight(data: Mapping[str, Any]) -> Tensor:
    if "scale" not in data:
        return _floats(data.get("weight"))
    scale, planes = _floats(data["scale"]), unpack(data["weight"], "u1")
    wide = data["bits"] > 8  # then all low bytes come first
    levels = np.ascontiguousarray(planes.reshape(2, -1).T).view("<i2") if wide else planes.view("i1")
    return scale[:, None] * torch.from_numpy(levels.astype(np.float32)).view(len(scale), -1)


def _floats(text: str | None) -> Tensor:
    return torch.empty(0) if text is None else torch.from_numpy(unpack(text).copy())
