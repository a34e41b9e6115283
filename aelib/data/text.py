"""Sentences as tensors in memory: words to numbers and back, padding, batches of sentences of like length."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from aelib.data.imageset import Batch, Index

PAD, EOS, UNKNOWN = 0, 1, 2
MARKS = ("<pad>", "<end>", "<unknown>")

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[.,!?;:]")
_TAG = re.compile(r"<[^<>]*>")


def tokenize(text: str) -> list[str]:
    """Words and marks of punctuation in lower case; HTML tags and other signs are dropped.

    >>> tokenize("It's <br /> GOOD, isn't it?")
    ["it's", 'good', ',', "isn't", 'it', '?']
    """
    return _WORD.findall(_TAG.sub(" ", text).lower())


def with_end(x: Tensor) -> Tensor:  # (B, T) -> (B, T + 1)
    """Rows of word numbers, each sentence followed by the end mark."""
    return pad(x, (0, 1)).scatter(1, (x != PAD).sum(1, keepdim=True), EOS)


def reversed_words(x: Tensor) -> Tensor:  # (B, T) -> (B, T)
    """Rows of word numbers with the words in reverse order; the padding stays at the end."""
    place = (x != PAD).sum(1, keepdim=True) - 1 - torch.arange(x.shape[1], device=x.device)
    return torch.where(place >= 0, x.gather(1, place.clamp(min=0)), PAD)


class Vocabulary:
    """Words and their numbers. 0 is padding, 1 the end of a sentence, 2 any unknown word; then come the words.

    Args:
        words: in the order of their numbers, from 3 on.

    Raises:
        ValueError: there is no word, or one twice, or one that is a mark.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = (*MARKS, *words)
        self.numbers = {word: number for number, word in enumerate(self.words)}
        if len(self.words) == len(MARKS):
            raise ValueError(
                "A vocabulary needs a word at least; it got none. Are all sentences empty, or its size below 4?"
            )
        if len(self.numbers) < len(self.words):
            twice = next(word for word, count in Counter(self.words).items() if count > 1)
            raise ValueError(f"Each word of a vocabulary has one number; {twice!r} was given twice.")

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]], size: int | None = None) -> "Vocabulary":
        """The most frequent words of the sentences, *size* entries with the three marks (all words by default).

        Words of one frequency are in alphabetical order, so the numbers depend on nothing but the counts.
        """
        counts = Counter(word for sentence in sentences for word in sentence)
        ordered = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(ordered if size is None else ordered[: max(0, size - len(MARKS))])

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, sentence: Sequence[str]) -> list[int]:
        """The words' numbers; an unknown word gets 2."""
        return [self.numbers.get(word, UNKNOWN) for word in sentence]

    def decode(self, numbers: Tensor | Sequence[int]) -> list[str]:
        """The words up to the first padding or end."""
        found = []
        for number in numbers.tolist() if isinstance(numbers, Tensor) else numbers:
            if number in (PAD, EOS):
                break
            found.append(self.words[number])
        return found


