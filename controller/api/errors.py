"""FieldError: one thing that is wrong with an object, in the words that users of Knative know (SC 5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

INT32_MAX = 2**31 - 1


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """A problem and the fields that have it. A warning lets the object pass."""

    message: str
    paths: tuple[str, ...] = ()
    details: str = ""
    is_warning: bool = False

    def under(self, prefix: str) -> FieldError:
        """The same problem, seen from further above."""
        paths = tuple(joined(prefix, path) for path in self.paths or ("",))
        return msgspec.structs.replace(self, paths=paths)

    def __str__(self) -> str:
        line = f"{self.message}: {', '.join(self.paths)}"
        return f"{line}\n{self.details}" if self.details else line


def joined(prefix: str, path: str) -> str:
    """`a` and `b` are `a.b`, `a` and `[0]` are `a[0]`."""
    if not prefix or not path or path.startswith("["):
        return prefix + path
    return f"{prefix}.{path}"


def under(prefix: str, errors: Iterable[FieldError]) -> list[FieldError]:
    return [error.under(prefix) for error in errors]


def merged(errors: Iterable[FieldError]) -> list[FieldError]:
    """Each problem once, with all its fields; sorted by message, then details (SC-105)."""
    paths: dict[tuple[str, str, bool], set[str]] = {}
    for error in errors:
        paths.setdefault((error.message, error.details, error.is_warning), set()).update(error.paths)
    return [
        FieldError(message=message, details=details, is_warning=is_warning, paths=tuple(sorted(found)))
        for (message, details, is_warning), found in sorted(paths.items())
    ]


def text(errors: Iterable[FieldError]) -> str:
    """All of them, one per line, as upstream prints them."""
    return "\n".join(str(error) for error in merged(errors))


def missing(*paths: str) -> FieldError:
    return FieldError(message="missing field(s)", paths=paths)


def disallowed(*paths: str) -> FieldError:
    return FieldError(message="must not set the field(s)", paths=paths)


def invalid(value: object, path: str, details: str = "") -> FieldError:
    return FieldError(message=f"invalid value: {shown(value)}", paths=(path,), details=details)


def out_of_bounds(value: object, lower: object, upper: object, path: str) -> FieldError:
    return FieldError(message=f"expected {shown(lower)} <= {shown(value)} <= {shown(upper)}", paths=(path,))


def none_of(*paths: str) -> FieldError:
    return FieldError(message="expected exactly one, got neither", paths=paths)


def several_of(*paths: str) -> FieldError:
    return FieldError(message="expected exactly one, got both", paths=paths)


def bad_key(key: str, path: str, details: str = "") -> FieldError:
    return FieldError(message=f"invalid key name {quoted(key)}", paths=(path,), details=details)


def generic(message: str, *paths: str, details: str = "") -> FieldError:
    return FieldError(message=message, paths=paths, details=details)


def warning(message: str, *paths: str, details: str = "") -> FieldError:
    return FieldError(message=message, paths=paths, details=details, is_warning=True)


def shown(value: object) -> str:
    """A value as Go prints it: no `.0`, `true` in lower case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return re.sub(r"e([+-])(\d)$", r"e\g<1>0\g<2>", repr(value).removesuffix(".0"))
    return str(value)


def quoted(value: str) -> str:
    """Text as Go quotes it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
