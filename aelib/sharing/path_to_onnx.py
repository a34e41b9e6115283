"""Export of the whole path, from what a reader has to what a reader wants, as one ONNX file.

A program that has onnxruntime and no PyTorch then needs nothing else: raw rows or pictures go in, scores come out.
Needs the packages ``onnx``, ``onnxscript`` and ``onnxruntime``: ``pip install "aelib[onnx]"``.
"""

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from aelib.data import Columns, Scaling
from aelib.likelihoods.surprise import surprise
from aelib.sharing.to_onnx import checked_export

Transform = Columns | Scaling


class Scored(nn.Module):
    """From raw data to how strange they are to a model, in nats.

    Args:
        model: as :func:`aelib.likelihoods.surprise.surprise` takes it.
        transform: of a table, whose raw rows are numbers (B, columns) as ``Columns.raw`` gives them, NaN where one is
            missing; of series, whose raw windows are (B, window, channels); without one, pictures (B, C, H, W) as
            bytes, or anything as floats that the model takes itself.
    """

    def __init__(self, model: nn.Module, transform: Transform | None = None) -> None:
        super().__init__()
        self.model = model
        self.layer = transform.layer() if transform is not None else nn.Identity()

    def forward(self, raw: Tensor) -> Tensor:  # (B, ...) -> (B,)
        """Minus the log likelihood, and a variational code's divergence, of each example."""
        x = raw.to(torch.float32).div(255) if raw.dtype == torch.uint8 else self.layer(raw)
        return surprise(self.model, x.to(next(self.model.parameters()).dtype))


def path_to_onnx(path: nn.Module, raw: Tensor, file: str | os.PathLike[str], *, tolerance: float = 1e-5) -> float:
    """Write a module from raw data to scores as *file*, for batches of any size: ``raw`` goes in, ``score`` comes out.

    It is first run by onnxruntime, on *raw* and on parts of it, and compared with PyTorch as
    :func:`aelib.sharing.to_onnx.to_onnx` does it.

    Args:
        path: :class:`Scored`, or an estimator's ``scoring()``.
        raw: two examples or more.
        file: of the model, ``.onnx``; its folder is made if it is not there.
        tolerance: of the largest difference, in units of the largest score or of 1.

    Returns:
        The largest difference.

    Raises:
        ModuleNotFoundError: a package is missing.
        ValueError: *raw* has fewer than two examples, or onnxruntime's answers differ by more; nothing is then written.
    """
    if len(raw) < 2:
        raise ValueError(f"path_to_onnx needs two examples or more, to see which size varies; it got {len(raw)}.")
    was_training = path.training
    path.eval()
    try:
        with torch.no_grad():
            content, difference = checked_export(path, raw, ("raw", "score"), tolerance, "score", type(path).__name__)
    finally:
        path.train(was_training)
    target = Path(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.part")
    unfinished.write_bytes(content)
    unfinished.replace(target)
    return difference
