"""Probe: the app's readiness probes, from the JSON that the controller made of the pod's (1.16)."""

from __future__ import annotations

from dataplane.contract.ports import PORT_MAX

from .json_text import JsonObject, decode, shown
from .schema import USER_HOST, Probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .findings import Findings

VARIABLE = "SERVING_READINESS_PROBE"
NAME_BYTES = "!#$%&'*+-.^_`|~"
"""What a header name may hold beside letters and digits (RFC 9110 5.6.2)."""


def read_probes(text: str, is_array: bool, user_port: int, findings: Findings) -> tuple[Probe, ...]:
    """The probes in a text; a null among them is skipped (W17).

    is_array   ENABLE_MULTI_CONTAINER_PROBES: an array of probes, else one object (DP-009)
    user_port  the port of a probe that names none
    """
    if not text:
        return ()
    try:
        value = decode(text)
    except ValueError as wrong:
        findings.wrong(VARIABLE, f"not JSON: {wrong}; use a Kubernetes probe, or an empty value for always ready")
        return ()
    if not is_array:
        if isinstance(value, list):
            findings.wrong(
                VARIABLE, "an array is not a probe; use one object, or set ENABLE_MULTI_CONTAINER_PROBES=true"
            )
            return ()
        rows = [(value, "")]
    elif not isinstance(value, list):
        if value is not None:
            what = f"{shown(value)} is not an array; use [...], or set ENABLE_MULTI_CONTAINER_PROBES=false"
            findings.wrong(VARIABLE, what)
        return ()
    else:
        rows = [(one, f"[{i}].") for i, one in enumerate(value)]
    return tuple(_probe(JsonObject(findings, VARIABLE, path, one), user_port) for one, path in rows if one is not None)


def _probe(said: JsonObject, user_port: int) -> Probe:
    """One probe. With several handlers the first of httpGet, tcpSocket and grpc counts, as upstream."""
    rhythm = Probe(
        kind="none",
        period_s=max(0, said.whole("periodSeconds")),
        timeout_s=max(1, said.whole("timeoutSeconds", 1)),
        success_threshold=max(1, said.whole("successThreshold", 1)),
    )
    if said.has("httpGet"):
        return _http(said.inner("httpGet"), user_port, rhythm)
    if said.has("tcpSocket"):
        target = said.inner("tcpSocket")
        return rhythm.but(kind="tcp", host=_host(target), port=_port(target, user_port))
    if said.has("grpc"):
        target = said.inner("grpc")
        return rhythm.but(kind="grpc", port=_port(target, user_port), service=target.text("service"))
    return rhythm


def _http(target: JsonObject, user_port: int, rhythm: Probe) -> Probe:
    scheme = target.text("scheme").lower() or "http"
    if scheme not in ("http", "https"):
        target.wrong("scheme", f"{shown(scheme)} is not known; use HTTP or HTTPS")
    path = target.text("path")
    if any(one <= " " or one == "\x7f" for one in path):
        target.wrong("path", f"{shown(path)} holds a space or a control character; percent-encode it")
    headers = []
    for row in target.rows("httpHeaders"):
        name, value = row.text("name"), row.text("value")
        if not name or not all(one.isascii() and (one.isalnum() or one in NAME_BYTES) for one in name):
            row.wrong("name", f"{shown(name)} is not a header name")
        elif any((one < " " and one != "\t") or one == "\x7f" for one in value):
            row.wrong("value", f"{shown(value)} holds a control character")
        else:
            headers.append((name, value))
    return rhythm.but(
        kind="http",
        host=_host(target),
        port=_port(target, user_port),
        path=path if path.startswith("/") else "/" + path,
        scheme=scheme,
        headers=tuple(headers),
    )


def _host(target: JsonObject) -> str:
    """Where a probe goes; the app's own address when it names none."""
    host = target.text("host") or USER_HOST
    if not all(one.isascii() and (one.isalnum() or one in ".-_:[]%") for one in host):
        target.wrong("host", f"{shown(host)} is neither an address nor a name")
    return host.removeprefix("[").removesuffix("]")


def _port(target: JsonObject, user_port: int) -> int:
    """The port of a probe: a number, or digits in a string; the app's own when it names none or 0."""
    value = target.raw("port")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 6:
        value = int(value)
    if value is None or (value == 0 and not isinstance(value, bool)):
        return user_port
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= PORT_MAX:
        return value
    target.wrong("port", f"{shown(value)} is not a port; use 1 to {PORT_MAX}")
    return user_port
