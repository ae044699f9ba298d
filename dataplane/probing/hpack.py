"""hpack: as much of HTTP/2's header compression as a probe needs.

We allow the peer no dynamic table, so nothing has to be remembered: an answer
holds entries of the static table and literals, which may be Huffman-coded.
Source: RFC 7541.
"""

from __future__ import annotations

STATIC = {
    8: (":status", "200"),
    9: (":status", "204"),
    10: (":status", "206"),
    11: (":status", "304"),
    12: (":status", "400"),
    13: (":status", "404"),
    14: (":status", "500"),
    46: ("location", ""),
}
"""The entries of appendix A that a probe looks at."""
STATIC_COUNT = 61

CODE_LENGTHS = bytes.fromhex(
    "0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c060a0a0c0d06080b0a0a080b080606060505"
    "050606060606060607080f060c0a0d06070707070707070707070707070707070707070707070807080d130d0e060f050605"
    "06050606060507070606060506070605050607070707070f0b0e0d1c14161414161616171617171717171817181816171817"
    "1717171516171617171816151416161717151716161815161717151516151716171714161616171616171a1a141316171619"
    "1a1a1a1b1b1a181913151a1b1b1a1b1815151a1a1c1b1b1b14181415161515171616191918181a171a1b1a1a1b1b1b1b1b1c"
    "1b1b1b1b1b1a1e"
)
"""Bits of each symbol's code, 0 to 255 and the end (appendix B). The code is canonical: codes of one length
follow each other in the order of their symbols, so the lengths say it all."""
END = 256
PADDING_BITS_MAX = 7


def _symbols() -> dict[tuple[int, int], int]:
    """(bits, code) → symbol."""
    symbols = {}
    code = bits = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(CODE_LENGTHS)):
        code <<= length - bits
        bits = length
        symbols[bits, code] = symbol
        code += 1
    return symbols


SYMBOLS = _symbols()


def encode(fields: list[tuple[str, str]]) -> bytes:
    """A header block of literals that nobody needs to remember."""
    out = bytearray()
    for name, value in fields:
        out.append(0)
        for text in (name, value):
            raw = text.encode()
            out += _number(len(raw), 7)
            out += raw
    return bytes(out)


def decode(block: bytes) -> list[tuple[str, str]]:
    """The fields of a block; those of the static table that no probe looks at have empty names.

    Raises ValueError for a block that is cut, or that refers to what was never said.
    """
    fields = []
    at = 0
    try:
        while at < len(block):
            first = block[at]
            if first & 0x80:
                index, at = _read_number(block, at, 7)
                fields.append(_entry(index))
            elif first & 0xE0 == 0x20:
                _, at = _read_number(block, at, 5)
            else:
                index, at = _read_number(block, at, 6 if first & 0x40 else 4)
                name, at = (_entry(index)[0], at) if index else _read_text(block, at)
                value, at = _read_text(block, at)
                fields.append((name, value))
    except IndexError:
        raise ValueError("the header block is cut") from None
    return fields


def _entry(index: int) -> tuple[str, str]:
    if not 0 < index <= STATIC_COUNT:
        raise ValueError("the header block refers to a table that is empty")
    return STATIC.get(index, ("", ""))


def _number(value: int, prefix_bits: int) -> bytes:
    """5.1, with nothing in front of the prefix."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes((value,))
    out = bytearray((most,))
    value -= most
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_number(block: bytes, at: int, prefix_bits: int) -> tuple[int, int]:
    most = (1 << prefix_bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    for shift in (0, 7, 14, 21):
        value += (block[at] & 0x7F) << shift
        at += 1
        if not block[at - 1] & 0x80:
            return value, at
    raise ValueError("a number in the header block has no end")


def _read_text(block: bytes, at: int) -> tuple[str, int]:
    coded = block[at] & 0x80
    size, at = _read_number(block, at, 7)
    raw = block[at : at + size]
    if len(raw) < size:
        raise ValueError("the header block is cut")
    return (unfold(raw) if coded else raw).decode("latin-1"), at + size


def unfold(raw: bytes) -> bytes:
    """What a Huffman-coded text says (5.2). Raises ValueError for a code that is none."""
    out = bytearray()
    bits = code = 0
    for byte in raw:
        for shift in range(7, -1, -1):
            code = code << 1 | byte >> shift & 1
            bits += 1
            symbol = SYMBOLS.get((bits, code))
            if symbol == END:
                raise ValueError("a text in the header block holds its own end")
            if symbol is not None:
                out.append(symbol)
                bits = code = 0
    if bits > PADDING_BITS_MAX or code != (1 << bits) - 1:
        raise ValueError("a text in the header block ends within a symbol")
    return bytes(out)
