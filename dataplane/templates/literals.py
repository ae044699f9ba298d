"""Literals: what the constants of a template mean.

Strings are Python strings in which a byte that is no UTF-8 stands as a
surrogate (the "surrogateescape" error handler), so that every byte survives.
"""

from __future__ import annotations

INT_MIN, INT_MAX, UINT_MAX = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1
SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}


def unquote(literal: str) -> str:
    """The text of a quoted, raw or character literal, quotes included in the input.

    Raises ValueError when an escape is none of Go's.
    """
    quote, body = literal[0], literal[1:-1]
    if quote == "`":
        return body.replace("\r", "")
    if "\\" not in body:
        return body
    out = bytearray()
    pos = 0
    while pos < len(body):
        if body[pos] == "\\":
            pos = _escape(body, pos + 1, quote, out)
        else:
            out += body[pos].encode("utf-8", "surrogateescape")
            pos += 1
    return out.decode("utf-8", "surrogateescape")


def _escape(body: str, pos: int, quote: str, out: bytearray) -> int:
    char = body[pos : pos + 1]
    if char == quote:
        out += quote.encode()
        return pos + 1
    if char in SIMPLE:
        out.append(SIMPLE[char])
        return pos + 1
    if char in HEX_ESCAPES:
        size = HEX_ESCAPES[char]
        code = _digits(body[pos + 1 : pos + 1 + size], size, "0123456789abcdefABCDEF", 16)
        if char == "x":
            out.append(code)
        elif code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise ValueError("invalid syntax")
        else:
            out += chr(code).encode()
        return pos + 1 + size
    code = _digits(body[pos : pos + 3], 3, "01234567", 8)
    if code > 255:
        raise ValueError("invalid syntax")
    out.append(code)
    return pos + 3


def _digits(text: str, size: int, allowed: str, base: int) -> int:
    if len(text) != size or text.strip(allowed):
        raise ValueError("invalid syntax")
    return int(text, base)


def char_value(literal: str) -> int:
    """The code of a character constant such as 'a'.

    Raises ValueError when it holds no character or several.
    """
    body = literal[1:-1]
    if body[:2] == "\\x" or (body[:1] == "\\" and body[1:2].isdigit()):
        raw = bytearray()
        if _escape(body, 1, "'", raw) != len(body):
            raise ValueError("malformed character constant")
        return raw[0]
    text = unquote(literal)
    if len(text) != 1:
        raise ValueError("malformed character constant")
    return ord(text)


class Number:
    """A numeric constant whose type depends on where it stands.

    whole   its value as an int64, or None.
    real    its value as a float64, or None.
    ideal   the value where nothing says which type is wanted: an int, a
            float, or None when it fits neither.
    """

    __slots__ = ("ideal", "real", "whole")

    def __init__(self, text: str) -> None:
        whole = _int(text)
        real: float | None = None
        if whole is None:
            real = _float(text)
            if real is None:
                raise ValueError("bad number syntax")
            if real.is_integer() and INT_MIN <= real <= INT_MAX:
                whole = int(real)
        else:
            real = float(whole)
        looks_real = any(c in text for c in ".eEpP") and not (_is_hex(text) and not any(c in text for c in "pP"))
        self.ideal: int | float | None = real if looks_real else whole
        if whole is not None and not INT_MIN <= whole <= INT_MAX:
            if not looks_real:
                self.ideal = None
            whole = None
        self.whole = whole
        self.real = real


def _is_hex(text: str) -> bool:
    return text[:2].lower() == "0x"


def _int(text: str) -> int | None:
    sign, body = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    if len(body) > 1 and body[0] == "0" and (body[1].isdigit() or body[1] == "_"):
        body = "0o" + body[1:]
    try:
        value = int(sign + body, 0)
    except ValueError:
        return None
    return value if INT_MIN <= value <= (UINT_MAX if not sign else INT_MAX) else None


def _float(text: str) -> float | None:
    body = text.lstrip("+-")
    try:
        if _is_hex(body):
            return float.fromhex(text.replace("_", "")) if "p" in body.lower() else None
        if "_" in body or not any(c in body for c in ".eE"):
            return None
        value = float(text)
        return value if value - value == 0 else None
    except (ValueError, OverflowError):
        return None
