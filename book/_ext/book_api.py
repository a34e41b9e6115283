"""API pages that list themselves: a fence ``{api} aelib.models`` becomes every module of that package.

A new file in ``aelib/models/`` is on its page at the next build. A fence ``{floors}`` becomes the table of the
package's parts, from the floors in pyproject.toml.
"""

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FENCE = re.compile(r"^```\{api\} (\S+)\n```$", re.MULTILINE)
FLOORS = re.compile(r"^```\{floors\}\n```$", re.MULTILINE)
BOOK = Path(__file__).parents[1]


def documentation(name: str) -> str:
    """MyST that documents what a module defines, not what it passes on; of a package, each module in it."""
    module = importlib.import_module(name)
    if not hasattr(module, "__path__"):
        return f"```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n   :ignore-module-all:\n```\n"
    inner = [f"{name}.{info.name}" for info in pkgutil.iter_modules(module.__path__)]
    public = [child for child in inner if not child.rsplit(".", 1)[-1].startswith("_")]
    parts = [f"```{{eval-rst}}\n.. automodule:: {name}\n```\n"]
    return "\n".join(parts + [f"## {child}\n\n{documentation(child)}" for child in public])


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
            what = (importlib.import_module(name).__doc__ or "").strip().partition("\n")[0]
            lines.append(f"| {height} | [`{name}`]({pages[name]}.md) | {what.replace('``', '`')} |")
    return "\n".join(lines)


def expand(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the fences of a page before it is parsed."""
    expanded = FENCE.sub(lambda match: documentation(match[1]), source[0])
    source[0] = FLOORS.sub(lambda _: floors(), expanded)


def skip(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of a NamedTuple: Python documents each as "Alias for field number 0"."""
    documented = getattr(obj, "__doc__", None)  # of a built-in type it is a descriptor
    return True if str(documented).startswith("Alias for field number") else None


def plain_defaults(
    app: Sphinx, what: str, name: str, obj: object, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write a default that has no source form as "...": with ``<factory>`` in it a signature cannot be parsed."""
    return (re.sub(r"= <\w+>", "= ...", signature) if signature else signature), returns


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", expand)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", plain_defaults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
