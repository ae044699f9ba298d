"""Address: where to bind, and whom to believe."""

from __future__ import annotations

from dataplane.contract.values import quoted

from .schema import ALL_ADDRESSES, Trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .findings import Findings

MAPPED = b"\0" * 10 + b"\xff\xff"
"""What stands before an IPv4 address inside an IPv6 one (RFC 4291 2.5.5.2)."""


def packed(text: str) -> bytes | None:
    """An IP literal as 4 or 16 bytes; None if it is none. Only IPv6 loads what sockets need."""
    if ":" not in text:
        return _packed_v4(text)
    from _socket import AF_INET6, inet_pton

    try:
        return inet_pton(AF_INET6, text)
    except (OSError, ValueError):
        return None


def _packed_v4(text: str) -> bytes | None:
    """Four decimal numbers; one with a leading zero is octal to some, so it is none here."""
    parts = text.split(".")
    if len(parts) != 4 or not all(len(part) <= 3 and part.isascii() and part.isdigit() for part in parts):
        return None
    numbers = [int(part) for part in parts]
    if max(numbers) > 255 or any(str(number) != part for number, part in zip(numbers, parts, strict=True)):
        return None
    return bytes(numbers)


def read_bind_address(where: str, text: str, findings: Findings) -> str:
    """An IP literal without brackets."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if packed(bare) is not None:
        return bare
    findings.wrong(where, f"{quoted(text)} is not an IP address; use one such as 10.0.0.7 or [::]")
    return ALL_ADDRESSES


def read_trusted(where: str, text: str, findings: Findings) -> tuple[Trust, ...]:
    """Ranges in CIDR notation, split by commas; a single address is a range of one."""
    ranges = []
    for part in (one.strip() for one in text.split(",")):
        if not part:
            continue
        literal, slash, size = part.partition("/")
        network = packed(literal)
        if network is None:
            findings.wrong(where, f"{quoted(part)} is not a range of addresses; use CIDR, such as 10.0.0.0/8")
            continue
        width = len(network) * 8
        if not slash:
            size = str(width)
        if not (size.isascii() and size.isdigit() and len(size) <= 3 and int(size) <= width):
            findings.wrong(where, f"{quoted(part)} has a prefix length that does not fit; use 0 to {width}")
            continue
        bits = int(size)
        if len(network) == 4:
            network, bits = MAPPED + network, bits + 96
        whole = int.from_bytes(network, "big") >> (128 - bits) << (128 - bits)
        ranges.append(Trust(network=whole.to_bytes(16, "big"), bits=bits))
    return tuple(ranges)
