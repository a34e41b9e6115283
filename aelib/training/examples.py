"""What readers' data sets hold, as tensors: an example is a tensor, a picture, a pair with a label, or a mapping."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Where mappings, such as the rows of Hugging Face's data sets, keep an example and its label.
INPUTS = ("x", "image", "img", "pixel_values", "input", "inputs", "data", "features", "values")
LABELS = ("y", "label", "labels", "target", "targets", "fine_label")
MODES = {"1": "L", "L": "L", "LA": "RGBA", "RGB": "RGB", "RGBA": "RGBA", "P": "RGB", "CMYK": "RGB"}


def parts(item: Any) -> tuple[Any, Any]:
    """An item of a data set, or a batch of them, as what is to be learned and its label, None where it has none.

    Taken are a pair (x, y) or (x,), a mapping such as ``{"image": x, "label": y}``, and anything else as x alone.

    Raises:
        TypeError: a mapping without an x, or nothing.
    """
    if isinstance(item, Mapping):
        keys = [key for key in INPUTS if key in item]
        if not keys:
            names = " or ".join(map(repr, INPUTS[:3]))
            raise TypeError(f"it has the columns {sorted(map(str, item))}: call the one to learn {names}")
        return item[keys[0]], next((item[key] for key in LABELS if key in item), None)
    if isinstance(item, tuple | list):
        if not item:
            raise TypeError("it is empty: give a tensor, or a tensor and a label")
        return item[0], item[1] if len(item) > 1 else None
    return item, None


def numbers(x: Any) -> Tensor:
    """A tensor, an array or a Pillow image, which becomes (C, H, W), as a tensor of bytes or float32.

    Raises:
        TypeError: something else, or whole numbers that are no bytes.
    """
    if hasattr(x, "getbands") and hasattr(x, "convert"):  # a Pillow image: Pillow need not be installed to know it
        if x.mode not in MODES:
            raise TypeError(f"it is a picture of mode {x.mode}: convert it to L or RGB")
        array = np.array(x.convert(MODES[x.mode]))
        x = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    if isinstance(x, np.ndarray | np.generic):
        x = torch.as_tensor(np.array(x))
    if not isinstance(x, Tensor):
        raise TypeError(f"it is a {type(x).__name__}: give a tensor, an array, or a picture")
    if x.dtype in (torch.uint8, torch.float32):
        return x
    if x.is_floating_point() or x.dtype == torch.bool:
        return x.to(torch.float32)
    raise TypeError(f"it holds {str(x.dtype).removeprefix('torch.')}: convert it by .float(), and scale it")


def label(y: Any) -> Tensor | None:
    """A label that is a number, (), int64 or float32; None for any other."""
    if isinstance(y, Tensor | np.ndarray | np.generic):
        y = y.item() if np.prod(y.shape) == 1 and not np.iscomplexobj(y) else None
    if isinstance(y, bool | int | float):
        return torch.tensor(y, dtype=torch.float32 if isinstance(y, float) else torch.int64)
    return None


def labels(y: Any, count: int) -> Tensor | None:
    """The labels of a batch, (B,), int64 or float32; None for anything else."""
    if isinstance(y, np.ndarray):
        y = torch.as_tensor(y)
    if not isinstance(y, Tensor) or y.shape != (count,):
        return None
    return y.to(torch.float32 if y.is_floating_point() else torch.int64)
