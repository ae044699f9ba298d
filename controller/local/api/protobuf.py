"""protobuf: the binary form in which `kubectl create` sends Kubernetes' own kinds, read into plain objects.

Source: Kubernetes API concepts, "Protobuf encoding": four magic bytes, then an envelope with the kind and the message.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from controller.local.api.wire_fields import FIELDS

Object = dict[str, Any]

MEDIA = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read(raw: bytes) -> Object:
    """The object in a body.

    Raises  ValueError if it is cut short, or of a kind that is not in the table
    """
    if not raw.startswith(MAGIC):
        raise ValueError("it does not begin as Kubernetes' messages do")
    envelope = dict(_fields(raw[len(MAGIC) :]))
    head = {number: value.decode() for number, value in _fields(envelope.get(1, b""))}
    version, kind = head.get(1, ""), head.get(2, "")
    if kind not in FIELDS:
        raise ValueError(f"{kind} of {version} is read as JSON or YAML only")
    return {"apiVersion": version, "kind": kind, **_message(kind, envelope.get(2, b""))}


@cache
def _table(kind: str) -> dict[int, tuple[str, str]]:
    rows = (row.split(":") for row in FIELDS[kind].split())
    return {int(number): (name, what) for number, name, what in rows}


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field: an int, or bytes."""
    at = 0
    while at < len(raw):
        key, at = _varint(raw, at)
        form = key & 7
        if form == _VARINT:
            value, at = _varint(raw, at)
            yield key >> 3, value
            continue
        if form == _BYTES:
            size, at = _varint(raw, at)
        elif form in (_FIXED64, _FIXED32):
            size = 8 if form == _FIXED64 else 4
        else:
            raise ValueError(f"field {key >> 3} has the unknown form {form}")
        if at + size > len(raw):
            raise ValueError("it is cut short")
        yield key >> 3, raw[at : at + size]
        at += size


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(raw) or shift > 63:
            raise ValueError("it is cut short")
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _message(kind: str, raw: bytes) -> Object:
    table, found = _table(kind), {}
    for number, value in _fields(raw):
        if number not in table:
            raise ValueError(f"{kind} has no field {number}")
        name, what = table[number]
        if not name:
            found.update(_message(what, value))
        elif what[0] == "*":
            found.setdefault(name, []).append(_value(what[1:], value))
        elif what[0] == "%":
            entry = dict(_fields(value))
            found.setdefault(name, {})[entry.get(1, b"").decode()] = _value(what[1:], entry.get(2, b""))
        else:
            plain = _value(what, value)
            # A field that is always sent says nothing when it is zero.
            if plain is not None and (plain or what not in "sib"):
                found[name] = plain
    return found


def _value(what: str, value: Any) -> Any:
    match what.lower():
        case "s":
            return value.decode()
        case "i":
            return value - (1 << 64) if value >= 1 << 63 else value
        case "b":
            return bool(value)
        case "y":
            return base64.b64encode(value).decode()
    if what[0] == "@":
        return _special(what[1:], dict(_fields(value)))
    return _message(what, value)


def _special(what: str, fields: dict[int, Any]) -> Any:
    if what == "Quantity":
        return fields.get(1, b"").decode()
    if what == "IntOrString":
        return fields.get(3, b"").decode() if fields.get(1) else fields.get(2, 0)
    if what in ("Time", "MicroTime"):
        if not fields.get(1):
            return None
        moment = datetime.fromtimestamp(fields[1], UTC)
        micro = f".{fields.get(2, 0) // 1000:06}" if what == "MicroTime" else ""
        return moment.strftime("%Y-%m-%dT%H:%M:%S") + micro + "Z"
    return None
