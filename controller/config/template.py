"""Template: a name made of fields, in the part of Go's template language that names need."""

from __future__ import annotations

import re
from collections.abc import Mapping

Fields = Mapping[str, "str | Mapping[str, str]"]

_ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
_FIELD = re.compile(r"\.(\w+)(?:\.(\w+))?")
_INDEX = re.compile(r'index\s+\.(\w+)\s+(?:"([^"]*)"|`([^`]*)`)')
_QUOTED = re.compile(r'"([^"\\]*)"|`([^`]*)`')

SUPPORTED = '{{.Name}}, {{.Labels.app}}, {{index .Annotations "key"}}, {{"text"}} and {{/* comments */}}'


class Template:
    """Text with fields in it.

    Raises   ValueError at once, when the text has anything that is not supported, or a field that does not exist
    """

    __slots__ = ("_parts", "text")

    def __init__(self, text: str, fields: tuple[str, ...]) -> None:
        self.text = text
        self._parts: list[str | tuple[str, str | None]] = []
        end, is_trimmed = 0, False
        for action in _ACTION.finditer(text):
            self._literal(text[end : action.start()], is_trimmed, action[1] == "-")
            self._action(action[2], fields)
            end, is_trimmed = action.end(), action[3] == "-"
        self._literal(text[end:], is_trimmed, False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def render(self, fields: Fields) -> str:
        """A key that a map does not have is empty."""
        return "".join(part if isinstance(part, str) else _value(fields, *part) for part in self._parts)

    def _literal(self, text: str, is_trimmed_left: bool, is_trimmed_right: bool) -> None:
        text = text.lstrip() if is_trimmed_left else text
        text = text.rstrip() if is_trimmed_right else text
        if "{{" in text or "}}" in text:
            raise ValueError(f'unclosed action in "{self.text}"')
        self._parts.append(text)

    def _action(self, action: str, fields: tuple[str, ...]) -> None:
        if re.fullmatch(r"/\*.*\*/", action, re.DOTALL):
            return
        if found := _QUOTED.fullmatch(action):
            self._parts.append(found[1] or found[2] or "")
            return
        found = _FIELD.fullmatch(action) or _INDEX.fullmatch(action)
        if not found:
            raise ValueError(f'"{{{{{action}}}}}" is not supported; templates may have {SUPPORTED}')
        name, key = found[1], next((group for group in found.groups()[1:] if group is not None), None)
        if name not in fields:
            raise ValueError(f"there is no field .{name}; there are {', '.join('.' + field for field in fields)}")
        self._parts.append((name, key))


def _value(fields: Fields, name: str, key: str | None) -> str:
    value = fields[name]
    if isinstance(value, str):
        return value if key is None else ""
    return value.get(key, "") if key is not None else ""
