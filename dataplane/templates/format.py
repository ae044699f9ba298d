"""Format: turns values into text as Go's fmt does, for `print` and `printf`.

Covered are the verbs v s d q x X t f F e E g G b o O c U T with width,
precision and the flags + - # 0 and space. What is not covered (`*`, `[n]`,
%p, %#v and a few pairs that nobody logs) is refused by name.
Source: the documentation of Go's fmt.
"""

from __future__ import annotations

from dataplane.templates.errors import ExecError
from dataplane.templates.values import Map, NilPointer, Struct, raw, string, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLAGS = "#0+- "
NAMED = "n"
ESCAPES = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 34: '\\"', 92: "\\\\"}
REPLACEMENT = "\ufffd"


class Spec:
    """One directive of a format: flags, width, precision, verb.

    width, precision  None when absent.
    """

    __slots__ = ("flags", "precision", "verb", "width")

    def __init__(self, flags: str, width: int | None, precision: int | None, verb: str) -> None:
        self.flags = flags
        self.width = width
        self.precision = precision
        self.verb = verb

    def plain(self) -> Spec:
        """The same width and flags for the text of an error."""
        return Spec(self.flags, self.width, self.precision, "v")


PLAIN = Spec("", None, None, "v")


def parse(pattern: str) -> list[Any]:
    """A format as literal texts and Specs, in order.

    A Spec with the verb "" is a lone % at the end.
    Raises ExecError, naming the directive that is not supported.
    """
    parts: list[Any] = []
    pos = 0
    while True:
        start = pattern.find("%", pos)
        if start < 0:
            parts.append(pattern[pos:])
            return [p for p in parts if p != ""]
        parts.append(pattern[pos:start])
        pos = start + 1
        flags = ""
        while pos < len(pattern) and pattern[pos] in FLAGS:
            flags += pattern[pos]
            pos += 1
        width, pos = _number(pattern, pos)
        precision = None
        if pattern[pos : pos + 1] == "." and pos + 1 < len(pattern):
            precision, pos = _number(pattern, pos + 1)
            precision = precision or 0
        verb = pattern[pos : pos + 1]
        if verb in ("*", "["):
            raise ExecError(f"{verb!r} in a format of printf is not supported")
        if verb == "p" or (verb == "v" and "#" in flags):
            raise ExecError(f"%{flags}{verb} in a format of printf is not supported")
        pos += 1
        # With %v a plus asks for field names, not for a sign.
        flags = flags.replace("+", NAMED) if verb == "v" else flags
        parts.append("%" if verb == "%" else Spec(flags, width, precision, verb))


def _number(text: str, pos: int) -> tuple[int | None, int]:
    end = pos
    while "0" <= text[end : end + 1] <= "9":
        end += 1
    if end == pos:
        return None, pos
    value = int(text[pos:end])
    if value > 1_000_000:
        raise ExecError(f"a width of {value} in a format of printf is not supported")
    return value, end


def sprintf(parts: list[Any], args: tuple[Any, ...]) -> str:
    """Go's Sprintf with a parsed format."""
    out = []
    used = 0
    for part in parts:
        if type(part) is str:
            out.append(part)
        elif not part.verb:
            out.append("%!(NOVERB)")
            break
        elif used >= len(args):
            out.append(f"%!{part.verb}(MISSING)")
        else:
            out.append(show(part, args[used]))
            used += 1
    if used < len(args):
        extra = ["<nil>" if a is None else f"{type_name(a)}={show(PLAIN, a)}" for a in args[used:]]
        out.append(f"%!(EXTRA {', '.join(extra)})")
    return "".join(out)


def sprint(args: tuple[Any, ...] | list[Any]) -> str:
    """Go's Sprint: a space between two operands when neither is a string."""
    out = []
    for i, value in enumerate(args):
        if i and type(value) is not str and type(args[i - 1]) is not str:
            out.append(" ")
        out.append(show(PLAIN, value))
    return "".join(out)


def show(spec: Spec, value: object) -> str:
    """One value by one directive."""
    verb = spec.verb
    if spec is PLAIN and type(value) is str:
        return value
    if verb == "T":
        return pad(spec, type_name(value) if value is None else type_name(value)[: spec.precision])
    if value is None:
        return pad(spec, "<nil>") if verb == "v" else f"%!{verb}(<nil>)"
    if isinstance(value, bool):
        return pad(spec, "true" if value else "false") if verb in "tv" else _bad(spec, value)
    if isinstance(value, int):
        return _integer(spec, value)
    if isinstance(value, float):
        return _float(spec, value)
    if isinstance(value, str):
        return _string(spec, value, value)
    if isinstance(value, list):
        return "[" + " ".join([show(spec, item) for item in value]) + "]"
    return _composite(spec, value)


def _composite(spec: Spec, value: object) -> str:
    if isinstance(value, Map):
        pairs = [f"{show(spec, k)}:{show(spec, value.items[k])}" for k in sorted(value.items, key=raw)]
        return "map[" + " ".join(pairs) + "]"
    if isinstance(value, NilPointer):
        if spec.verb in "bodxX":
            raise ExecError(f"%{spec.verb} of a pointer in a format of printf is not supported")
        nothing = pad(spec, "<nil>")
        return nothing if spec.verb == "v" else f"%!{spec.verb}({value.type_name}={nothing})"
    if isinstance(value, Struct):
        text = value.text()
        if text is not None and spec.verb in "vsxXq":
            return _string(spec, text, value)
        return "&" + show_struct(spec, value)
    raise ExecError(f"can't print a value of type {type_name(value)}")


