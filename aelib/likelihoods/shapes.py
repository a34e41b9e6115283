"""What likelihoods and divergences check of the tensors that they are given."""

from torch import Tensor

# Not len(x): it makes a number of a size that an export to ONNX leaves open.


def check_floats(name: str, *tensors: Tensor) -> None:
    """Raise a TypeError unless all are floating-point tensors; *name* is the caller's."""
    for x in tensors:
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} takes tensors; it got a {type(x).__name__}.")
        if not x.is_floating_point():
            raise TypeError(
                f"{name} takes floating-point tensors; it got {x.dtype}. Images come as floats from ImageSet.batch()."
            )


def check_same_shape(a: Tensor, b: Tensor, name: str) -> None:
    """Raise a ValueError unless both have one shape (B, ...) with B at least 1."""
    check_floats(name, a, b)
    if a.shape != b.shape:
        raise ValueError(f"{name} compares tensors of one shape; it got {tuple(a.shape)} and {tuple(b.shape)}.")
    if a.ndim < 2 or a.shape[0] == 0:
        raise ValueError(f"{name} takes a non-empty batch (B, ...); it got the shape {tuple(a.shape)}.")


def check_trailing_shape(several: Tensor, one: Tensor, name: str) -> None:
    """Raise a ValueError unless *several* has the shape (B, ...) of *one*, with or without an axis before it."""
    check_floats(name, several, one)
    if one.ndim < 2 or one.shape[0] == 0:
        raise ValueError(f"{name} takes a non-empty batch (B, ...); it got the shape {tuple(one.shape)}.")
    if several.ndim not in (one.ndim, one.ndim + 1) or several.shape[-one.ndim :] != one.shape:
        raise ValueError(
            f"{name} takes the shape {tuple(one.shape)}, with or without an axis of samples before it; "
            f"it got {tuple(several.shape)}."
        )
