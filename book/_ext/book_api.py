"""API pages that list themselves: of a package its modules, each on a page of its own; of a module what it defines.

A fence ``{api} aelib.models`` becomes a list of that package's modules. Their pages are written before Sphinx looks
for pages, so that a new file in ``aelib/models/`` has its own at the next build. A fence ``{floors}`` becomes the table
of the package's parts, from the floors in pyproject.toml.
"""

import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

FENCE = re.compile(r"^```\{api\} (\S+)\n```$", re.MULTILINE)
FLOORS = re.compile(r"^```\{floors\}\n```$", re.MULTILINE)
BOOK = Path(__file__).parents[1]
PAGES = "api/modules"  # of the modules, below the book's folder; _toc.yml names them by a pattern
BEFORE_TOC = 100  # sphinx-external-toc looks for pages at the same event, at 900


def inner(name: str) -> list[str]:
    """The public modules and packages right below a package, by name; none below a module."""
    found = pkgutil.iter_modules(getattr(importlib.import_module(name), "__path__", ()))
    return [f"{name}.{info.name}" for info in found if not info.name.startswith("_")]


def below(name: str) -> Iterator[str]:
    """All of them, also those in packages of the package."""
    for child in inner(name):
        yield child
        yield from below(child)


def defined(name: str) -> list[str]:
    """The public classes and functions that a module defines itself, in their order."""
    module = importlib.import_module(name)
    kinds = (obj for obj in vars(module).items() if inspect.isclass(obj[1]) or inspect.isfunction(obj[1]))
    return [key for key, value in kinds if value.__module__ == name and not key.startswith("_")]


def summary(name: str) -> str:
    """The first paragraph of a module's documentation, as Markdown on one line."""
    said = " ".join((importlib.import_module(name).__doc__ or "").partition("\n\n")[0].split())
    said = re.sub(r":math:`([^`]*)`", r"$\1$", said)
    return re.sub(r":\w+:`~?([^`]*)`", r"`\1`", said.replace("``", "`"))


def documentation(name: str) -> str:
    """MyST that documents what a module defines, not what it passes on; of a package, a list of what is in it."""
    if not inner(name):
        return f"```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n   :ignore-module-all:\n```\n"
    items = []
    for child in inner(name):
        names = ", ".join(f"`{one}`" for one in defined(child))
        items.append(f"[`{child}`](/{PAGES}/{child}.md)\n: {summary(child)}\n\n  {names}\n")
    return f"```{{eval-rst}}\n.. automodule:: {name}\n```\n\n" + "\n".join(items)


def fences() -> list[str]:
    """What the pages of ``api/`` document, page by page."""
    pages = sorted((BOOK / "api").glob("*.md"))
    return [name for page in pages for name in FENCE.findall(page.read_text(encoding="utf-8"))]


def write_pages(app: Sphinx, config: Config) -> None:
    """Write the pages of modules, touch none that is right already, and remove those whose module is gone."""
    folder = Path(app.srcdir, PAGES)
    folder.mkdir(exist_ok=True)
    texts = {f"{name}.md": f"# {name}\n\n```{{api}} {name}\n```\n" for part in fences() for name in below(part)}
    for path in folder.glob("*.md"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def floors() -> str:
    """A table in Markdown: each part of the package, its floor, and the first line of its documentation.

    Raises:
        ValueError: a part has no API page; the sentence names the line to add.
    """
    plan = tomllib.loads((BOOK.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["aelib"]["floors"]
    pages = {
        name: page.stem
        for page in (BOOK / "api").glob("*.md")
        for name in FENCE.findall(page.read_text(encoding="utf-8"))
    }
    lines = ["| floor | part | what it is |", "| --- | --- | --- |"]
    for height, parts in zip(range(len(plan), 0, -1), plan, strict=True):
        for name in (f"aelib.{part}" for part in parts):
            if name not in pages:
                raise ValueError(f"No page in book/api/ has the fence ```{{api}} {name}: add one, and to _toc.yml.")
            lines.append(f"| {height} | [`{name}`]({pages[name]}.md) | {summary(name)} |")
    return "\n".join(lines)


def expand(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the fences of a page before it is parsed."""
    expanded = FENCE.sub(lambda match: documentation(match[1]), source[0])
    source[0] = FLOORS.sub(lambda _: floors(), expanded)


def skip(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of a NamedTuple, which Python documents as "Alias for field number 0", and keep a method
    that says nothing of itself: its signature does. What it would inherit is PyTorch's text on ``forward``.
    """
    documented = getattr(obj, "__doc__", None)  # of a built-in type it is a descriptor
    if str(documented).startswith("Alias for field number"):
        return True
    return False if what == "class" and inspect.isfunction(obj) and not documented and name[0] != "_" else None


def plain_defaults(
    app: Sphinx, what: str, name: str, obj: object, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write a default that has no source form as "...": with ``<factory>`` in it a signature cannot be parsed."""
    return (re.sub(r"= <\w+>", "= ...", signature) if signature else signature), returns


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", write_pages, priority=BEFORE_TOC)
    app.connect("source-read", expand)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", plain_defaults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
