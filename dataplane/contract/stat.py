"""Stat: the record that tells the autoscaler how busy one pod is (1.13).

Protocol buffers, proto3, written by hand: seven fields need no library.
Fields ascend, zeros are left out, doubles are little-endian. Fields that a
later version may add are skipped when reading.
"""

from __future__ import annotations

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STAT_BYTES_MAX = 336
"""What the autoscaler reads of an answer; a pod's name has at most 253 characters, and then it fits (DP-123)."""

_DOUBLE = "<d"
_DOUBLE_FIELDS = (
    "average_concurrent_requests",
    "average_proxied_concurrent_requests",
    "request_count",
    "proxied_request_count",
    "process_uptime",
)
"""Fields 2 to 6, in order."""

_VARINT, _FIXED64, BYTES, _FIXED32 = 0, 1, 2, 5
_TAG_POD_NAME = 1 << 3 | BYTES
_TAG_TIMESTAMP = 7 << 3 | _VARINT
_UINT64 = 1 << 64


class Stat(Record):
    """One pod during one second. Averages are requests; counts are requests per second; totals include
    what came through an activator."""

    pod_name: str = ""
    average_concurrent_requests: float = 0.0
    average_proxied_concurrent_requests: float = 0.0
    request_count: float = 0.0
    proxied_request_count: float = 0.0
    process_uptime: float = 0.0
    """Seconds."""
    timestamp: int = 0
    """Unix seconds. A sidecar never sets it (DP-122)."""

    def encode(self) -> bytes:
        """The record on the wire."""
        from _struct import pack

        out = bytearray()
        if self.pod_name:
            name = self.pod_name.encode()
            out.append(_TAG_POD_NAME)
            out += varint(len(name))
            out += name
        for number, field in enumerate(_DOUBLE_FIELDS, 2):
            value = getattr(self, field)
            if value:
                out.append(number << 3 | _FIXED64)
                out += pack(_DOUBLE, value)
        if self.timestamp:
            out.append(_TAG_TIMESTAMP)
            out += varint(self.timestamp % _UINT64)
        return bytes(out)


def decode(wire: bytes) -> Stat:
    """A record from the wire; of a repeated field the last one counts, unknown fields are skipped.

    Raises  ValueError if the bytes are cut short or are no record.
    """
    from _struct import unpack

    values: dict[str, str | float | int] = {}
    for number, kind, value in fields(wire):
        if number == 1 and kind == BYTES:
            values["pod_name"] = value.decode()  # type: ignore[union-attr]
        elif 2 <= number <= 6 and kind == _FIXED64:
            values[_DOUBLE_FIELDS[number - 2]] = unpack(_DOUBLE, value)[0]  # type: ignore[arg-type]
        elif number == 7 and kind == _VARINT:
            values["timestamp"] = value - _UINT64 if value >= _UINT64 >> 1 else value  # type: ignore[operator, assignment]
    return Stat(**values)  # type: ignore[arg-type]


def fields(wire: bytes) -> Iterator[tuple[int, int, bytes | int]]:
    """The fields of one message: number, wire type, and the value: a whole number for a varint, else bytes.

    Raises  ValueError if the bytes are cut short or are no message.
    """
    at = 0
    while at < len(wire):
        tag, at = _read_varint(wire, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise ValueError(f"a field before byte {at} has no number")
        if kind == _VARINT:
            whole, at = _read_varint(wire, at)
            yield number, kind, whole
            continue
        if kind == BYTES:
            size, at = _read_varint(wire, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"field {number} has wire type {kind}, which no version uses")
        if at + size > len(wire):
            raise ValueError(f"field {number} is cut short at byte {at}")
        yield number, kind, wire[at : at + size]
        at += size


def varint(number: int) -> bytes:
    """A whole number from 0 as the wire has it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(wire: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place after it. Raises ValueError if it is cut short or above 64 bits."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(wire):
            raise ValueError(f"a number is cut short at byte {at}")
        number |= (wire[at] & 0x7F) << shift
        at += 1
        if wire[at - 1] < 0x80 and number < _UINT64:
            return number, at
    raise ValueError(f"a number has more than 64 bits at byte {at}")
