"""names: which names an object may have, and how one is made from a prefix."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

from controller.local.api.status import Cause, field_invalid, field_required

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"

SUBDOMAIN, LABEL, SERVICE_LABEL = "subdomain", "label", "service label"

_RULES = {
    SUBDOMAIN: (
        253, _SUBDOMAIN, "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or"
        " '.', and must start and end with an alphanumeric character", "'example.com'",
    ),
    LABEL: (
        63, _LABEL, "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must"
        " start and end with an alphanumeric character", "'my-name',  or '123-abc'",
    ),
    SERVICE_LABEL: (
        63, _DNS1035, "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an"
        " alphabetic character, and end with an alphanumeric character", "'my-name',  or 'abc-123'",
    ),
}  # fmt: skip

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Of a made name: no vowels, so that no word appears, and nothing that looks like something else."""

_PREFIX_CHARS_MAX = 58


def problems(name: str, rule: str) -> list[str]:
    """What is wrong with a name under SUBDOMAIN, LABEL or SERVICE_LABEL, in the API's words."""
    longest, pattern, meaning, example = _RULES[rule]
    found = [f"must be no more than {longest} characters"] if len(name) > longest else []
    if rule == LABEL and not re.fullmatch(pattern, name) and re.fullmatch(_SUBDOMAIN, name):
        found.append("must not contain dots")
    elif not re.fullmatch(pattern, name):
        found.append(f"{meaning} (e.g. {example}, regex used for validation is '{pattern}')")
    return found


def generated(prefix: str) -> str:
    """A name from `generateName`: the prefix, at most 58 characters of it, and five random letters."""
    return prefix[:_PREFIX_CHARS_MAX] + "".join(secrets.choice(_LETTERS) for _ in range(5))


def metadata_problems(metadata: dict[str, Any], rule: str) -> Iterator[Cause]:
    """Names, labels, annotations and owners of an object that is about to be stored."""
    name = metadata.get("name", "")
    if not name:
        yield field_required("metadata.name", "name or generateName is required")
    else:
        for problem in problems(name, rule):
            yield field_invalid("metadata.name", name, problem)
    for key, value in (metadata.get("labels") or {}).items():
        if problem := key_problem(key):
            yield field_invalid("metadata.labels", key, problem)
        if problem := value_problem(str(value)):
            yield field_invalid("metadata.labels", value, problem)
    for key in metadata.get("annotations") or {}:
        if problem := key_problem(key.lower()):
            yield field_invalid("metadata.annotations", key, problem)
    for number, owner in enumerate(metadata.get("ownerReferences") or ()):
        where = f"metadata.ownerReferences[{number}]"
        for field, shown in (("apiVersion", "version"), ("kind", "kind"), ("name", "name"), ("uid", "uid")):
            if not owner.get(field):
                yield field_invalid(f"{where}.{field}", "", f"{shown} must not be empty")
    for finalizer in metadata.get("finalizers") or ():
        if problem := key_problem(finalizer):
            yield field_invalid("metadata.finalizers", finalizer, problem)


def key_problem(key: str) -> str:
    """What is wrong with the key of a label; empty when nothing is."""
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if "/" in prefix:
        shown = "a qualified name " + _QUALIFIED_MEANING
        return shown + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
    if prefix and (wrong := problems(prefix, SUBDOMAIN)):
        return "prefix part " + wrong[0]
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return "name part must be no more than 63 bytes"
    return "" if re.fullmatch(_QUALIFIED, name) else "name part " + _QUALIFIED_MEANING


def value_problem(value: str) -> str:
    """What is wrong with the value of a label; empty when nothing is."""
    if len(value) > 63:
        return "must be no more than 63 bytes"
    if re.fullmatch(_VALUE, value):
        return ""
    return (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start"
        " and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for"
        f" validation is '{_VALUE}')"
    )


_QUALIFIED_MEANING = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    f" (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
