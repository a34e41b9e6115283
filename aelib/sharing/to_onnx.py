"""Export: an autoencoder's two halves as ONNX, for programs without PyTorch, each checked before it is kept.

Needs the packages ``onnx``, ``onnxscript`` and ``onnxruntime``: ``pip install "aelib[onnx]"``.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from aelib import __version__
from aelib.extras import extra


class _Half(nn.Module):
    """A method of a model as a module, which is what the exporter takes."""

    def __init__(self, model: nn.Module, method: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self.method = model, method

    def forward(self, given: Tensor) -> Tensor:
        return self.method(given)


def to_onnx(
    model: nn.Module, x: Tensor, folder: str | os.PathLike[str], *, tolerance: float = 1e-5
) -> dict[str, float]:
    r"""Write ``encoder.onnx`` (x to z) and ``decoder.onnx`` (z to x_hat) into *folder*, for batches of any size.

    Each is first run by onnxruntime, on *x* and on single examples of it, and compared with PyTorch:
    :math:`\max |a - b| \le \text{tolerance} \cdot \max(1, \max |a|)`. The encoder of a variational autoencoder gives
    the means. The model is exported as it is in evaluation mode, and is left in the mode that it had.

    Args:
        model: with ``encode`` and ``decode``.
        x: a batch (B, ...) of two examples or more.
        folder: made if it is not there.
        tolerance: in float32, 1e-5 leaves room for another order of summation.

    Returns:
        The largest absolute difference of each half, ``{"encoder": ..., "decoder": ...}``.

    Raises:
        ModuleNotFoundError: a package is missing.
        TypeError: the model has no encode or no decode.
        ValueError: *x* has fewer than two examples, or onnxruntime's answers differ by more; nothing is then written.
    """
    with extra("onnx"):
        import onnxruntime  # noqa: F401 (asked for before anything is looked at)
    encode, decode = getattr(model, "encode", None), getattr(model, "decode", None)
    if not callable(encode) or not callable(decode):
        raise TypeError(f"to_onnx takes a model with encode and decode; {type(model).__name__} has not both.")
    if len(x) < 2:
        raise ValueError(f"to_onnx needs a batch of two examples or more, to see which size varies; it got {len(x)}.")

    was_training = model.training
    model.eval()
    written: dict[str, bytes] = {}
    differences: dict[str, float] = {}
    try:
        with torch.no_grad():
            z = encode(x)
            halves = {"encoder": (encode, x, ("x", "z")), "decoder": (decode, z, ("z", "x_hat"))}
            for half, (method, given, names) in halves.items():
                written[half], differences[half] = checked_export(
                    _Half(model, method).eval(), given, names, tolerance, half, type(model).__name__
                )
    finally:
        model.train(was_training)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for half, content in written.items():
        (Path(folder) / f"{half}.onnx").write_bytes(content)
    return differences


def checked_export(
    module: nn.Module, given: Tensor, names: tuple[str, str], tolerance: float, part: str, model: str
) -> tuple[bytes, float]:
    """A module in evaluation mode as an ONNX file's content, and how far onnxruntime's answers are from PyTorch's.

    Args:
        module: from one tensor to one.
        given: a batch of two examples or more; any size will do later.
        names: of the input and the output.
        tolerance: as for :func:`to_onnx`.
        part, model: what is exported of what, for errors; the file says of what.

    Raises:
        ModuleNotFoundError: a package is missing.
        ValueError: the answers differ by more.
    """
    with extra("onnx"):
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 (torch.onnx needs it)
    takes, gives = names
    program = torch.onnx.export(
        module,
        (given,),
        dynamo=True,
        verbose=False,
        input_names=[takes],
        output_names=[gives],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    assert program is not None
    proto = program.model_proto
    proto.producer_name, proto.producer_version = f"aelib {model}", __version__
    onnx.checker.check_model(proto, full_check=True)
    content = proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    largest = 0.0
    for some in (given, given[:1], given[1:]):
        expected = module(some).cpu().numpy()
        (answer,) = session.run([gives], {takes: some.cpu().numpy()})
        difference = float(np.abs(answer - expected).max())
        if not difference <= tolerance * max(1.0, float(np.abs(expected).max())):
            raise ValueError(
                f"onnxruntime's {part} of {model} differs from PyTorch's by {difference:.3g}, more than the tolerance "
                f"of {tolerance:g} allows. Nothing was written."
            )
        largest = max(largest, difference)
    return content, largest
