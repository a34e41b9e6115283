"""Arrays as text for the page: deflated bytes in base64, read by ``js/unpack.js``."""

import base64
import json
import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor


def pack(array: Tensor | np.ndarray) -> str:
    """Bytes as they are, anything else as 32-bit floats, row by row, little end first."""
    numbers = array.detach().cpu().numpy() if isinstance(array, Tensor) else array
    if numbers.dtype != np.uint8:
        numbers = numbers.astype("<f4")
    return base64.b64encode(zlib.compress(np.ascontiguousarray(numbers).tobytes(), 9)).decode()


def pack_codes(codes: Tensor) -> dict[str, Any]:
    """Codes (N, d) for drawing, each coordinate rounded to 1/65535 of its range."""
    low, high = codes.amin(0), codes.amax(0)
    step = torch.where(high > low, high - low, 1.0) / 65535
    numbers = torch.round((codes - low) / step).numpy().astype("<u2")
    planes = numbers.view(np.uint8).reshape(-1, 2).T
    return {"low": low.tolist(), "step": step.tolist(), "count": len(codes), "data": pack(planes)}


def pack_images(images: Tensor) -> dict[str, Any]:
    """Images (N, C, H, W), bytes or floats in [0, 1], as bytes."""
    return {"shape": list(images.shape[1:]), "count": len(images), "data": pack(as_bytes(images))}


def as_bytes(images: Tensor) -> Tensor:
    """Images in [0, 1] as bytes; bytes stay as they are."""
    return images if images.dtype == torch.uint8 else (images.clamp(0, 1) * 255).round().to(torch.uint8)


def to_json(data: Any) -> str:
    """JSON that may stand inside a <script>: pure ASCII, without <, > and &, so no text can end the element."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
