"""API pages that list themselves: a fence ``{api} aelib.models`` becomes every module of that package.

A new file in ``aelib/models/`` is on its page at the next build.
"""

import importlib
import pkgutil
import re
from typing import Any

from sphinx.application import Sphinx

FENCE = re.compile(r"^```\{api\} (\S+)\n```$", re.MULTILINE)


def documentation(name: str) -> str:
    """MyST that documents what a module defines, not what it passes on; of a package, each module in it."""
    module = importlib.import_module(name)
    if not hasattr(module, "__path__"):
        return f"```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n   :ignore-module-all:\n```\n"
    inner = [f"{name}.{info.name}" for info in pkgutil.iter_modules(module.__path__)]
    public = [child for child in inner if not child.rsplit(".", 1)[-1].startswith("_")]
    parts = [f"```{{eval-rst}}\n.. automodule:: {name}\n```\n"]
    return "\n".join(parts + [f"## {child}\n\n{documentation(child)}" for child in public])


def expand(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the fences of a page before it is parsed."""
    source[0] = FENCE.sub(lambda match: documentation(match[1]), source[0])


def skip(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of a NamedTuple: Python documents each as "Alias for field number 0"."""
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None


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
