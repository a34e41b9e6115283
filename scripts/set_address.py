"""Change the repository's public address everywhere.

    python scripts/set_address.py https://github.com/OWNER/NAME

The address is chosen in one place, ``[project.urls]`` in pyproject.toml. The configuration of the book, the Colab
links, the notebooks' install cells, the README and the citation file repeat it, because each has to work alone.
This command rewrites all of them; ``tests/book/test_address.py`` fails when one disagrees.
"""

import argparse
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ("pyproject.toml", "_config.yml", "CITATION.cff", "*.md", "book/*.md", "notebooks/*.py", "notebooks/*.ipynb")
ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+?)(?:\.git)?/?")
# How an owner and a name are written: on GitHub, on Colab, on Pages. What follows must not continue the name.
FORMS = ("github.com/{0}/{1}", "research.google.com/github/{0}/{1}", "{0}.github.io/{1}")
END = r"(?![\w-]|\.(?!git\b)\w)"


def current_address(root: Path = ROOT) -> str:
    """The address that pyproject.toml states."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]


def parts(address: str) -> tuple[str, str]:
    """Owner and name.

    Raises:
        ValueError: the address is not that of a GitHub repository, which is all that Colab opens.
    """
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise ValueError(f"The address must read https://github.com/OWNER/NAME; it is {address!r}.")
    return match[1], match[2]


def set_address(address: str, root: Path = ROOT) -> list[Path]:
    """Write the address in place of the present one; return the files that changed.

    Raises:
        ValueError: the address is not that of a GitHub repository.
    """
    old, new = parts(current_address(root)), parts(address)
    changed = []
    for path in sorted(path for pattern in FILES for path in root.glob(pattern)):
        text = before = path.read_text(encoding="utf-8")
        for form in FORMS:
            text = re.sub(rf"\b{re.escape(form.format(*old))}{END}", form.format(*new), text)
        if text != before:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="https://github.com/OWNER/NAME")
    try:
        changed = set_address(parser.parse_args().address)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    print("\n".join(str(path.relative_to(ROOT)) for path in changed) or "Nothing to change.")


if __name__ == "__main__":
    main()
