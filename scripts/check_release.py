"""Check that a release is what its tag says.

    python scripts/check_release.py v0.2.0

The tag, the version in ``aelib/__init__.py`` and that in CITATION.cff must agree, and CHANGELOG.md must have a dated
section of it with something in it. Prints that section, which is the release's text.
"""

import argparse
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _found(pattern: str, path: Path) -> str:
    match = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ValueError(f"{path.name} states no version; it should have a line like {pattern!r}.")
    return match[1]


def notes(tag: str, root: Path = ROOT) -> str:
    """The changelog's section of the version that a tag names.

    Raises:
        ValueError: the tag is no version, a file states another one, or the changelog has no dated section of it.
    """
    match = re.fullmatch(r"v(\d+\.\d+\.\d+)", tag)
    if match is None:
        raise ValueError(f"A release's tag reads v1.2.3; it is {tag!r}.")
    version = match[1]
    stated = {
        "aelib/__init__.py": _found(r'^__version__ = "(.+)"$', root / "aelib" / "__init__.py"),
        "CITATION.cff": _found(r"^version: (.+)$", root / "CITATION.cff"),
    }
    for file, other in stated.items():
        if other != version:
            raise ValueError(f"The tag is {tag}, but {file} has the version {other}: change it and tag again.")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}$"
    section = re.search(rf"{heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if section is None or not section[1].strip():
        raise ValueError(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD' with something in it: write it.")
    return section[1].strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tag", help="e.g. v0.2.0")
    try:
        print(notes(parser.parse_args().tag))
    except ValueError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
