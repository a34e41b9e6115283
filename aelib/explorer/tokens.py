"""JavaScript as tokens: enough of the language to tell a comment from a string, a template or a regular expression."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


def scan(text: str, name: str) -> Iterator[Token]:
    """The tokens of a module; all of them together are its text.

    Raises:
        ValueError: a slash of which only a full parser can tell whether it divides, or what is no token.
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


def smaller(tokens: Sequence[Token]) -> str:
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
