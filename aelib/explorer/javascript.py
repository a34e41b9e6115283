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
from typing import NoReturn

TOKEN = re.compile(
    r"""
      (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<blank> \s+ )
    | (?P<string> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' )
    | (?P<number> \d[\w.]* )
    | (?P<word> [\w$\#]+ )
    | (?P<sign> \+\+ | -- | [^\w\s"'`] )
    """,
    re.VERBOSE | re.DOTALL,
)
REGEX = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/\w*")
BEFORE_REGEX = re.compile("return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield")
OPENING, CLOSING = ("(", "[", "{"), (")", "]", "}")


@dataclass(frozen=True)
class Token:
    """A piece of a module: its kind (a group of ``TOKEN``, ``template`` or ``regex``) and its text."""

    kind: str
    text: str


@dataclass(frozen=True)
class Module:
    """What a module imports, by file, what it exports, and its code without either."""

    path: Path
    imports: dict[Path, tuple[str, ...]]
    exports: tuple[str, ...]
    code: str  # exports left standing where it is the entry
    text: str


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
    return Module(path, imports, tuple(exports), _smaller(code), _smaller(text))


def scan(text: str, name: str) -> Iterator[Token]:
    """The tokens of a module; all of them together are its text.

    Raises ValueError at a slash of which only a full parser can tell whether it divides, and at what is no token.
    """
    at, last = 0, Token("sign", ";")
    while at < len(text):
        token = _token(text, at, last, name)
        yield token
        at += len(token.text)
        if token.kind not in ("blank", "comment"):
            last = token


def _token(text: str, at: int, last: Token, name: str) -> Token:
    if text[at] == "`":
        return Token("template", text[at : _end_of_template(text, at, name)])
    if text[at] == "/" and text[at + 1 : at + 2] not in ("/", "*") and _starts_regex(last, text, at, name):
        if not (match := REGEX.match(text, at)):
            _refuse(name, text, at, "a regular expression that does not end")
        return Token("regex", match[0])
    if not (match := TOKEN.match(text, at)) or match.lastgroup is None:
        _refuse(name, text, at, "a string that does not end")
    return Token(match.lastgroup, match[0])


def _starts_regex(last: Token, text: str, at: int, name: str) -> bool:
    if last.text in ("}", "++", "--"):
        _refuse(name, text, at, f"a slash after {last.text} may divide or begin a regular expression: use brackets")
    if last.kind == "word":
        return bool(BEFORE_REGEX.fullmatch(last.text))
    return last.kind == "sign" and last.text not in (")", "]")


def _end_of_template(text: str, at: int, name: str) -> int:
    """Where the template that begins there ends, with all that is nested in it."""
    start, at = at, at + 1
    while at < len(text):
        if text[at] == "`":
            return at + 1
        if text[at] == "\\":
            at += 2
        elif text.startswith("${", at):
            at = _end_of_braces(text, at + 2, name)
        else:
            at += 1
    return _refuse(name, text, start, "a template that does not end")


def _end_of_braces(text: str, at: int, name: str) -> int:
    start, depth, last = at, 1, Token("sign", "{")
    while at < len(text):
        token = _token(text, at, last, name)
        at += len(token.text)
        depth += (token.text == "{") - (token.text == "}") if token.kind == "sign" else 0
        if depth == 0:
            return at
        if token.kind not in ("blank", "comment"):
            last = token
    return _refuse(name, text, start, "a template that does not end")


def _refuse(name: str, text: str, at: int, what: str) -> NoReturn:
    raise ValueError(f"{name}, line {text.count(chr(10), 0, at) + 1}: {what}.")


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


def _smaller(tokens: Sequence[Token]) -> str:
    """The text without comments, without indentation and empty lines, and without blanks that separate nothing."""
    out: list[str] = []
    gap = ""  # between the last token and the next: nothing, a blank or the end of a line
    for token in tokens:
        if token.kind in ("blank", "comment"):
            gap = "\n" if "\n" in token.text + gap else " "
            continue
        if out and gap == "\n":
            if out[-1] not in (*OPENING, ",") and token.text not in CLOSING:  # there no statement can end without it
                out.append("\n")
        elif out and gap and _needs_blank(out[-1], token):
            out.append(" ")
        out.append(token.text)
        gap = ""
    return "".join(out)


def _needs_blank(before: str, token: Token) -> bool:
    """Whether two tokens, brought together, would be read as another one."""
    left, right = before[-1], token.text[0]
    word = re.compile(r"[\w$#]")
    return bool(word.match(left) and word.match(right)) or left == right or (left.isdigit() and right == ".")
