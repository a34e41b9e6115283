"""Which examples a step sees, and which of them each process does."""

from torch import Tensor


def batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """*order* in batches of *batch_size*; the last one is what is left, and one example that is left joins the last.

    A variance, a batch normalization or an aggregate posterior of a single example is undefined. So no batch has one,
    unless *order* has one, or a *batch_size* of one was asked for.
    """
    found = list(order.split(batch_size))
    if number_of_batches(len(order), batch_size) < len(found):
        found[-2:] = [order[-batch_size - 1 :]]
    return found


def number_of_batches(examples: int, batch_size: int) -> int:
    """How many :func:`batches` so many examples make: the steps of an epoch."""
    joins = examples > batch_size > 1 and examples % batch_size == 1
    return -(-examples // batch_size) - joins


def part(batch: Tensor, rank: int, processes: int) -> Tensor:
    """The examples of *batch* that the process *rank* sees: two or more, or none, unless the batch has one."""
    sharing = max(1, min(processes, len(batch) // 2))
    return batch[rank::sharing] if rank < sharing else batch[:0]
