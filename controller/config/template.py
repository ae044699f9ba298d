"""Template: a name made of fields, in the part of Go's template language that names need."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

Fields = Mapping[str, "str | Mapping[str, str]"]
Part = Callable[[Fields], str]

SUPPORTED = (
    '{{.Name}}, {{.Labels.app}}, {{index .Annotations "key"}}, {{"text"}}, {{/* comments */}} and '
    '{{if eq .Name "a"}}…{{else}}…{{end}} with eq, ne, and, or, not'
)

_ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
_TOKEN = re.compile(r'\s*(?:\.(\w+)(?:\.(\w+))?|"([^"\\]*)"|`([^`]*)`|([()])|(\w+))')
_WORDS = {"index": (2, 2), "eq": (2, 9), "ne": (2, 2), "and": (1, 9), "or": (1, 9), "not": (1, 1)}
"""Functions, with the least and the most that they take."""


class Template:
    """Text with fields in it.

    Raises   ValueError at once, when the text has anything that is not supported, or a field that does not exist
    """

    __slots__ = ("_parts", "text")

    def __init__(self, text: str, fields: tuple[str, ...]) -> None:
        self.text = text
        pieces = list(_pieces(text))
        self._parts = _block(pieces, fields, is_inner=False)
        if pieces:
            raise ValueError(f'"{{{{{pieces[0][1]}}}}}" without an if')

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def render(self, fields: Fields) -> str:
        """A key that a map does not have is empty."""
        return "".join(part(fields) for part in self._parts)


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Texts, and actions without their braces (then True); spaces beside a dash are gone."""
    end, is_trimmed = 0, False
    for action in [*_ACTION.finditer(text), None]:
        literal = text[end : action.start() if action else len(text)]
        literal = literal.lstrip() if is_trimmed else literal
        literal = literal.rstrip() if action and action[1] else literal
        if "{{" in literal or "}}" in literal:
            raise ValueError(f'unclosed action in "{text}"')
        yield False, literal
        if action:
            if not re.fullmatch(r"/\*.*\*/", action[2], re.DOTALL):
                yield True, action[2]
            end, is_trimmed = action.end(), bool(action[3])


def _block(pieces: list[tuple[bool, str]], fields: tuple[str, ...], *, is_inner: bool) -> list[Part]:
    """The parts up to an `else` or `end`, which stays; what is read is taken off the pieces."""
    parts: list[Part] = []
    while pieces:
        is_action, text = pieces[0]
        word = text.partition(" ")[0] if is_action else ""
        if word in ("else", "end"):
            return parts
        pieces.pop(0)
        if word == "if":
            parts.append(_choice(text[2:], pieces, fields))
        elif is_action:
            parts.append(_expression(text, fields))
        else:
            parts.append(_constant(text))
    if is_inner:
        raise ValueError("{{if}} without {{end}}")
    return parts


def _choice(condition: str, pieces: list[tuple[bool, str]], fields: tuple[str, ...]) -> Part:
    decide = _expression(condition, fields)
    then = _block(pieces, fields, is_inner=True)
    otherwise: list[Part] = []
    _, word = pieces.pop(0)
    if word.startswith("else if "):
        return _either(decide, then, [_choice(word[7:], pieces, fields)])
    if word == "else":
        otherwise = _block(pieces, fields, is_inner=True)
        _, word = pieces.pop(0)
    if word != "end":
        raise ValueError(f'"{{{{{word}}}}}" where {{{{end}}}} should be')
    return _either(decide, then, otherwise)


def _either(decide: Part, then: list[Part], otherwise: list[Part]) -> Part:
    return lambda fields: "".join(part(fields) for part in (then if decide(fields) else otherwise))


def _constant(text: str) -> Part:
    return lambda fields: text


def _expression(text: str, fields: tuple[str, ...]) -> Part:
    tokens: list[tuple[str, ...]] = []
    end = 0
    text = text.strip()
    while end < len(text):
        found = _TOKEN.match(text, end)
        if not found:
            raise ValueError(f'"{{{{{text}}}}}" is not supported; templates may have {SUPPORTED}')
        tokens.append(tuple(group if group is not None else "\0" for group in found.groups()))
        end = found.end()
    part = _call(tokens, fields, text)
    if tokens:
        raise ValueError(f'"{{{{{text}}}}}" is not supported; templates may have {SUPPORTED}')
    return part


def _call(tokens: list[tuple[str, ...]], fields: tuple[str, ...], text: str) -> Part:
    """A function with what it takes, or a single value; empty is false, everything else is true."""
    word = tokens[0][5] if tokens else "\0"
    if word not in _WORDS:
        return _value(tokens, fields, text)
    tokens.pop(0)
    if word == "index":
        return _index(tokens, fields, text)
    taken: list[Part] = []
    while tokens and tokens[0][4] != ")":
        taken.append(_value(tokens, fields, text))
    least, most = _WORDS[word]
    if not least <= len(taken) <= most:
        raise ValueError(f'"{{{{{text}}}}}": {word} does not take {len(taken)} values')
    return _function(word, taken)


def _function(word: str, taken: list[Part]) -> Part:
    if word == "not":
        return lambda fields: "" if taken[0](fields) else "true"
    if word in ("eq", "ne"):
        is_eq = word == "eq"
        return lambda fields: "true" if any(taken[0](fields) == each(fields) for each in taken[1:]) is is_eq else ""
    wanted = word == "or"
    return lambda fields: next((said for each in taken if bool(said := each(fields)) is wanted), taken[-1](fields))


def _index(tokens: list[tuple[str, ...]], fields: tuple[str, ...], text: str) -> Part:
    if len(tokens) < 2 or tokens[0][0] == "\0" or tokens[1][2] == tokens[1][3]:
        raise ValueError(f'"{{{{{text}}}}}" is not supported; templates may have {SUPPORTED}')
    name = tokens.pop(0)[0]
    quoted = tokens.pop(0)
    return _field(name, quoted[2] if quoted[2] != "\0" else quoted[3], fields)


def _value(tokens: list[tuple[str, ...]], fields: tuple[str, ...], text: str) -> Part:
    """A field, a text, or an expression in brackets."""
    name, key, quoted, raw, bracket, _ = tokens.pop(0) if tokens else ("\0",) * 6
    if name != "\0":
        return _field(name, key, fields)
    if quoted != "\0" or raw != "\0":
        return _constant(quoted if quoted != "\0" else raw)
    if bracket == "(":
        part = _call(tokens, fields, text)
        if tokens and tokens.pop(0)[4] == ")":
            return part
    raise ValueError(f'"{{{{{text}}}}}" is not supported; templates may have {SUPPORTED}')


def _field(name: str, key: str, known: tuple[str, ...]) -> Part:
    if name not in known:
        raise ValueError(f"there is no field .{name}; there are {', '.join('.' + field for field in known)}")

    def value(fields: Fields) -> str:
        found = fields[name]
        if isinstance(found, str):
            return found if key == "\0" else ""
        return found.get(key, "")

    return value
