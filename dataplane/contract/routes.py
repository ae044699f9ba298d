"""Routes: what the ingress controller tells a gateway, and what the gateway answers.

One WebSocket from each gateway to the controller, subprotocol `SUBPROTOCOL`,
text frames, one JSON object each. The gateway speaks first:

    gateway    {"hello": {"gateway": NAME, "version": V}}       V: the state that it has; 0: none
    controller {"delta": {...}}                                 a Delta; `since` 0 replaces everything
    gateway    {"applied": {"version": V}}                      every worker uses it, from now on
    gateway    {"refused": {"version": V, "problems": [...]}}   nothing of it was taken

A delta changes the state `since` into `version`, and holds only what differs.
A gateway whose state is not `since` says hello again, and gets a whole one.
Versions only grow. Endpoints have a section of their own: pods come and go
without a word about routes. Lists that are small or change as a whole (the
paths of a host, the endpoints of a target) are replaced, never patched.

Fields at their defaults are left out; fields that a reader does not know are
skipped, so that a newer controller can speak to an older gateway.
"""

from __future__ import annotations

from .record import Record, defaults_of, fields_of
from .values import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Problems = list[str]
    Reader = Callable[[object, str, Problems], Any]

SUBPROTOCOL = "penstock.routes.v1"

EXTERNAL, LOCAL = "external", "local"
"""Visibilities: an external host answers on every listener, a local one on the private ones only."""

ANY_HOST = "*"

CONNECT_TIMEOUT_S = 5.0
"""As Kourier sets it (networking.md 1.19)."""


