"""A toy language with a grammar: as many different sentences as wanted, of exactly the lengths wanted."""

import random
from collections.abc import Mapping, Sequence
from functools import cache

Rules = Mapping[str, Sequence[str]]

# A symbol in capitals is replaced by one of its alternatives, a word stays. SG and PL keep verbs in agreement with
# their subjects, also across a relative clause. Each sentence has one derivation only: a noun takes one modifier,
# and clauses are chained to the right.
ENGLISH: Rules = {
    "S": ("CLAUSE", "CLAUSE CONJ S"),
    "CLAUSE": ("NP-SG VP-SG", "NP-PL VP-PL"),
    "NP": ("NP-SG", "NP-PL"),
    "NP-SG": ("DET-SG NOM-SG", "DET-SG ADJ NOM-SG"),
    "NP-PL": ("DET-PL NOM-PL", "DET-PL ADJ NOM-PL"),
    "NOM-SG": ("N-SG", "N-SG PREP NP", "N-SG that VP-SG"),
    "NOM-PL": ("N-PL", "N-PL PREP NP", "N-PL that VP-PL"),
    "VP-SG": ("VI-SG", "VI-SG ADV", "VT-SG NP"),
    "VP-PL": ("VI-PL", "VI-PL ADV", "VT-PL NP"),
    "DET-SG": ("the", "a", "every"),
    "DET-PL": ("the", "two", "many"),
    "ADJ": ("old", "small", "red"),
    "N-SG": ("cat", "dog", "king", "bird"),
    "N-PL": ("cats", "dogs", "kings", "birds"),
    "VI-SG": ("sleeps", "sings", "waits"),
    "VI-PL": ("sleep", "sing", "wait"),
    "VT-SG": ("sees", "hears", "likes"),
    "VT-PL": ("see", "hear", "like"),
    "ADV": ("often", "today"),
    "PREP": ("near", "behind"),
    "CONJ": ("and", "while"),
}


class Grammar:
    r"""A context-free grammar from which sentences of a given length are drawn uniformly.

    The number :math:`C_A(n)` of ways to derive *n* words from a symbol *A* follows from its rules; drawing each rule,
    and each division of the words among a rule's symbols, in proportion to these counts makes all derivations of a
    length equally likely. For an unambiguous grammar that is all sentences, and a sentence of *n* words carries
    :math:`\ln C_S(n)` nats.

    Args:
        rules: symbol to alternatives, each a string of symbols and words. No alternative may be empty, and no symbol
            may derive itself alone.
        start: the symbol of a whole sentence.

    Raises:
        ValueError: an alternative is empty, or the start symbol has no rule.
    """

    def __init__(self, rules: Rules = ENGLISH, start: str = "S") -> None:
        if start not in rules or not all(rules.values()) or not all(a.split() for r in rules.values() for a in r):
            raise ValueError(f"A grammar needs rules for {start!r}, and no alternative of a rule may be empty.")
        self.rules = {symbol: [tuple(a.split()) for a in alternatives] for symbol, alternatives in rules.items()}
        self.start = start
        self._ways = cache(self._count)

    @property
    def words(self) -> list[str]:
        """All words of the language, sorted."""
        parts = {part for alternatives in self.rules.values() for a in alternatives for part in a}
        return sorted(parts - set(self.rules))

    def count(self, length: int) -> int:
        """The number of derivations of *length* words."""
        return self._ways((self.start,), length)

    def sentences(self, number: int, lengths: tuple[int, int] = (10, 20), seed: int = 0) -> list[list[str]]:
        """Different sentences as lists of words, equally many of each length from the first to the last of *lengths*.

        The order is random.

        Raises:
            ValueError: the grammar has fewer sentences of some length than are asked for.
        """
        source, found, sizes = random.Random(seed), dict[tuple[str, ...], None](), range(lengths[0], lengths[1] + 1)
        for i in range(number):
            length = sizes[i % len(sizes)]
            if self.count(length) <= number // len(sizes):
                raise ValueError(
                    f"The grammar has {self.count(length)} sentences of {length} words; {number} of the lengths "
                    f"{sizes[0]} to {sizes[-1]} are too many. Ask for fewer, or for longer ones."
                )
            while (sentence := tuple(self._draw((self.start,), length, source))) in found:
                pass
            found[sentence] = None
        sentences = [list(words) for words in found]
        source.shuffle(sentences)
        return sentences

    def accepts(self, words: Sequence[str]) -> bool:
        """Whether the words are a sentence of the language."""

        @cache
        def derives(parts: tuple[str, ...], i: int, j: int) -> bool:
            if j - i < len(parts):
                return False
            head, rest = parts[0], parts[1:]
            if rest:
                return any(derives((head,), i, k) and derives(rest, k, j) for k in range(i + 1, j - len(rest) + 1))
            if head not in self.rules:
                return j == i + 1 and words[i] == head
            return any(derives(alternative, i, j) for alternative in self.rules[head])

        return derives((self.start,), 0, len(words))

    def _count(self, parts: tuple[str, ...], length: int) -> int:
        """Ways to derive *length* words from a sequence of symbols and words, each giving one word at least."""
        if length < len(parts):
            return 0
        head, rest = parts[0], parts[1:]
        if rest:
            return sum(self._ways((head,), n) * self._ways(rest, length - n) for n in range(1, length - len(rest) + 1))
        if head not in self.rules:
            return int(length == 1)
        return sum(self._ways(alternative, length) for alternative in self.rules[head])

    def _draw(self, parts: tuple[str, ...], length: int, source: random.Random) -> list[str]:
        head, rest = parts[0], parts[1:]
        if rest:
            ns = range(1, length - len(rest) + 1)
            ways = [self._ways((head,), n) * self._ways(rest, length - n) for n in ns]
            n = source.choices(ns, ways)[0]
            return self._draw((head,), n, source) + self._draw(rest, length - n, source)
        if head not in self.rules:
            return [head]
        ways = [self._ways(alternative, length) for alternative in self.rules[head]]
        return self._draw(source.choices(self.rules[head], ways)[0], length, source)
