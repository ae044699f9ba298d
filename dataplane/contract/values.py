"""Value: how one piece of text in the environment is read, as Go's envconfig reads it (1.2)."""

from __future__ import annotations

INT64_MAX = (1 << 63) - 1
INT64_MIN = -(1 << 63)

TRUE_TEXTS = ("1", "t", "T", "TRUE", "true", "True")
FALSE_TEXTS = ("0", "f", "F", "FALSE", "false", "False")

SHOWN_MAX = 80
"""Characters of a wrong value that a message shows: enough to know it, not enough to fill a log."""


def go_int(text: str) -> int:
    """A whole number in Go's base-0 syntax: `10`, `0x0a`, `012` (octal), `0b1010`, `1_0`.

    Raises  ValueError if it is none, or does not fit in 64 bits.
    Source  1.2, parsing rules.
    """
    if not text.isascii() or text != text.strip():
        raise ValueError("not a whole number")
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    if len(digits) > 1 and digits[0] == "0" and (digits[1].isdigit() or digits[1] == "_"):
        digits = "0o" + digits[1:]
    try:
        number = int(digits, 0) if digits[:1].isdigit() else None
    except ValueError:
        number = None
    if number is None:
        raise ValueError("not a whole number")
    number = -number if sign == "-" else number
    if not INT64_MIN <= number <= INT64_MAX:
        raise ValueError("not a whole number of 64 bits")
    return number


def go_bool(text: str) -> bool:
    """A truth value in Go's syntax.

    Raises  ValueError for any other spelling.
    Source  1.2, parsing rules.
    """
    if text in TRUE_TEXTS:
        return True
    if text in FALSE_TEXTS:
        return False
    raise ValueError("not a truth value")


def quoted(text: str) -> str:
    """A value as a message shows it: in double quotes, on one line, cut when long."""
    shown = text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."
    return '"' + "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in shown) + '"'
