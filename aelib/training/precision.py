"""How exactly a training computes: in float32, in TF32 on the GPUs that have it, or in bfloat16."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.utils import convert_to_fp32
from torch import nn

PRECISIONS = ("float32", "tf32", "bf16")


def chosen_precision(asked: str | None) -> str:
    """*asked*, or, for None, what ``accelerate launch --mixed_precision`` was told; ``"tf32"`` where it was told none.

    Raises:
        ValueError: it is none of ``"float32"``, ``"tf32"`` and ``"bf16"``.
    """
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    found = asked if asked is not None else "tf32" if launched == "no" else launched
    if found not in PRECISIONS:
        raise ValueError(
            f'A training\'s precision is "float32", "tf32" or "bf16"; it is {found!r}. '
            "(Half precision, fp16, would need a scaled loss, which fit does not have.)"
        )
    return found


@contextmanager
def training_precision(precision: str, modules: Mapping[str, nn.Module], device: torch.device) -> Iterator[None]:
    """Compute in this precision, and leave all settings as they were.

    On a GPU ``"float32"`` and the two others decide whether matrix products and convolutions of float32 may use TF32;
    on a CPU these are in float32 always. With ``"bf16"`` the modules' calls run under autocast, and what they return
    is converted to float32: the objectives' terms are as exact as the numbers that they are computed from. On a CPU
    without instructions for bfloat16, whose oneDNN has no recurrent layer for it, PyTorch's own kernels compute.
    """
    cuda = device.type == "cuda"
    matmul, convolution = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    low = modules.values() if precision == "bf16" else ()
    one_dnn = torch.backends.mkldnn.enabled
    try:
        if low and device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
        if cuda:
            torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
            torch.backends.cudnn.allow_tf32 = precision != "float32"
        for module in low:
            module.forward = _under_autocast(module.forward, device.type)
        yield
    finally:
        for module in low:
            module.__dict__.pop("forward", None)  # the class's own is found again
        torch.backends.mkldnn.enabled = one_dnn
        if cuda:
            torch.set_float32_matmul_precision(matmul)
            torch.backends.cudnn.allow_tf32 = convolution


def _under_autocast(forward: Callable[..., Any], device: str) -> Callable[..., Any]:
    def low(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(device, torch.bfloat16):
            out = forward(*args, **kwargs)
        return convert_to_fp32(out)

    return low
