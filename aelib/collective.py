"""Sums over the processes of a training, in which a process that has no example of its own counts nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist
from torch import Tensor

_counted = True


@contextmanager
def without_a_part() -> Iterator[None]:
    """What this process adds to :func:`sum_over_processes` in this context is zero.

    A batch may be too small to give each process a part. One without a part computes all the same, because the others
    wait for it in each sum; what it has seen belongs to others, who count it.
    """
    global _counted
    _counted = False
    try:
        yield
    finally:
        _counted = True


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of *values* over all processes, in place; where there is one process, *values* as they are.

    A module that counts examples, or averages over them, outside the gradient needs it: ``DistributedDataParallel``
    averages gradients alone.
    """
    if dist.is_available() and dist.is_initialized():
        if not _counted:
            values.zero_()
        dist.all_reduce(values)
    return values
