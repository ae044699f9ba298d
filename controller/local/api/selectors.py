"""selectors: which objects of a kind a list or a watch means, by labels and by fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controller.local.api.names import key_problem, value_problem
from controller.local.api.status import bad_request

Object = dict[str, Any]
Labels = dict[str, str]
LabelTest = Callable[[Labels], bool]

_TERM = re.compile(
    r"\s*(?:(?P<key>[^\s!=,()]+)\s+(?P<set>in|notin)\s*\((?P<values>[^)]*)\)"
    r"|(?P<name>[^\s!=,()<>]+)\s*(?P<operator>==|!=|=)\s*(?P<value>[^\s,()=!<>]*)"
    r"|(?P<bound>[^\s!=,()<>]+)\s*(?P<than><|>)\s*(?P<number>-?\d+)"
    r"|!\s*(?P<absent>[^\s!=,()]+)|(?P<present>[^\s!=,()]+))\s*(?:,|$)"
)


@dataclass(frozen=True, slots=True)
class Term:
    """One requirement on labels. `values` is empty for keys that must be there, or must not."""

    key: str
    operator: str
    values: frozenset[str]

    def holds(self, labels: Labels) -> bool:
        found = labels.get(self.key)
        match self.operator:
            case "in":
                return found is not None and found in self.values
            case "notin":
                return found is None or found not in self.values
            case "exists":
                return found is not None
            case "!":
                return found is None
        if found is None or not re.fullmatch(r"-?\d+", found):
            return False
        bound = int(next(iter(self.values)))
        return int(found) > bound if self.operator == ">" else int(found) < bound


def labels(text: str) -> tuple[Term, ...]:
    """The requirements of a label selector such as `app in (a, b),!old,tier!=web`.

    Raises  ApiError 400 if it cannot be read
    """
    found, at = [], 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None or match.end() == at:
            wanted = 'a key, "!key", "key=value" or "key in (…)"'
            raise bad_request(f"unable to parse requirement: found '{text[at:]}', expected: {wanted}")
        at = match.end()
        found.append(_term(match))
    return tuple(found)


def _term(match: re.Match[str]) -> Term:
    if match["set"]:
        values = frozenset(each.strip() for each in match["values"].split(","))
        term = Term(match["key"], match["set"], values)
    elif match["operator"]:
        term = Term(match["name"], "notin" if match["operator"] == "!=" else "in", frozenset([match["value"]]))
    elif match["than"]:
        term = Term(match["bound"], match["than"], frozenset([match["number"]]))
    elif match["absent"]:
        term = Term(match["absent"], "!", frozenset())
    else:
        term = Term(match["present"], "exists", frozenset())
    if problem := key_problem(term.key):
        raise bad_request(f'unable to parse requirement: <nil>: Invalid value: "{term.key}": {problem}')
    for value in term.values:
        if problem := value_problem(value):
            where = f'values[0][{term.key}]: Invalid value: "{value}"'
            raise bad_request(f"unable to parse requirement: {where}: {problem}")
    return term


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One requirement on a field: it is, or is not, a word. `path` has been split at its dots."""

    path: tuple[str, ...]
    is_equal: bool
    value: str

    def holds(self, document: Object) -> bool:
        found: Any = document
        for name in self.path:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, bool):
            found = str(found).lower()
        return (str(found if found is not None else "") == self.value) == self.is_equal


_FIELD = re.compile(r"^(?P<path>[^=!]+?)(?P<operator>==|!=|=)(?P<value>.*)$")


def fields(text: str, known: frozenset[str], kind: str, version: str) -> tuple[FieldTerm, ...]:
    """The requirements of a field selector such as `metadata.name=web,status.phase!=Running`.

    known   the fields by which this kind can be selected, beside its name and namespace
    Raises  ApiError 400 for a field that is not known
    """
    found = []
    for part in filter(None, re.split(r"(?<!\\),", text)):
        match = _FIELD.match(part.strip())
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        path = match["path"].strip()
        if path not in known and path not in ("metadata.name", "metadata.namespace"):
            raise bad_request(_unknown(path, kind, version))
        value = re.sub(r"\\([,=\\])", r"\1", match["value"])
        found.append(FieldTerm(tuple(path.split(".")), match["operator"] != "!=", value))
    return tuple(found)


def _unknown(path: str, kind: str, version: str) -> str:
    if "/" in version:
        return f"field label not supported: {path}"
    return f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list or a watch asks for: a namespace (empty: all), one name (empty: all), labels, fields."""

    namespace: str = ""
    name: str = ""
    labels: tuple[Term, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

    def covers(self, namespace: str, name: str) -> bool:
        """The object may be meant, as far as its key tells."""
        return (not self.namespace or namespace == self.namespace) and (not self.name or name == self.name)

    def holds(self, found: Labels, document: Callable[[], Object]) -> bool:
        """Labels and fields fit. `document` is asked only when a field other than the name counts."""
        if not all(term.holds(found) for term in self.labels):
            return False
        return not self.fields or all(term.holds(document()) for term in self.fields)


def selection(namespace: str, by_label: str, terms: tuple[FieldTerm, ...]) -> Selection:
    """Terms on the name and the namespace become keys, which need no object to be read."""
    name, rest = "", []
    for term in terms:
        if term.path == ("metadata", "name") and term.is_equal and not name and term.value:
            name = term.value
        elif term.path == ("metadata", "namespace") and term.is_equal and not namespace and term.value:
            namespace = term.value
        else:
            rest.append(term)
    return Selection(namespace, name, labels(by_label), tuple(rest))
