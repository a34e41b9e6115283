"""The built book: where its pages are, and what they hold."""

from collections.abc import Iterator
from pathlib import Path


def pages_of(book: Path) -> list[Path]:
    """Every page of a built book."""
    return sorted(path for path in book.rglob("*.html") if "_static" not in path.parts)


def chapters_of(book: Path) -> Iterator[Path]:
    """The pages of the chapters, by number."""
    yield from sorted((book / "notebooks").glob("*.html"))
