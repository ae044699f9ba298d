"""Stat batch: what an activator pushes to the autoscaler, the records of many revisions in one frame (2.11).

WireStatMessages  1  repeated WireStatMessage
WireStatMessage   1  namespace    2  name    3  Stat, also when it is empty
"""

from __future__ import annotations

from collections.abc import Iterable

from .stat import BYTES, Stat, decode, fields, varint

Entry = tuple[str, str, Stat]
"""Namespace and name of a revision, and its record."""

_TAG_MESSAGES = 1 << 3 | BYTES


def encode_batch(entries: Iterable[Entry]) -> bytes:
    """One frame."""
    out = bytearray()
    for namespace, name, stat in entries:
        message = bytearray()
        for number, value in ((1, namespace.encode()), (2, name.encode()), (3, stat.encode())):
            if value or number == 3:
                message.append(number << 3 | BYTES)
                message += varint(len(value))
                message += value
        out.append(_TAG_MESSAGES)
        out += varint(len(message))
        out += message
    return bytes(out)


def decode_batch(wire: bytes) -> list[Entry]:
    """The entries of one frame; one without a record is left out, as upstream does.

    Raises  ValueError if the bytes are cut short or are no such frame.
    """
    return [entry for number, kind, value in fields(wire) if number == 1 and (entry := _entry(kind, value))]


def _entry(kind: int, value: bytes | int) -> Entry | None:
    if kind != BYTES or isinstance(value, int):
        raise ValueError("field 1 of a batch is no message")
    parts = {number: part for number, inner, part in fields(value) if inner == BYTES and isinstance(part, bytes)}
    if 3 not in parts:
        return None
    return parts.get(1, b"").decode(), parts.get(2, b"").decode(), decode(parts[3])
