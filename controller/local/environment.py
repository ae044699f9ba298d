"""Environment: the variables of a container, from its spec and what that refers to.

Pure: config maps, secrets and facts of the pod are arguments.
Source: Kubernetes, "Define Environment Variables", "Dependent Environment Variables", "Downward API".
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from controller.api.values import quantity

Object = dict[str, Any]
Source = tuple[str, str]
"""Kind (ConfigMap or Secret) and name."""

CONFIG_MAP, SECRET = "ConfigMap", "Secret"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
REFERENCE = re.compile(r"\$(\$|\(([^()]*)\))")
KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
UID = "metadata.uid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a pod can be told about itself."""

    fields: Mapping[str, str]
    """By path, such as `metadata.name` and `status.podIP`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


def sources(container: Object) -> set[Source]:
    """What has to be read before the variables can be made."""
    found: set[Source] = set()
    for one in container.get("envFrom", ()):
        for key, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
            if key in one:
                found.add((kind, one[key].get("name", "")))
    for one in container.get("env", ()):
        for key, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
            if key in (one.get("valueFrom") or {}):
                found.add((kind, one["valueFrom"][key].get("name", "")))
    return found


def needs_uid(container: Object) -> bool:
    """Whether the pod has to exist before its variables can be made."""
    return any(
        (one.get("valueFrom") or {}).get("fieldRef", {}).get("fieldPath") == UID for one in container.get("env", ())
    )


def decoded(secret: Mapping[str, str]) -> dict[str, str]:
    """The values of a secret. Those that are no UTF-8 are kept byte for byte, as the kernel takes them."""
    return {key: os.fsdecode(_plain(value)) for key, value in secret.items()}


def variables(
    container: Object, facts: Facts, read: Mapping[Source, Mapping[str, str] | None], ours: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The variables in their order, and all problems by field path.

    read  what `sources` asked for; None: it is not there
    ours  win over variables of the same name, and can be referred to like them
    """
    made: dict[str, str] = {}
    problems: list[str] = []
    for number, one in enumerate(container.get("envFrom", ())):
        for name, value in _all_of(one, read, f"envFrom[{number}]", problems):
            made[name] = value
    for number, one in enumerate(container.get("env", ())):
        name = one["name"]
        if name in ours:
            made[name] = ours[name]
        elif one.get("valueFrom"):
            found = _one_of(one["valueFrom"], container, facts, read, f"env[{number}].valueFrom", problems)
            if found is not None:
                made[name] = found
        else:
            made[name] = expanded(one.get("value") or "", made)
    return {**made, **ours}, problems


def expanded(text: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` replaced by a variable that is known; `$$` means one `$`; anything else stays."""

    def one(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return known.get(match[2], match[0])

    return REFERENCE.sub(one, text)


def _all_of(
    one: Object, read: Mapping[Source, Mapping[str, str] | None], where: str, problems: list[str]
) -> Iterator[tuple[str, str]]:
    for key, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
        if key not in one:
            continue
        name = one[key].get("name", "")
        found = read.get((kind, name))
        if found is None:
            if not one[key].get("optional"):
                problems.append(f'{where}.{key}: {kind} "{name}" is not there; create it, or set optional: true')
            continue
        for variable, value in found.items():
            full = one.get("prefix", "") + variable
            if NAME.fullmatch(full):
                yield full, value


def _one_of(
    source: Object, container: Object, facts: Facts, read: Mapping[Source, Mapping[str, str] | None], where: str,
    problems: list[str],
) -> str | None:  # fmt: skip
    """The value; None: there is none, which is a problem unless it is optional."""
    for key, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
        if key in source:
            wanted = source[key]
            found = read.get((kind, wanted.get("name", "")))
            value = None if found is None else found.get(wanted["key"])
            if value is None and not wanted.get("optional"):
                what = f'{kind} "{wanted.get("name", "")}"'
                missing = "is not there" if found is None else f'has no key "{wanted["key"]}"'
                problems.append(f"{where}.{key}: {what} {missing}; create it, or set optional: true")
            return value
    if "fieldRef" in source:
        path = source["fieldRef"].get("fieldPath", "")
        keyed = KEYED.fullmatch(path)
        if keyed:
            return (facts.labels if keyed[1] == "labels" else facts.annotations).get(keyed[2], "")
        if path not in facts.fields:
            problems.append(f'{where}.fieldRef.fieldPath: "{path}" is not known; use one of {", ".join(facts.fields)}')
        return facts.fields.get(path)
    if "resourceFieldRef" in source:
        return _resource(source["resourceFieldRef"], container, where, problems)
    problems.append(f"{where}: {', '.join(source) or 'nothing'} cannot be read; use configMapKeyRef or secretKeyRef")
    return None


def _resource(source: Object, container: Object, where: str, problems: list[str]) -> str | None:
    """Rounded up, in units of the divisor; a limit that is not set is the machine's size."""
    kind, _, name = source.get("resource", "").partition(".")
    if kind not in ("limits", "requests") or name not in ("cpu", "memory"):
        problems.append(
            f'{where}.resourceFieldRef.resource: "{source.get("resource", "")}" is not known; use limits.cpu, '
            "limits.memory, requests.cpu or requests.memory"
        )
        return None
    resources = container.get("resources", {})
    said = resources.get(kind, {}).get(name)
    if said is None and kind == "requests":
        said = resources.get("limits", {}).get(name, "0")
    if said is None:
        machine = {"cpu": os.cpu_count() or 1, "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")}
        said = str(machine[name])
    divisor = quantity(str(source.get("divisor", "0") or "0")) or 1
    return str(ceil(quantity(str(said)) / divisor))


def _plain(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return value.encode()
