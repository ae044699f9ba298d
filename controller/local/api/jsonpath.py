"""jsonpath: the small part of Kubernetes' JSONPath that printer columns use.

`.a.b`, `['a.b']`, `[0]`, `[*]` and `[?(@.type=="Ready")]`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_STEP = re.compile(
    r"\.(?P<name>(?:[^.\[\]\\]|\\.)+)|\[(?P<quote>['\"])(?P<quoted>.*?)(?P=quote)\]|\[(?P<index>\d+|\*)\]"
    r"|\[\?\(@\.(?P<field>[\w.]+)\s*==\s*['\"]?(?P<value>[^'\")]*)['\"]?\)\]"
)


@cache
def steps(path: str) -> tuple[tuple[str, str, str], ...]:
    """A path taken apart: (word, name or index or field, value).

    Raises  ValueError if it cannot be read
    """
    found, at = [], 0
    path = path if path.startswith((".", "[")) else "." + path
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(f"{path}: cannot be read from {path[at:]!r} on")
        at = match.end()
        if match["name"] is not None:
            found.append(("field", re.sub(r"\\(.)", r"\1", match["name"]), ""))
        elif match["quoted"] is not None:
            found.append(("field", match["quoted"], ""))
        elif match["index"] is not None:
            found.append(("index", match["index"], ""))
        else:
            found.append(("where", match["field"], match["value"]))
    return tuple(found)


def values(document: Any, path: str) -> list[Any]:
    """All values that a path leads to."""
    found = [document]
    for word, name, value in steps(path):
        after: list[Any] = []
        for each in found:
            if word == "field" and isinstance(each, dict) and name in each:
                after.append(each[name])
            elif word == "index" and isinstance(each, list):
                after += each if name == "*" else each[int(name) : int(name) + 1]
            elif word == "where" and isinstance(each, list):
                after += [item for item in each if isinstance(item, dict) and str(item.get(name)) == value]
        found = after
    return found