def show_struct(spec: Spec, value: Struct) -> str:
    """A struct by its fields, without the & of a pointer.

    Raises ExecError for a struct whose text has no use in a log line.
    """
    if value.PRINTS is None:
        raise ExecError(f"printing the whole of {value.TYPE} is not supported; name the field")
    named = NAMED in spec.flags
    fields = [(f"{n}:" if named else "") + show(spec, value.FIELDS[n](value)) for n in value.PRINTS]
    return "{" + " ".join(fields) + "}"


def _bad(spec: Spec, value: object) -> str:
    return f"%!{spec.verb}({type_name(value)}={show(spec.plain(), value)})"


def pad(spec: Spec, text: str) -> str:
    """Text at its width; zeros on the left when the 0 flag asks for them."""
    if not spec.width:
        return text
    missing = spec.width - len(text)
    if missing <= 0:
        return text
    if "-" in spec.flags:
        return text + " " * missing
    return ("0" if "0" in spec.flags else " ") * missing + text


def _pad_blank(spec: Spec, text: str) -> str:
    return pad(Spec(spec.flags.replace("0", ""), spec.width, None, spec.verb), text)


def _string(spec: Spec, text: str, value: object) -> str:
    verb = spec.verb
    if verb in "vsq" and spec.precision is not None:
        text = text[: spec.precision]
    if verb in "vs":
        return pad(spec, text)
    if verb == "q":
        if "#" in spec.flags and "`" not in text and _printable_line(text):
            return pad(spec, "`" + text + "`")
        return pad(spec, quote(text, '"', "+" in spec.flags))
    if verb in "xX":
        return _hex(spec, raw(text))
    return _bad(spec, value)


def _printable_line(text: str) -> bool:
    """Whether text can stand between back quotes."""
    return not any((c < " " and c != "\t") or c in "\x7f\ufeff" or "\ud800" <= c < "\ue000" for c in text)


def _hex(spec: Spec, data: bytes) -> str:
    if spec.precision is not None:
        data = data[: spec.precision]
    if not data:
        return pad(spec, "")
    mark = "0x" if "#" in spec.flags else ""
    text = f" {mark}".join([f"{b:02x}" for b in data]) if " " in spec.flags else data.hex()
    text = mark + text
    return pad(spec, text.upper() if spec.verb == "X" else text)


def quote(text: str, mark: str, ascii_only: bool = False) -> str:
    """A Go string literal: escapes for what cannot be printed."""
    out = [mark]
    for char in text:
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif code in ESCAPES and char != ('"' if mark == "'" else "'"):
            out.append(ESCAPES[code])
        elif char.isprintable() and (code < 128 or not ascii_only):
            out.append(char)
        elif code < 128:
            out.append(f"\\x{code:02x}")
        else:
            out.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "".join(out) + mark


def _integer(spec: Spec, value: int) -> str:
    verb = spec.verb
    if verb == "c":
        good = 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000
        return pad(spec, chr(value) if good else REPLACEMENT)
    if verb == "q":
        raise ExecError("%q of a number in a format of printf is not supported")
    if verb == "U":
        if value < 0 or "#" in spec.flags:
            raise ExecError("%#U and negative numbers with %U are not supported")
        return _pad_blank(spec, f"U+{value:0{max(4, spec.precision or 0)}X}")
    base = {"v": "d", "d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}.get(verb)
    if base is None:
        return _bad(spec, value)
    if spec.precision == 0 and value == 0:
        return " " * (spec.width or 0)
    sign = "-" if value < 0 else "+" if "+" in spec.flags else " " if " " in spec.flags else ""
    digits = format(abs(value), base)
    least = spec.precision
    if least is None and "0" in spec.flags and "-" not in spec.flags and spec.width:
        least = spec.width - len(sign)
    digits = digits.rjust(least or 0, "0")
    if "#" in spec.flags:
        if base == "o":
            digits = digits if digits.startswith("0") else "0" + digits
        elif base != "d":
            digits = "0" + base + digits
    if verb == "O":
        digits = "0o" + digits
    return _pad_blank(spec, sign + digits)


def _float(spec: Spec, value: float) -> str:
    verb = spec.verb
    if verb not in "vgGfFeE":
        if verb in "bxX":
            raise ExecError(f"%{verb} of a float in a format of printf is not supported")
        return _bad(spec, value)
    if "#" in spec.flags:
        raise ExecError(f"%#{verb} of a float in a format of printf is not supported")
    if verb in "fFeE":
        text = format(abs(value), f".{6 if spec.precision is None else spec.precision}{verb}")
    elif spec.precision is None:
        text = shortest(abs(value))
    else:
        text = format(abs(value), f".{spec.precision}g")
    if verb == "G":
        text = text.upper()
    negative = str(value).startswith("-")
    sign = "-" if negative else "+" if "+" in spec.flags else " " if " " in spec.flags else ""
    if sign and "0" in spec.flags and "-" not in spec.flags and spec.width:
        text = text.rjust(spec.width - len(sign), "0")
    return pad(spec, sign + text)


def shortest(value: float) -> str:
    """A number not below zero in the fewest digits that read back the same, as %v writes it."""
    text = repr(value)
    mantissa, _, power = text.partition("e")
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    if not digits:
        return "0"
    if not digits.isdigit():
        return {"inf": "+Inf", "nan": "NaN"}.get(text, text)
    point = len(whole) + int(power or 0)
    if whole == "0":
        point -= len(whole) + len(part) - len(digits)
    digits = digits.rstrip("0")
    if not -4 <= point - 1 < 6:
        rest = "." + digits[1:] if len(digits) > 1 else ""
        return f"{digits[0]}{rest}e{'-' if point < 1 else '+'}{abs(point - 1):02d}"
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]


__all__ = ["ESCAPES", "PLAIN", "Spec", "parse", "quote", "show", "show_struct", "sprint", "sprintf", "string"]
