"""How well sentences come back: places with the right word, whole sentences, and nats."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from aelib.data import PAD, TextSet, with_end
from aelib.interfaces import SequenceCoder
from aelib.nets import evaluating


def rewritten(model: SequenceCoder, sentences: TextSet, width: int = 1, batch_size: int = 500) -> Tensor:
    """The sentences as the model writes them from what it read, on its own: no right word is told to it.

    Args:
        model: writes in evaluation mode.
        width: of the beam; 1 is greedy decoding.

    Returns:
        Word numbers (N, T + 5), padded, on the CPU, for sentences of T words at most: one may grow by 5 words.
    """
    longest = sentences.x.shape[1] + 5
    with evaluating(model) as device:
        written = [model.reconstruct(x, longest, width).cpu() for x in _batches(sentences, batch_size, device)]
    return torch.cat([pad(x, (0, longest - x.shape[1]), value=PAD) for x in written])


def word_accuracies(x_hat: Tensor, x: Tensor) -> Tensor:
    """For each sentence the fraction of its places, the end mark's among them, where the right word stands.

    Args:
        x_hat: what was written, word numbers (N, any), padded.
        x: what was read, (N, T), padded.

    Returns:
        Shape (N,), from 0 to 1. One word left out moves all that follow: they count as wrong.

    Raises:
        ValueError: the numbers of sentences differ, or there is none.
    """
    x_hat, x = _same_width(x_hat, x)
    places = torch.arange(x.shape[1], device=x.device) <= (x != PAD).sum(1, keepdim=True)
    return ((x_hat == x) & places).sum(1) / places.sum(1)


def exact_matches(x_hat: Tensor, x: Tensor) -> Tensor:
    """Which sentences came back word for word, (N,) bool. Arguments and errors as :func:`word_accuracies`."""
    x_hat, x = _same_width(x_hat, x)
    return (x_hat == x).all(1)


def nats_per_word(model: nn.Module, sentences: TextSet, batch_size: int = 500) -> float:
    r"""Cross-entropy with teacher forcing over all words and end marks of the set; perplexity is its exponential."""
    total, count = 0.0, 0
    with evaluating(model) as device:
        for x in _batches(sentences, batch_size, device):
            target = with_end(x)
            logits = model(x).logits
            total += cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=PAD, reduction="sum").item()
            count += int((target != PAD).sum())
    return total / count


def steps_to(curve: Mapping[int, float], threshold: float) -> float:
    """Where a rising curve, steps to value, first reaches the threshold, between two points by a straight line.

    Infinite if it never does.
    """
    before_step, before = 0, 0.0
    for step, value in sorted(curve.items()):
        if value >= threshold:
            return before_step + (step - before_step) * (threshold - before) / (value - before)
        before_step, before = step, value
    return float("inf")


def _batches(sentences: TextSet, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    if len(sentences) == 0:
        raise ValueError("The set of sentences is empty; there is nothing to read.")
    for part in torch.arange(len(sentences)).split(batch_size):
        yield sentences.batch(part).x.to(device)


def _same_width(x_hat: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    if x_hat.ndim != 2 or x.ndim != 2 or len(x_hat) != len(x) or len(x) == 0:
        raise ValueError(
            f"Sentences are compared as word numbers (N, T), N the same and not 0; "
            f"they are {tuple(x_hat.shape)} and {tuple(x.shape)}."
        )
    width = max(x_hat.shape[1], x.shape[1]) + 1  # a place for the end mark of the longest
    return pad(x_hat, (0, width - x_hat.shape[1])), pad(x, (0, width - x.shape[1]))
