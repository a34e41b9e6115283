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
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 (torch.onnx needs it)
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
            for half, (method, given, (takes, gives)) in halves.items():
                program = torch.onnx.export(
                    _Half(model, method).eval(),
                    (given,),
                    dynamo=True,
                    verbose=False,
                    input_names=[takes],
                    output_names=[gives],
                    dynamic_shapes=({0: torch.export.Dim("batch")},),
                )
                assert program is not None
                proto = program.model_proto
                proto.producer_name, proto.producer_version = f"aelib {type(model).__name__}", __version__
                onnx.checker.check_model(proto, full_check=True)
                written[half] = proto.SerializeToString()
                session = onnxruntime.InferenceSession(written[half], providers=["CPUExecutionProvider"])
                differences[half] = 0.0
                for some in (given, given[:1], given[1:]):
                    expected = method(some).cpu().numpy()
                    (answer,) = session.run([gives], {takes: some.cpu().numpy()})
                    difference = float(np.abs(answer - expected).max())
                    if not difference <= tolerance * max(1.0, float(np.abs(expected).max())):
                        raise ValueError(
                            f"onnxruntime's {half} of {type(model).__name__} differs from PyTorch's by "
                            f"{difference:.3g}, more than the tolerance of {tolerance:g} allows. Nothing was written."
                        )
                    differences[half] = max(differences[half], difference)
    finally:
        model.train(was_training)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for half, content in written.items():
        (Path(folder) / f"{half}.onnx").write_bytes(content)
    return differences
