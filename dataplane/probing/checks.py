"""Check: one way to ask an app whether it is ready (1.16).

A check is asked again and again by its prober and may learn from it. Each
attempt has a connection of its own and ends in time.
"""

from __future__ import annotations

from time import monotonic_ns

from dataplane.contract.headers import KUBELET_AGENT
from dataplane.probing.conn import Conn, ProbeFailed
from dataplane.probing.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataplane.config.schema import App, Probe, Readiness

AGENT = KUBELET_AGENT + "1.34"
"""The Kubernetes whose kubelet the probes are modelled on; apps know its form (W15)."""

REDIRECTS_MAX = 10
"""As Go's client, and so kubelet, has it."""
REDIRECTS = (301, 302, 303, 307, 308)
UNSENT = frozenset(("connection", "content-length", "host", "trailer", "transfer-encoding"))
"""Configured fields that are ours to say: `Host` goes where it belongs, the others would break the framing."""

HTTP1, H2C = "http1", "h2c"


class NoCheck:
    """A probe without a handler, which never succeeds (DP-051)."""

    __slots__ = ()

    def attempt(self, timeout_ns: int) -> None:
        raise ProbeFailed("it has no handler that can run here")


class TcpCheck:
    """Connects, and that is all."""

    __slots__ = ("_probe",)

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def attempt(self, timeout_ns: int) -> None:
        Conn(self._probe.host, self._probe.port, monotonic_ns() + timeout_ns).close()


class GrpcCheck:
    """grpc.health.v1.Health/Check in cleartext."""

    __slots__ = ("_probe",)

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def attempt(self, timeout_ns: int) -> None:
        from dataplane.probing.health import check

        deadline_ns = monotonic_ns() + timeout_ns
        host = Place("http", self._probe.host, self._probe.port, "/").host
        conn = Conn(self._probe.host, self._probe.port, deadline_ns)
        try:
            check(conn, host, AGENT, self._probe.service, deadline_ns)
        finally:
            conn.close()


class HttpCheck:
    """GET; any status from 200 to 399 will do (DP-043).

    versions  what to speak in cleartext, in the order to try. The one that worked is kept until it fails,
              so that finding out costs one attempt and not every one (W16).
    """

    __slots__ = ("_found", "_headers", "_place", "_versions")

    def __init__(self, probe: Probe, versions: tuple[str, ...]) -> None:
        said = [value for name, value in probe.headers if name.lower() == "host"]
        self._place = Place(probe.scheme, probe.host, probe.port, probe.path, said[0] if said else "")
        named = {name.lower() for name, _ in probe.headers}
        usual = (("User-Agent", AGENT), ("Accept", "*/*"))
        self._headers = [row for row in usual if row[0].lower() not in named]
        self._headers += [row for row in probe.headers if row[0].lower() not in UNSENT]
        self._versions = versions
        self._found = ""

    def attempt(self, timeout_ns: int) -> None:
        """Each version has the whole time: a server that waits for the rest of an unknown
        preface would otherwise leave none for the version that it does speak."""
        why = None
        for version in (self._found,) if self._found else self._versions:
            try:
                self._follow(version, monotonic_ns() + timeout_ns)
            except ProbeFailed as wrong:
                why = wrong
            else:
                self._found = version
                return
        self._found = ""
        raise why or ProbeFailed("no version to speak")

    def _follow(self, version: str, deadline_ns: int) -> None:
        """To the end of the redirects; one to another host is an answer like any below 400 (W15)."""
        place = self._place
        for _ in range(REDIRECTS_MAX):
            status, fields = self._get(place, version, deadline_ns)
            location = fields.get("location", "")
            further = place.redirected(location) if status in REDIRECTS and location else None
            if further is None:
                if 200 <= status < 400:
                    return
                raise ProbeFailed(f"status {status}")
            place = further
        raise ProbeFailed(f"more than {REDIRECTS_MAX} redirects")

    def _get(self, place: Place, version: str, deadline_ns: int) -> tuple[int, dict[str, str]]:
        conn = Conn(place.name, place.port, deadline_ns)
        try:
            if place.scheme == "https":
                conn.turn_tls(place.name)
                version = H2C if conn.alpn == "h2" else HTTP1
            if version == H2C:
                from dataplane.probing import http2

                return http2.get(conn, place.scheme, place.host, place.target, self._headers)
            from dataplane.probing import http1

            return http1.get(conn, place.host, place.target, self._headers)
        finally:
            conn.close()


if TYPE_CHECKING:
    Check = NoCheck | TcpCheck | GrpcCheck | HttpCheck


def check_of(probe: Probe, readiness: Readiness, app: App) -> Check:
    """The check that a probe describes."""
    if probe.kind == "tcp":
        return TcpCheck(probe)
    if probe.kind == "http":
        return HttpCheck(probe, _versions(probe, readiness, app))
    return GrpcCheck(probe) if probe.kind == "grpc" else NoCheck()


def _versions(probe: Probe, readiness: Readiness, app: App) -> tuple[str, ...]:
    """What is said about the app's protocol holds for its own port only."""
    said = app.protocol if probe.port == app.port else "follow"
    if said in (HTTP1, H2C):
        return (said,)
    return (H2C, HTTP1) if said == "detect" or readiness.detect_http2 else (HTTP1,)
