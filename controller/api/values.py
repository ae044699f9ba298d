"""Value: how Go and Kubernetes write durations, numbers, quantities and names."""

from __future__ import annotations

import re
from fractions import Fraction

NS_PER_S = 1_000_000_000
INT64_MAX = 2**63 - 1

_UNITS_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": NS_PER_S,
             "m": 60 * NS_PER_S, "h": 3600 * NS_PER_S}  # fmt: skip
_PART = r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"[+-]?(?:0|(?:{_PART})+)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]))?", re.ASCII)
_SUFFIXES = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": Fraction(1000),
             **{name: Fraction(1000**power) for power, name in enumerate("MGTPE", 2)},
             **{f"{name}i": Fraction(1024**power) for power, name in enumerate("KMGTPE", 1)}}  # fmt: skip


def duration_ns(text: str) -> int:
    """A duration as Go writes it (`1m30s`), in ns.

    Raises   ValueError for anything else, also for a number without a unit
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f'"{text}" is no duration; write it as 30s, 1m30s or 500ms')
    total = sum(int(Fraction(number) * _UNITS_NS[unit]) for number, unit in re.findall(_PART, text))
    if total > INT64_MAX:
        raise ValueError(f'"{text}" is longer than 292 years')
    return -total if text.startswith("-") else total


def duration_text(ns: int) -> str:
    """ns as Go prints a duration: `1h0m0s`, `1.5s`, `250ms`, `0s`."""
    sign, left = ("-", -ns) if ns < 0 else ("", ns)
    if left == 0:
        return "0s"
    if left < NS_PER_S:
        unit, size = next((u, s) for u, s in (("ms", 10**6), ("µs", 10**3), ("ns", 1)) if left >= s)
        return f"{sign}{_decimal(left, size)}{unit}"
    hours, left = divmod(left, _UNITS_NS["h"])
    minutes, left = divmod(left, _UNITS_NS["m"])
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{head}{_decimal(left, NS_PER_S)}s"


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    fraction = f"{rest:0{len(str(size)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


def integer(text: str, bits: int = 64) -> int:
    """A decimal integer that fits into so many bits.

    Raises   OverflowError when it does not fit, ValueError when it is none
    """
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise ValueError(f'"{text}" is no whole number')
    value = int(text)
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise OverflowError(f"{text} does not fit into {bits} bits")
    return value


def number(text: str) -> float:
    """A finite decimal number.

    Go takes `NaN` and `Inf` as well; a limit that every comparison passes is no limit.
    Raises   ValueError
    """
    if not _NUMBER.fullmatch(text) or (value := float(text)) in (float("inf"), float("-inf")):
        raise ValueError(f'"{text}" is no number')
    return value


def boolean(text: str) -> bool:
    """Raises ValueError unless it is one of Go's words for true and false."""
    if text.lower() in ("1", "t", "true"):
        return True
    if text.lower() in ("0", "f", "false"):
        return False
    raise ValueError(f'"{text}" is neither true nor false')


def quantity(text: str) -> Fraction:
    """An amount as Kubernetes writes it (`100m`, `1Gi`, `1e3`), in units.

    Raises   ValueError
    """
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f'"{text}" is no quantity; write it as 100m, 0.5 or 128Mi')
    digits, exponent, suffix = found.groups()
    if exponent and len(exponent) > 4:
        raise ValueError(f'"{text}" is too large a quantity')
    factor = Fraction(10) ** int(exponent[1:]) if exponent else _SUFFIXES[suffix] if suffix else Fraction(1)
    return Fraction(digits) * factor


LABEL_MAX = 63
SUBDOMAIN_MAX = 253

_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL_1123}(\.{_LABEL_1123})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

_SAID_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    f"'{_LABEL_1035}')"
)
_SAID_1123 = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    f"'{_LABEL_1123}')"
)
_SAID_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_SAID_QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)


def _said(text: str, pattern: str, longest: int, said: str) -> list[str]:
    too_long = [f"must be no more than {longest} characters"] if len(text) > longest else []
    return too_long if re.fullmatch(pattern, text) else [*too_long, said]


def label_1035_problems(text: str) -> list[str]:
    """What keeps a name from being a DNS label that starts with a letter, in Kubernetes' words."""
    return _said(text, _LABEL_1035, LABEL_MAX, _SAID_1035)


def label_1123_problems(text: str) -> list[str]:
    """What keeps a name from being a DNS label, in Kubernetes' words."""
    return _said(text, _LABEL_1123, LABEL_MAX, _SAID_1123)


def subdomain_problems(text: str) -> list[str]:
    """What keeps a name from being a DNS name in lower case, in Kubernetes' words."""
    return _said(text, _SUBDOMAIN, SUBDOMAIN_MAX, _SAID_SUBDOMAIN)


def qualified_name_problems(text: str) -> list[str]:
    """What keeps a name from being a label key with an optional prefix, in Kubernetes' words."""
    prefix, slash, name = text.rpartition("/")
    if slash and not prefix:
        return ["prefix part must be non-empty"]
    said = [f"prefix part {each}" for each in subdomain_problems(prefix)] if prefix else []
    if not name:
        return [*said, "name part must be non-empty"]
    return said + _said(name, _QUALIFIED, LABEL_MAX, _SAID_QUALIFIED)