@dataclass(frozen=True, eq=False)
class TextSet:
    """Sentences as rows of word numbers, padded at the end, all in memory on one device.

    Raises:
        TypeError: tensors of another type.
        ValueError: other shapes or padding inside a sentence.
    """

    x: Tensor  # (N, T) int64
    y: Tensor | None = None  # (N,) int64

    def __post_init__(self) -> None:
        for name, tensor, axes in (("x", self.x, 2), ("y", self.y, 1)):
            if tensor is None:
                continue
            if tensor.dtype != torch.int64:
                raise TypeError(f"{name} must be torch.int64, got {tensor.dtype}.")
            if tensor.ndim != axes or len(tensor) != len(self.x):
                raise ValueError(f"x must be (N, T) and y (N,), got {name} of the shape {tuple(tensor.shape)}.")
        if ((self.x[:, :-1] == PAD) & (self.x[:, 1:] != PAD)).any():
            raise ValueError("Padding (0) must come after a sentence's last word; here it is inside one.")

    @classmethod
    def of(
        cls,
        sentences: Sequence[Sequence[str]],
        vocabulary: Vocabulary,
        labels: Sequence[int] | Tensor | None = None,
        *,
        limit: int,
        keep: str = "first",
    ) -> "TextSet":
        """Sentences, given as lists of words, by a vocabulary.

        An empty sentence is a row of padding. Of one longer than *limit* the first or the last *limit* words are kept.

        Raises:
            ValueError: there is no sentence, or no word of any sentence is in the vocabulary.
        """
        if not sentences or limit < 1 or keep not in ("first", "last"):
            raise ValueError(
                f"A TextSet needs a sentence, a limit of 1 or more, and keep='first' or 'last'; it got "
                f"{len(sentences)} sentences, the limit {limit} and keep={keep!r}."
            )
        cut = slice(limit) if keep == "first" else slice(-limit, None)
        rows = [vocabulary.encode(sentence[cut]) for sentence in sentences]
        if any(rows) and all(number == UNKNOWN for row in rows for number in row):
            raise ValueError(
                f"No word of these {len(rows)} sentences is among the vocabulary's {len(vocabulary)} entries. Are they "
                "lists of words rather than strings? Make the vocabulary from sentences of the same kind."
            )
        x = torch.zeros(len(rows), max(1, *map(len, rows)), dtype=torch.int64)
        for row, numbers in zip(x, rows, strict=True):
            row[: len(numbers)] = torch.tensor(numbers, dtype=torch.int64)
        return cls(x, None if labels is None else torch.as_tensor(labels, dtype=torch.int64))

    @property
    def lengths(self) -> Tensor:
        """Words of each sentence, (N,)."""
        return (self.x != PAD).sum(1)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Index) -> "TextSet":
        """The sentences at a slice, or at the positions in a list or an int64 tensor."""
        if isinstance(index, int):
            raise TypeError(f"A TextSet's parts are TextSets: write [[{index}]] for one sentence, got [{index}].")
        return TextSet(*self._rows(index))

    def _rows(self, index: Index) -> tuple[Tensor, Tensor | None]:
        if not isinstance(index, slice):
            index = torch.as_tensor(index, device=self.x.device)
            index = index if len(index) else index.long()  # an empty list makes a float tensor
        return self.x[index], None if self.y is None else self.y[index]

    def to(self, device: torch.device | str) -> "TextSet":
        """The same set on another device."""
        return TextSet(self.x.to(device), None if self.y is None else self.y.to(device))

    def batch(self, index: Index | None = None) -> Batch:
        """The sentences at *index* (all by default), as wide as the longest of them, with their labels."""
        x, y = (self.x, self.y) if index is None else self._rows(index)
        width = int((x != PAD).sum(1).max()) if len(x) else 0
        return Batch(x[:, :width], y)

    def padding(self, batch_size: int, seed: int = 0) -> float:
        """The fraction of padding in random batches: work done for nothing."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        batches = [self.batch(part).x for part in order.split(batch_size)]
        return 1 - int(self.lengths.sum()) / sum(x.numel() for x in batches)


class Buckets:
    """The set in batches of sentences of like length: to ``fit``, each batch is one example, and its batch size is 1.

    Sentences are sorted by length, those of one length in random order, and cut into batches. Which sentences share a
    batch is then fixed; the order of the batches is ``fit``'s.

    Raises:
        ValueError: a batch size below 1.
    """

    def __init__(self, data: TextSet, batch_size: int, seed: int = 0) -> None:
        if batch_size < 1:
            raise ValueError(f"A batch has 1 sentence or more, got the size {batch_size}.")
        self.data, self.batch_size, self.seed = data, batch_size, seed
        shuffled = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).to(data.x.device)
        self.parts = shuffled[data.lengths[shuffled].argsort(stable=True)].split(batch_size)

    def __len__(self) -> int:
        return len(self.parts)

    def to(self, device: torch.device | str) -> "Buckets":
        """The same buckets on another device."""
        return Buckets(self.data.to(device), self.batch_size, self.seed)

    def batch(self, index: Tensor) -> Batch:
        """The sentences of the buckets at *index*, together."""
        return self.data.batch(torch.cat([self.parts[int(i)] for i in index]))

    def padding(self) -> float:
        """The fraction of padding, as :meth:`TextSet.padding`."""
        return 1 - int(self.data.lengths.sum()) / sum(self.data.batch(part).x.numel() for part in self.parts)
