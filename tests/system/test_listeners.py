"""Listeners: which ports of a sidecar are open when, what they answer, and how long they wait."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from tests.origin import Origin
from tests.sidecarfixture import (
    ADMIN_PORT,
    MAIN_PORT,
    METRICS_PORT,
    PROFILING_PORT,
    PYTHON,
    STATS_PORT,
    Sidecar,
    refused,
    until,
)
from tests.system.tools import output

Make = Callable[..., Sidecar]

PROMETHEUS = {"requestMetrics": {"protocol": "prometheus"}}
PROFILING = {"runtime": {"profiling": "enabled"}}
METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]


@pytest.mark.spec("DP-016")
def test_the_admin_port_has_one_path(sidecar: Make, origin: Origin) -> None:
    started = sidecar()
    for path in ("/", "/metrics", "/wait-for-drain/", "/healthz"):
        assert started.get(path, port=ADMIN_PORT).status == 404
    assert started.get("/wait-for-drain", port=ADMIN_PORT).status == 200


@pytest.mark.spec("DP-016")
@pytest.mark.parametrize("method", METHODS)
def test_the_drain_hook_answers_any_method(sidecar: Make, origin: Origin, method: str) -> None:
    assert sidecar().send(f"{method} /wait-for-drain", port=ADMIN_PORT).answer().status == 200


@pytest.mark.spec("DP-017", "DP-119")
def test_the_statistics_port_answers_any_method_on_one_path(sidecar: Make, origin: Origin) -> None:
    started = sidecar()
    for method in METHODS:
        answer = started.send(f"{method} /metrics", port=STATS_PORT).answer()
        assert answer.status == 200
        assert answer.head.get("Content-Type") == b"application/protobuf"
    for path in ("/", "/wait-for-drain", "/metrics/"):
        assert started.get(path, port=STATS_PORT).status == 404


@pytest.mark.spec("DP-018", "DP-021")
@pytest.mark.parametrize("protocol", ["none", None], ids=["none", "default"])
def test_ports_that_are_off_are_closed(sidecar: Make, origin: Origin, protocol: str | None) -> None:
    started = sidecar(OBSERVABILITY_CONFIG={"requestMetrics": {"protocol": protocol}} if protocol else None)
    assert started.get().status == 200
    assert not started.accepts(METRICS_PORT)
    assert not started.accepts(PROFILING_PORT)


@pytest.mark.spec("DP-019", "DP-020")
@pytest.mark.parametrize("port", [METRICS_PORT, 9191])
def test_prometheus_metrics_have_a_port_of_their_own(sidecar: Make, origin: Origin, port: int) -> None:
    started = sidecar(OBSERVABILITY_CONFIG=PROMETHEUS, METRICS_PROMETHEUS_PORT=port)
    until(lambda: started.accepts(port), "the metrics port accepts")
    answer = started.get("/metrics", port=port)
    assert answer.status == 200
    assert answer.head.get("Content-Type").startswith(b"text/plain; version=0.0.4")


@pytest.mark.spec("DP-020")
def test_a_privileged_metrics_port_is_refused() -> None:
    status, said = refused(OBSERVABILITY_CONFIG=PROMETHEUS, METRICS_PROMETHEUS_PORT=1023)
    assert status == 1
    assert 'METRICS_PROMETHEUS_PORT: "1023" is not a port; use 1024 to 65535' in said


@pytest.mark.spec("DP-021", "DP-022")
@pytest.mark.parametrize("port", [PROFILING_PORT, 8009])
def test_profiling_opens_the_pages_for_whoever_looks_inside(sidecar: Make, origin: Origin, port: int) -> None:
    started = sidecar(OBSERVABILITY_CONFIG=PROFILING, PROFILING_PORT=port)
    until(lambda: started.accepts(port), "the profiling port accepts")
    for path in ("/debug/vars", "/debug/conns", "/debug/stacks"):
        assert started.get(path, port=port).status == 200
    absent = started.get("/debug/pprof/", port=port)
    assert absent.status == 404
    assert b"/debug/vars" in absent.body


IN_A_POD = 'ip link set lo up; ip address add 10.1.2.3/32 dev lo; exec "$@"'
"""A network of its own, with loopback and the pod's address."""


@pytest.mark.spec("DP-023")
@pytest.mark.parametrize("address", ["10.1.2.3", "127.0.0.1", "[::1]"], ids=["pod", "loopback", "ipv6"])
def test_every_address_of_the_pod_is_served(sidecar: Make, origin: Origin, address: str) -> None:
    is_root = os.geteuid() == 0
    unshare = ("unshare", "-n") if is_root else ("unshare", "-rn")
    inside = ("nsenter", "-n") if is_root else ("nsenter", "-n", "-U", "--preserve-credentials")
    prefix = (*unshare, "sh", "-c", IN_A_POD, "sh")
    started = sidecar(prefix=prefix, wait=False, PENSTOCK_BIND_ADDRESS=None, PATH=os.environ["PATH"])
    until(lambda: os.readlink(f"/proc/{started.pid}/exe") == str(PYTHON), "the sidecar has begun")
    curl = (*inside, "-t", started.pid, "curl", "-s", "--max-time", 20, "-w", "%{http_code} ")
    waits = ("--retry", 50, "--retry-delay", 1, "--retry-connrefused")
    output(*curl, *waits, "-o", "/dev/null", f"http://{address}:{STATS_PORT}/metrics")
    ports = {MAIN_PORT: "/", STATS_PORT: "/metrics", ADMIN_PORT: "/"}
    urls = [("-o", "/dev/null", f"http://{address}:{port}{path}") for port, path in ports.items()]
    said = output(*curl, *(word for url in urls for word in url))
    assert said == "502 200 404 "


@pytest.mark.spec("DP-024")
@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nHost: a", b"PRI * HTTP/2.0"])
def test_a_head_that_never_ends_loses_its_connection(sidecar: Make, origin: Origin, beginning: bytes) -> None:
    line = sidecar(PENSTOCK_HEAD_TIMEOUT_MS=300).connect()
    line.send(beginning)
    assert line.ending() == "fin"


@pytest.mark.spec("DP-025")
def test_a_kept_connection_may_rest_longer_than_a_head(sidecar: Make, origin: Origin) -> None:
    started = sidecar(PENSTOCK_HEAD_TIMEOUT_MS=200)
    kept, fresh = started.connect(), started.connect()
    kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert kept.answer().body == b"hello"
    assert fresh.ending() == "fin"
    again = started.connect()
    assert again.ending() == "fin"
    kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert kept.answer().body == b"hello"


@pytest.mark.spec("DP-014")
def test_both_protocols_are_told_apart_whatever_the_pieces(sidecar: Make, origin: Origin) -> None:
    line = sidecar().connect()
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
        line.send(bytes([byte]))
    line.send(b"\0\0\0\4\0\0\0\0\0")
    assert line.read(9)[3] == 4
    line.close()


@pytest.mark.spec("DP-023")
def test_the_address_that_it_is_given_is_the_only_one(sidecar: Make, origin: Origin) -> None:
    started = sidecar()
    other = f"{started.address.rsplit('.', 1)[0]}.255"
    with socket.socket() as end:
        assert end.connect_ex((other, started.port)) != 0
