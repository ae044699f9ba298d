"""Routes: what the ingress controller tells a gateway, and what the gateway answers.

One WebSocket from each gateway to the controller, subprotocol `SUBPROTOCOL`,
text frames, one JSON object each. The gateway speaks first:

    gateway    {"hello": {"gateway": NAME, "version": V}}       V: the state that it has; 0: none
    controller {"delta": {...}}                                 a Delta; `since` 0 replaces everything
    gateway    {"applied": {"version": V}}                      every worker uses it, from now on
    gateway    {"refused": {"version": V, "problems": [...]}}   hosts that cannot be served, and are left out

A delta changes the state `since` into `version`, and holds only what differs.
A gateway whose state is not `since` says hello again, and gets a whole one.
Versions only grow. Endpoints have a section of their own: pods come and go
without a word about routes. Lists that are small or change as a whole (the
paths of a host, the endpoints of a target) are replaced, never patched.
"""

from __future__ import annotations

from .document import (
    COUNT_MAX,
    DocumentError,
    list_of,
    map_of,
    one_of,
    or_none,
    record_of,
    seconds,
    text,
    truth,
    whole,
)
from .record import Record
from .values import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SUBPROTOCOL = "penstock.routes.v2"
"""In version 1 the visibility was the host's: whoever does not know the path's would show what is local."""

ANY_HOST = "*"


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
    """Whose percents sum up to 100; a redirect may have none."""
    prefix: str = "/"
    """Of the raw request target, byte by byte (1.18)."""
    headers: Mapping[str, str] = {}
    """All must be there with exactly these values; an empty value asks for presence only (1.17)."""
    set_headers: Mapping[str, str] = {}
    rewrite_host: str = ""
    """In place of Host; empty: as it came."""
    redirect: bool = False
    """301 to https on cleartext listeners, public and private (1.12); over TLS its splits serve."""
    local: bool = False
    """Answers on private listeners only; on public ones it is as if it were not there (1.11)."""


class Host(Record):
    """What happens to requests for one host."""

    ingress: str
    """NAMESPACE/NAME of the object that it comes from."""
    hash: str
    """Of that object; in place of `K-Network-Hash: override` (1.9)."""
    paths: tuple[Path, ...]
    """In the order in which they are tried: longest prefix first, then as listed (1.18)."""


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


_HEADERS = map_of(text)
_ENDPOINT = record_of(Endpoint, {"address": text, "port": whole(1, 65535)})
_TARGET = record_of(
    Target,
    {
        "concurrency": whole(0, 1_000_000),
        "hold": truth,
        "waiting_max": whole(1, 1_000_000),
        "request_s": seconds,
        "start_s": seconds,
        "idle_s": seconds,
        "protocol": one_of("http1", "h2c", "follow"),
    },
)
_SPLIT = record_of(Split, {"target": text, "percent": whole(0, 100), "set_headers": _HEADERS})
_PATH = record_of(
    Path,
    {
        "splits": list_of(_SPLIT),
        "prefix": text,
        "headers": _HEADERS,
        "set_headers": _HEADERS,
        "rewrite_host": text,
        "redirect": truth,
        "local": truth,
    },
)
_HOST = record_of(Host, {"ingress": text, "hash": text, "paths": list_of(_PATH)})
_CERTIFICATE = record_of(Certificate, {"hosts": list_of(text), "chain": text, "key": text})
_DELTA = record_of(
    Delta,
    {
        "version": whole(1, COUNT_MAX),
        "since": whole(0, COUNT_MAX),
        "hosts": map_of(or_none(_HOST)),
        "targets": map_of(or_none(_TARGET)),
        "endpoints": map_of(list_of(_ENDPOINT)),
        "certificates": map_of(or_none(_CERTIFICATE)),
    },
)


def read_delta(value: object) -> Delta:
    """The content of a `delta` message.

    Raises  DocumentError with every problem, by path, as `hosts["a.example"].paths[0].splits: …`.
    """
    problems: list[str] = []
    delta = _DELTA(value, "", problems)
    if not problems:
        problems += _contradictions(delta)
    if problems:
        raise DocumentError(problems)
    return delta  # type: ignore[no-any-return]


def _contradictions(delta: Delta) -> list[str]:
    """What no single field shows."""
    problems: list[str] = []
    if delta.since >= delta.version:
        problems.append(f"since: {delta.since} is not before version {delta.version}")
    for name, host in delta.hosts.items():
        for i, path in enumerate(host.paths if host else ()):
            where = f"hosts[{quoted(name)}].paths[{i}]"
            total = sum(split.percent for split in path.splits)
            if total != 100 and (path.splits or not path.redirect):
                problems.append(f"{where}.splits: percents sum up to {total}, and must to 100")
    return problems
