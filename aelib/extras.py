"""Optional packages: what ``pip install aelib`` leaves out, each under the extra that brings it."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around imports that ``pip install "aelib[name]"`` makes possible; says so where one of them fails.

    Args:
        name: an extra of pyproject.toml.

    Raises:
        ModuleNotFoundError: a package is not installed; the sentence names it and the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'The package {(error.name or "").partition(".")[0]!r} is not installed: pip install "aelib[{name}]".',
            name=error.name,
        ) from error
