"""From word probabilities to sentences: greedy decoding and beam search.

Both know a model by its ``step(words, state) -> (log probabilities, state)`` alone; a state is a NamedTuple of tensors
whose first axis is the sentence.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from aelib.data import EOS, PAD

S = TypeVar("S", bound=tuple[Tensor, ...])
Step = Callable[[Tensor, S], tuple[Tensor, S]]


def _words_only(log_p: Tensor, last: bool) -> Tensor:
    """Padding is no word; in the last place only the end mark is left."""
    allowed = log_p.new_full(log_p.shape[-1:], -torch.inf if last else 0.0)
    allowed[PAD], allowed[EOS] = -torch.inf, 0.0
    return log_p + allowed


@torch.no_grad()
def greedy(step: Step[S], state: S, max_length: int) -> Tensor:
    """The likeliest word at each place, until the end mark, *max_length* words at most.

    Args:
        step: the model's; it is first told the end mark.
        state: what the decoder starts from, for B sentences.
        max_length: after so many words the sentence is closed.

    Returns:
        Word numbers (B, T), T at most *max_length*, without the end mark, padded.
    """
    size, device = len(state[0]), state[0].device
    words = torch.full((size,), EOS, device=device)
    ended, written = torch.zeros(size, dtype=torch.bool, device=device), [words[:0].new_zeros(size, 0)]
    for place in range(max_length + 1):
        log_p, state = step(words, state)
        words = torch.where(ended, PAD, _words_only(log_p, place == max_length).argmax(1))
        ended = ended | (words == EOS)
        if ended.all():
            break
        written.append(torch.where(ended, PAD, words)[:, None])
    return torch.cat(written, 1)


@torch.no_grad()
def beam_search(step: Step[S], state: S, max_length: int, width: int) -> tuple[Tensor, Tensor]:
    r"""A search from left to right for the likeliest sentences, which keeps *width* beginnings at each place.

    A beginning is scored by the sum of its words' log probabilities, a sentence with its end mark's; a sentence that
    has ended stays in the beam and competes. With a width of at least the number of beginnings it finds the likeliest
    sentence of all; with a width of 1 it is :func:`greedy`. Sutskever et al. (2014), section 3.2.

    Args:
        step, state, max_length: as for :func:`greedy`.
        width: the number of beginnings kept, at least 1.

    Returns:
        Word numbers (B, width, T), the best first, and their log-likelihoods (B, width). A sentence with a
        log-likelihood of :math:`-\infty` fills a place for which there was no other.

    Raises:
        ValueError: *width* is less than 1.
    """
    if width < 1:
        raise ValueError(f"A beam has a width of 1 or more; this one has {width}.")
    size, device = len(state[0]), state[0].device
    state = _select(state, torch.arange(size, device=device).repeat_interleave(width))
    first = torch.arange(size, device=device)[:, None] * width  # each sentence's place in the flattened beam
    score = torch.full((size, width), -torch.inf, device=device)
    score[:, 0] = 0.0  # all begin alike: one beginning is enough
    words = torch.full((size, width), EOS, device=device)
    ended = torch.zeros(size, width, dtype=torch.bool, device=device)
    written = words.new_zeros(size, width, 0)
    for place in range(max_length + 1):
        log_p, state = step(words.flatten(), state)
        log_p = _words_only(log_p, place == max_length).view(size, width, -1)
        only_padding = torch.full_like(log_p[0, 0], -torch.inf)
        only_padding[PAD] = 0.0  # an ended sentence goes on with padding, at no cost
        log_p = torch.where(ended[:, :, None], only_padding, log_p)
        score, best = (score[:, :, None] + log_p).flatten(1).topk(width)
        parent, words = best // log_p.shape[2], best % log_p.shape[2]
        state = _select(state, (first + parent).flatten())
        ended = ended.gather(1, parent) | (words == EOS)
        written = torch.cat([written.gather(1, parent[:, :, None].expand_as(written)), words[:, :, None]], 2)
        if ended.all():
            break
    return written.masked_fill(written == EOS, PAD)[:, :, :-1], score


def _select(state: S, index: Tensor) -> S:
    return type(state)(*(part[index] for part in state))
