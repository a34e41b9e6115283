"""Plain ES modules, joined into one: each becomes a function of its own that hands on what it exports.

This is no bundler for anybody's code. It reads what the modules in ``js/`` are written in, and refuses by name what it
does not know:

- ``import { a, b } from "./other.js";``
- ``export`` before ``const``, ``function``, ``async function`` or ``class``; ``export default`` in the entry alone.

Comments, indentation and blanks that separate nothing are left out. Strings, templates and regular expressions stay as
they are written, and so do line ends between statements: a browser's messages still point at a line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aelib.explorer.tokens import CLOSING, OPENING, Token, scan, smaller


@dataclass(frozen=True)
class Module:
    """A module taken apart."""

    path: Path
    imports: dict[Path, tuple[str, ...]]  # names, by the file that they come from
    exports: tuple[str, ...]
    code: str  # without imports and the word export: what stands inside a function
    text: str  # without imports alone: what the entry is


def join(entry: Path) -> str:
    """The entry and all that it imports, as one module.

    Raises:
        ValueError: what the joiner does not read, a name that is not exported, modules that import one another.
        FileNotFoundError: an imported module does not exist.
    """
    modules: dict[Path, Module] = {}
    _collect(entry.resolve(), (), modules)
    names = {path: f"${i}" for i, path in enumerate(modules)}
    parts = []
    for path, module in modules.items():
        taken = "".join(f"const{{{','.join(what)}}}={names[source]};\n" for source, what in module.imports.items())
        if path == entry.resolve():
            parts.append(taken + module.text)
        else:
            given = f"return{{{','.join(module.exports)}}};"
            parts.append(f"const {names[path]}=(()=>{{\n{taken}{module.code}\n{given}\n}})();")
    return "\n".join(parts)


def _collect(path: Path, above: tuple[Path, ...], found: dict[Path, Module]) -> None:
    """Put a module into ``found``, after all that it imports."""
    if path in above:
        circle = " → ".join(one.name for one in (*above[above.index(path) :], path))
        raise ValueError(f"Modules that import one another cannot be joined: {circle}.")
    if path in found:
        return
    module = read(path)
    if above and "default" in module.exports:
        raise ValueError(f"{path.name} has an export default, which only the entry may have: give it a name.")
    for source, names in module.imports.items():
        _collect(source, (*above, path), found)
        if missing := [name for name in names if name not in found[source].exports]:
            raise ValueError(f"{path.name} imports {', '.join(missing)}, which {source.name} does not export.")
    found[path] = module


def read(path: Path) -> Module:
    """A module taken apart; errors as for :func:`join`."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no module {path.name} to import.")
    tokens = list(scan(path.read_text(encoding="utf-8"), path.name))
    imports: dict[Path, tuple[str, ...]] = {}
    exports: list[str] = []
    code: list[Token] = []  # without imports and the word export
    text: list[Token] = []  # without imports
    depth = at = 0
    while at < len(tokens):
        token = tokens[at]
        depth += (token.text in OPENING) - (token.text in CLOSING) if token.kind == "sign" else 0
        if token == Token("word", "import"):
            source, names, at = _import(tokens, at, path)
            imports[source] = (*imports.get(source, ()), *names)
            continue
        if token == Token("word", "export") and depth == 0:
            exports.append(_exported(tokens, at, path))
        else:
            code.append(token)
        text.append(token)
        at += 1
    if len(set(exports)) < len(exports):
        raise ValueError(f"{path.name} exports a name twice.")
    return Module(path, imports, tuple(exports), smaller(code), smaller(text))


def _following(tokens: Sequence[Token], at: int) -> Iterator[tuple[int, Token]]:
    return ((i, tokens[i]) for i in range(at, len(tokens)) if tokens[i].kind not in ("blank", "comment"))


def _import(tokens: Sequence[Token], at: int, path: Path) -> tuple[Path, list[str], int]:
    """The file and the names of the import that begins there, and where it ends."""
    words: list[Token] = []
    end = at
    for i, token in _following(tokens, at):
        words.append(token)
        end = i + 1
        if token.text == ";":
            break
    said = " ".join(token.text for token in words)
    if not (match := re.fullmatch(r'import \{((?: [\w$]+ ,)*(?: [\w$]+)?) \} from "(\.\.?/[^"]+)" ;', said)):
        raise ValueError(f'{path.name} says "{said[:60]}"; imports are written import {{ a, b }} from "./other.js";')
    return (path.parent / match[2]).resolve(), re.findall(r"[\w$]+", match[1]), end


def _exported(tokens: Sequence[Token], at: int, path: Path) -> str:
    """The name that is exported there."""
    words = [token.text for _, token in _following(tokens, at + 1)]
    said = " ".join(words[:3])
    if match := re.match(r"(?:async function|function|class|const) ([\w$]+)|(default)", said):
        if words[0] == "const" and _declares_more(words):
            raise ValueError(f"{path.name} exports a second name after const {match[1]}: give each its own export.")
        return match[1] or match[2]
    raise ValueError(f'{path.name} says "export {said}"; export a const, a function or a class where it is declared.')


def _declares_more(words: Sequence[str]) -> bool:
    depth = 0
    for word in words:
        depth += (word in OPENING) - (word in CLOSING)
        if depth == 0 and word in (",", ";"):
            return word == ","
    return False