class RoutesError(ValueError):
    """A message cannot be used. Carries every problem found, each as `path: what`."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


class Endpoint(Record):
    """One address that serves a target."""

    address: str
    """IPv4 or IPv6, without brackets."""
    port: int


class Target(Record):
    """Whom a split sends requests to: a revision, or a plain Service."""

    concurrency: int = 0
    """Requests that one endpoint runs at once; 0: no limit."""
    hold: bool = False
    """Requests wait for an endpoint instead of failing with 503."""
    waiting_max: int = 10_000
    """Requests that may wait (DP-205)."""
    request_s: float = 0.0
    """For a whole request, waiting included; 0: no limit."""
    start_s: float = 0.0
    """Until an answer starts; 0: no limit."""
    idle_s: float = 0.0
    """Between two pieces of an answer; 0: no limit."""
    protocol: str = "http1"
    """What endpoints speak: `http1`, `h2c`, or `follow` (as the request came)."""


class Split(Record):
    """A share of the requests of one path."""

    target: str
    """Name of a target."""
    percent: int = 100
    set_headers: Mapping[str, str] = {}
    """Fields of the request, overwritten; those of the path win over these (1.15)."""


class Path(Record):
    """One candidate among the paths of a host."""

    splits: tuple[Split, ...] = ()
    """Whose percents sum up to 100; none with `redirect`."""
    prefix: str = "/"
    """Of the raw request target, byte by byte (1.18)."""
    headers: Mapping[str, str] = {}
    """All must be there with exactly these values; an empty value asks for presence only (1.17)."""
    set_headers: Mapping[str, str] = {}
    rewrite_host: str = ""
    """In place of Host; empty: as it came."""
    redirect: bool = False
    """301 to https on cleartext listeners (1.12)."""


class Host(Record):
    """What happens to requests for one host."""

    ingress: str
    """NAMESPACE/NAME of the object that it comes from."""
    hash: str
    """Of that object; in place of `K-Network-Hash: override` (1.9)."""
    paths: tuple[Path, ...]
    """In the order in which they are tried: longest prefix first, then as listed (1.18)."""
    visibility: str = EXTERNAL


class Certificate(Record):
    """A certificate for the hosts that name it."""

    hosts: tuple[str, ...]
    chain: str
    """PEM, leaf first."""
    key: str
    """PEM."""


class Delta(Record):
    """A change of the state. None in place of a value: it is gone."""

    version: int
    since: int = 0
    hosts: Mapping[str, Host | None] = {}
    """By host name in lower case; `*.x` matches one or more labels; `*` is everything else."""
    targets: Mapping[str, Target | None] = {}
    """By name: NAMESPACE/REVISION, or NAMESPACE/SERVICE:PORT."""
    endpoints: Mapping[str, tuple[Endpoint, ...]] = {}
    """By target; empty: none is ready."""
    certificates: Mapping[str, Certificate | None] = {}
    """By NAMESPACE/NAME of the Secret."""


def document(record: Record) -> dict[str, Any]:
    """The record as plain JSON values, without what stands at its default."""
    defaults = defaults_of(type(record))
    made = {}
    for field in fields_of(type(record)):
        value = getattr(record, field)
        if field not in defaults or value != defaults[field]:
            made[field] = _plain(value)
    return made


def read_delta(value: object) -> Delta:
    """The content of a `delta` message.

    Raises  RoutesError with every problem, by path, as `hosts["a.example"].paths[0].splits: …`.
    """
    problems: Problems = []
    delta = _record(Delta)(value, "", problems)
    if not problems:
        problems += _contradictions(delta)
    if problems:
        raise RoutesError(problems)
    return delta  # type: ignore[no-any-return]


def _contradictions(delta: Delta) -> Problems:
    """What no single field shows."""
    problems: Problems = []
    if delta.since >= delta.version:
        problems.append(f"since: {delta.since} is not before version {delta.version}")
    for name, host in delta.hosts.items():
        for i, path in enumerate(host.paths if host else ()):
            where = f"hosts[{quoted(name)}].paths[{i}]"
            total = sum(split.percent for split in path.splits)
            if path.redirect and path.splits:
                problems.append(f"{where}.splits: a redirect has none")
            elif not path.redirect and total != 100:
                problems.append(f"{where}.splits: percents sum up to {total}, and must to 100")
    return problems


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return document(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    return value


def _text(value: object, where: str, problems: Problems) -> str:
    if isinstance(value, str):
        return value
    problems.append(f"{where}: {quoted(str(value))} is no text")
    return ""


def _truth(value: object, where: str, problems: Problems) -> bool:
    if not isinstance(value, bool):
        problems.append(f"{where}: {quoted(str(value))} is neither true nor false")
    return value is True


def _whole(least: int, most: int) -> Reader:
    def read(value: object, where: str, problems: Problems) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        problems.append(f"{where}: {quoted(str(value))} is no whole number from {least} to {most}")
        return least

    return read


def _seconds(value: object, where: str, problems: Problems) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    problems.append(f"{where}: {quoted(str(value))} is no number of seconds")
    return 0.0


def _one_of(*words: str) -> Reader:
    def read(value: object, where: str, problems: Problems) -> str:
        if isinstance(value, str) and value in words:
            return value
        problems.append(f"{where}: {quoted(str(value))} is none of {', '.join(words)}")
        return words[0]

    return read


def _list(one: Reader) -> Reader:
    def read(value: object, where: str, problems: Problems) -> tuple[Any, ...]:
        if isinstance(value, list):
            return tuple(one(item, f"{where}[{i}]", problems) for i, item in enumerate(value))
        problems.append(f"{where}: {quoted(str(value))} is no list")
        return ()

    return read


def _map(one: Reader) -> Reader:
    def read(value: object, where: str, problems: Problems) -> dict[str, Any]:
        if isinstance(value, dict):
            return {key: one(item, f"{where}[{quoted(key)}]", problems) for key, item in value.items()}
        problems.append(f"{where}: {quoted(str(value))} is no object")
        return {}

    return read


def _or_none(one: Reader) -> Reader:
    return lambda value, where, problems: None if value is None else one(value, where, problems)


def _record(cls: type[Record]) -> Reader:
    def read(value: object, where: str, problems: Problems) -> Any:
        if not isinstance(value, dict):
            problems.append(f"{where or 'delta'}: {quoted(str(value))} is no object")
            return None
        found = {}
        for field, reader in _READERS[cls].items():
            at = f"{where}.{field}" if where else field
            if field in value:
                found[field] = reader(value[field], at, problems)
            elif field not in defaults_of(cls):
                problems.append(f"{at}: is missing")
                found[field] = None
        return cls(**found)

    return read


_COUNT_MAX = (1 << 53) - 1
"""What JSON carries without loss."""

_HEADERS = _map(_text)

_READERS: dict[type[Record], dict[str, Reader]] = {
    Endpoint: {"address": _text, "port": _whole(1, 65535)},
    Target: {
        "concurrency": _whole(0, 1_000_000),
        "hold": _truth,
        "waiting_max": _whole(1, 1_000_000),
        "request_s": _seconds,
        "start_s": _seconds,
        "idle_s": _seconds,
        "protocol": _one_of("http1", "h2c", "follow"),
    },
    Split: {"target": _text, "percent": _whole(0, 100), "set_headers": _HEADERS},
    Certificate: {"hosts": _list(_text), "chain": _text, "key": _text},
}
_READERS[Path] = {
    "splits": _list(_record(Split)),
    "prefix": _text,
    "headers": _HEADERS,
    "set_headers": _HEADERS,
    "rewrite_host": _text,
    "redirect": _truth,
}
_READERS[Host] = {
    "ingress": _text,
    "hash": _text,
    "paths": _list(_record(Path)),
    "visibility": _one_of(EXTERNAL, LOCAL),
}
_READERS[Delta] = {
    "version": _whole(1, _COUNT_MAX),
    "since": _whole(0, _COUNT_MAX),
    "hosts": _map(_or_none(_record(Host))),
    "targets": _map(_or_none(_record(Target))),
    "endpoints": _map(_list(_record(Endpoint))),
    "certificates": _map(_or_none(_record(Certificate))),
}
