"""How sparse codes are, which units are dead, and what shrinkage costs."""

import torch
from torch import Tensor


def _check(z: Tensor) -> None:
    if z.ndim != 2 or z.numel() == 0:
        raise ValueError(f"Expected codes of shape (N, units), not empty; they are {tuple(z.shape)}.")


def l0(z: Tensor) -> float:
    """How many units are active (not zero) for an example, averaged over the examples; z has shape (N, units)."""
    _check(z)
    return (z != 0).sum(1).float().mean().item()


def activity(z: Tensor) -> Tensor:
    """The fraction of the examples for which each unit is active (not zero): (N, units) to (units,)."""
    _check(z)
    return (z != 0).float().mean(0)


def dead_units(z: Tensor) -> int:
    """How many units are active for none of the examples; z has shape (N, units)."""
    return int((activity(z) == 0).sum())


def unexplained(x_hat: Tensor, x: Tensor) -> float:
    r"""Fraction of variance unexplained, :math:`\sum \lVert x_n - \hat x_n \rVert^2 / \sum \lVert x_n - m \rVert^2`.

    *m* is the mean of *x* over the examples: always to answer *m* scores 1, a perfect copy 0.

    Raises:
        ValueError: the shapes differ, or all examples are the same.
    """
    if not x.is_floating_point() or not x_hat.is_floating_point():
        raise TypeError(f"unexplained compares floating-point batches; they are {x_hat.dtype} and {x.dtype}.")
    if x_hat.shape != x.shape or x.ndim < 1 or len(x) < 2 or not (spread := (x - x.mean(0)).square().sum()) > 0:
        raise ValueError(
            f"unexplained compares two batches of one shape, of examples that differ; they are {tuple(x_hat.shape)} "
            f"and {tuple(x.shape)}."
        )
    return ((x - x_hat).square().sum() / spread).item()


def refit(z: Tensor, dictionary: Tensor, x: Tensor) -> Tensor:
    r"""The best codes that have the same units active: :math:`\min_{z'} \lVert x - D z' \rVert^2` on the support of z.

    What a penalty on the size of the code has taken from it, this gives back. Solved for each example by the
    normal equations of its active columns, in double precision.

    Args:
        z: codes (N, units).
        dictionary: *D*, (d, units).
        x: what is to be reconstructed, without the bias: (N, d).

    Returns:
        Codes (N, units), zero where *z* is.

    Raises:
        ValueError: the shapes do not fit, or a number is not finite.
        TypeError: they are not floats of one type.
    """
    _check(z)
    if x.ndim != 2 or dictionary.shape != (x.shape[1], z.shape[1]) or len(x) != len(z):
        raise ValueError(
            f"refit takes codes (N, units), a dictionary (d, units) and inputs (N, d); they are {tuple(z.shape)}, "
            f"{tuple(dictionary.shape)} and {tuple(x.shape)}."
        )
    if not z.is_floating_point() or not z.dtype == dictionary.dtype == x.dtype:
        raise TypeError(f"refit takes floats of one type; they are {z.dtype}, {dictionary.dtype} and {x.dtype}.")
    if not (z.isfinite().all() and dictionary.isfinite().all() and x.isfinite().all()):
        raise ValueError("refit takes finite numbers; some are not. The model may have diverged.")
    gram = (dictionary.T @ dictionary).double()
    projected = (x @ dictionary).double()
    most = max(int((z != 0).sum(1).max()), 1)
    fitted = torch.zeros_like(z)
    # The active columns' positions, filled up with inactive ones, for which an identity row makes the answer 0.
    places = (z != 0).int().sort(dim=1, descending=True, stable=True).indices[:, :most]  # (N, most)
    for part in torch.arange(len(z)).split(500):
        at = places[part]
        on = (z[part].gather(1, at) != 0).double()
        a = gram[at[:, :, None], at[:, None, :]] * on[:, :, None] * on[:, None, :]
        # Columns that nearly coincide leave the answer open; the small ridge takes the shortest one.
        a = a + torch.diag_embed(1 - on + 1e-6)
        best = torch.linalg.solve(a, projected[part].gather(1, at) * on)
        fitted[part] = torch.zeros_like(z[part]).scatter(1, at, best.to(z.dtype))
    return fitted
