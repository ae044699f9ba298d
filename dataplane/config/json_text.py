"""JSON: a text from the environment as plain values, looked up as Go looks up fields.

The decoder is the interpreter's own, which the package `json` is a wrapper
of. The wrapper imports `re` and `enum`, 8 ms that every sidecar would pay, as
Knative always gives it three JSON variables.
"""

from __future__ import annotations

from _json import make_scanner

from dataplane.contract.values import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .findings import Findings

SPACE = " \t\n\r"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


class _Context:
    """What the decoder asks for: plain dicts, floats and ints, no control characters in strings."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse_constant)


def decode(text: str) -> object:
    """The one value in a text.

    Raises  ValueError that says what is wrong and where.
    """
    begin = len(text) - len(text.lstrip(SPACE))
    try:
        value, end = make_scanner(_Context())(text, begin)  # type: ignore[arg-type]
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (StopIteration, SystemError):
        # Without the wrapper in memory the decoder cannot make its exception.
        return _decode_aloud(text)
    return value if not text[end:].strip(SPACE) else _decode_aloud(text)


def _decode_aloud(text: str) -> object:
    """The same by the wrapper, loaded because its message is wanted."""
    from json import loads

    return loads(text, parse_constant=_refuse_constant)


class JsonObject:
    """The members of one JSON object, each of the type that its setting has.

    where   the variable, as a problem names it
    path    the object inside it, such as `httpGet.`
    A member that is missing or null has its default, and one of a wrong type
    is named. Go reads keys in any case; the exact spelling comes first here.
    """

    __slots__ = ("_findings", "_path", "_values", "_where")

    def __init__(self, findings: Findings, where: str, path: str, value: object) -> None:
        self._findings = findings
        self._where = where
        self._path = path
        self._values: dict[str, object] = {}
        if isinstance(value, dict):
            self._values = value
        elif value is not None:
            self.wrong("", f"{shown(value)} is not an object; use {{...}}")

    def has(self, key: str) -> bool:
        """Is there such a member that is not null?"""
        return self._get(key) is not None

    def text(self, key: str, default: str = "") -> str:
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            self.wrong(key, f"{shown(value)} is not a string; put it in double quotes")
            return default
        return value

    def whole(self, key: str, default: int = 0) -> int:
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            self.wrong(key, f"{shown(value)} is not a whole number")
            return default
        return value

    def number(self, key: str, default: float = 0.0) -> float:
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            self.wrong(key, f"{shown(value)} is not a number")
            return default
        return float(value)

    def truth(self, key: str, default: bool = False) -> bool:
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.wrong(key, f"{shown(value)} is not a truth value; use true or false")
            return default
        return value

    def inner(self, key: str) -> JsonObject:
        return JsonObject(self._findings, self._where, f"{self._path}{key}.", self._get(key))

    def rows(self, key: str) -> list[JsonObject]:
        value = self._get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(key, f"{shown(value)} is not an array; use [...]")
            return []
        return [JsonObject(self._findings, self._where, f"{self._path}{key}[{i}].", one) for i, one in enumerate(value)]

    def raw(self, key: str) -> object:
        """The member whatever its type is."""
        return self._get(key)

    def wrong(self, key: str, what: str) -> None:
        self._findings.wrong(self._where, f"{(self._path + key).rstrip('.')}: {what}".removeprefix(": "))

    def odd(self, key: str, what: str) -> None:
        self._findings.odd(self._where, f"{self._path}{key}: {what}")

    def _get(self, key: str) -> object:
        if key in self._values:
            return self._values[key]
        folded = key.lower()
        for name, value in self._values.items():
            if name.lower() == folded:
                return value
        return None


def shown(value: object) -> str:
    """A JSON value as a message shows it: containers by their kind, the rest by what they say."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else str(value)
