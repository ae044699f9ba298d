"""Parts of an activator: settings, probes on the wire, when to leave, what Kubernetes' objects mean, figures."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from dataplane.activator.backends import Outcome
from dataplane.activator.leaving import LONGEST_NS, QUIET_NS, may_leave
from dataplane.activator.prober import Prober
from dataplane.config.activator import domain_of, read_activator
from dataplane.config.duration import go_duration_s
from dataplane.errors import ConfigError
from dataplane.memory import Ebb, Tide
from dataplane.metrics.activator import Concurrency
from dataplane.reporter import Seen
from dataplane.sources.kube import Endpoints, Revision, Service

NEEDED = {"POD_NAME": "act-0", "POD_IP": "10.0.0.1", "SYSTEM_NAMESPACE": "knative-serving", "CLUSTER_DOMAIN": "c.local"}
S = 1_000_000_000
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


# ── settings ──────────────────────────────────────────────────────────────


def test_upstreams_variables_are_enough():
    made = read_activator(NEEDED)
    assert made.autoscaler == "ws://autoscaler.knative-serving.svc.c.local:8080"
    assert (made.probe_timeout_s, made.probe_period_s, made.idle_max) == (0.3, 0.2, 100)
    assert (made.http1_port, made.h2c_port, made.metrics_port) == (8012, 8013, 9090)


@pytest.mark.spec("DP-216")
def test_other_rhythms():
    made = read_activator({**NEEDED, "PROBE_TIMEOUT": "1.5s", "PROBE_FREQUENCY": "1m30s"})
    assert (made.probe_timeout_s, made.probe_period_s) == (1.5, 90)


@pytest.mark.spec("DP-216")
@pytest.mark.parametrize("value", ["300", "often", "-1s", "0s", "1 s"])
def test_a_rhythm_that_is_none(value):
    with pytest.raises(ConfigError, match="PROBE_TIMEOUT"):
        read_activator({**NEEDED, "PROBE_TIMEOUT": value})


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PENSTOCK_AUTOSCALER", "http://a"), ("PENSTOCK_AUTOSCALER", "ws://a:x"), ("POD_IP", "here"),
     ("MAX_IDLE_PROXY_CONNS", "-1"), ("PENSTOCK_WORKERS", "0"), ("METRICS_PROMETHEUS_PORT", "x")],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_named(variable, value):
    with pytest.raises(ConfigError, match=variable):
        read_activator({**NEEDED, variable: value})


@pytest.mark.parametrize(("text", "seconds"), [("300ms", 0.3), ("1h1m1.5s", 3661.5), ("0", 0), (".5s", 0.5)])
def test_durations(text, seconds):
    assert go_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("nameserver 10.0.0.1\nsearch ns.svc.corp.example svc.corp.example corp.example\n", "corp.example"),
        ("search corp.example\n", "cluster.local"),
        ("", "cluster.local"),
    ],
)
def test_the_domain_of_the_cluster(tmp_path, text, domain):
    (tmp_path / "resolv.conf").write_text(text)
    assert domain_of(tmp_path / "resolv.conf") == domain


def test_without_a_resolver_the_domain_is_the_usual_one(tmp_path):
    assert domain_of(tmp_path / "none") == "cluster.local"


# ── probes on the wire ────────────────────────────────────────────────────


@pytest.mark.spec("DP-207")
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nqueue", Outcome(True, True)),
        (CHUNKED + b"5\r\nqueue\r\n0\r\n\r\n", Outcome(True, True)),
        (CHUNKED + b"5\r\nqueue\r\n1\r\nx\r\n0\r\n\r\n", Outcome(False, True)),
        (b"HTTP/1.0 200 OK\r\n\r\nqueue", Outcome(True, True)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nqueue\n", Outcome(False, True)),
        (b"HTTP/1.1 201 OK\r\nContent-Length: 5\r\n\r\nqueue", Outcome(False, True)),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", Outcome(False, True)),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", Outcome()),
        (b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", Outcome()),
        (b"SSH-2.0-x\r\n\r\n", Outcome()),
        (b"HTTP/1.1 two\r\n\r\n", Outcome()),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Outcome()),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Outcome()),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Outcome()),
        (b"x" * 40_000, Outcome()),
        (b"", Outcome()),
    ],
)  # fmt: skip
async def test_only_the_word_counts(answer, outcome):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    place = server.sockets[0].getsockname()
    try:
        assert await Prober(10).round([place]) == {place: outcome}
    finally:
        server.close()


async def test_a_round_ends_in_time():
    ended = asyncio.Event()

    async def serve(reader, writer):
        await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    place = server.sockets[0].getsockname()
    try:
        assert await Prober(0.05).round([place]) == {place: Outcome()}
        await asyncio.wait_for(ended.wait(), 10)
    finally:
        server.close()


# ── leaving ───────────────────────────────────────────────────────────────


@pytest.mark.spec("DP-230")
@pytest.mark.parametrize(
    ("after_s", "newest_s", "running", "upgraded", "is_wanted", "leaves"),
    [
        (2, 0, 0, 0, False, True),
        (0.5, 0, 0, 0, False, False),
        (40, 39.5, 0, 0, False, False),
        (44, 0, 0, 0, True, False),
        (46, 0, 0, 0, True, True),
        (46, 40, 0, 0, True, False),
        (44, 0, 0, 1, False, False),
        (46, 0, 0, 1, False, True),
        (500, 0, 1, 0, False, False),
    ],
    ids=["quiet", "just told", "just used", "wanted", "forgotten", "in use", "upgraded", "long upgraded", "running"],
)
def test_when_it_may_leave(after_s, newest_s, running, upgraded, is_wanted, leaves):
    assert (QUIET_NS, LONGEST_NS) == (1 * S, 45 * S)
    term_ns = 1000 * S
    newest_ns = term_ns + int(newest_s * S) if newest_s else 0
    assert may_leave(term_ns + int(after_s * S), term_ns, newest_ns, running, upgraded, is_wanted) is leaves


# ── memory ────────────────────────────────────────────────────────────────


def test_memory_is_given_back_once_after_a_burst():
    tide = Tide()
    said = [tide.has_ebbed(conns) for conns in (0, 999, 99, 0, 5000, 501, 500, 0, 900, 0, 1000, 0)]
    assert [place for place, ebbed in enumerate(said) if ebbed] == [6, 11]


async def test_who_looks_rests_while_nobody_is_connected(monkeypatch):
    monkeypatch.setattr("dataplane.memory.LOOK_S", 0.0)
    conns = iter([2000, 1500, 10, 0, 0])
    given = asyncio.Event()
    seen = []

    def connections():
        seen.append(next(conns))
        return seen[-1]

    ebb = Ebb(connections, given.set)
    ebb.wake()
    ebb.wake()
    assert seen == [2000], "one look at a time"
    async with asyncio.timeout(10):
        await given.wait()
        while seen[-1]:
            await asyncio.sleep(0)
    assert seen == [2000, 1500, 10, 0]
    ebb.wake()
    assert seen == [2000, 1500, 10, 0, 0]


# ── Kubernetes' objects ───────────────────────────────────────────────────


def revision(*containers):
    return msgspec.convert({"metadata": {"name": "a"}, "spec": {"containers": list(containers)}}, Revision)


EXEC = {"readinessProbe": {"exec": {"command": ["true"]}}}
HTTP = {"readinessProbe": {"httpGet": {"port": 80}}}
STARTUP = {"startupProbe": {"httpGet": {"port": 80}}}
PORT = {"ports": [{"containerPort": 80}]}


@pytest.mark.spec("DP-210")
@pytest.mark.parametrize(
    ("containers", "is_optimised"),
    [
        ([{}], True),
        ([HTTP], True),
        ([EXEC], False),
        ([STARTUP], False),
        ([HTTP | PORT, EXEC], True),
        ([EXEC | PORT, HTTP], False),
        ([HTTP | PORT, STARTUP], False),
        ([], True),
    ],
)
def test_when_a_sidecars_word_is_enough(containers, is_optimised):
    assert revision(*containers).is_optimised is is_optimised


def test_only_the_revisions_port_counts():
    document = {
        "metadata": {"name": "a"},
        "subsets": [
            {
                "addresses": [{"ip": "10.0.0.1"}],
                "notReadyAddresses": [{"ip": "10.0.0.2"}],
                "ports": [{"name": "http-autometric", "port": 9090}, {"name": "http2", "port": 8013}],
            },
            {"addresses": [{"ip": "10.0.0.3"}], "ports": [{"name": "other", "port": 1}]},
            {"addresses": None, "ports": None},
        ],
    }
    found = msgspec.convert(document, Endpoints)
    assert (found.ready(), found.not_ready()) == ({("10.0.0.1", 8013)}, {("10.0.0.2", 8013)})
    assert (found.has("10.0.0.3"), found.has("10.0.0.2")) == (True, False)
    assert msgspec.convert({"metadata": {"name": "a"}, "subsets": None}, Endpoints).ready() == frozenset()


HTTP_PORT = {"name": "http", "port": 80}


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ({"clusterIP": "10.0.0.9", "ports": [{"name": "x", "port": 1}, HTTP_PORT]}, ("10.0.0.9", 80)),
        ({"clusterIP": "None", "ports": [HTTP_PORT]}, None),
        ({"clusterIP": "10.96.0.1"}, None),
        ({}, None),
    ],
)
def test_the_address_of_a_service(spec, address):
    assert msgspec.convert({"metadata": {"name": "a"}, "spec": spec}, Service).address() == address


# ── figures ───────────────────────────────────────────────────────────────


def test_concurrency_is_what_the_autoscaler_is_told():
    told = Concurrency()
    told.take({"ns/rev": Seen(1, 0, 1)}, 0)
    assert told.now == {"ns/rev": 1.0}
    told.take({"ns/rev": Seen(3, 3 * S, 3)}, S)
    assert told.now == {"ns/rev": 2.0}
    told.take({"ns/rev": Seen(3, 6 * S, 3)}, 2 * S)
    assert told.now == {"ns/rev": 3.0}
    told.take({}, 3 * S)
    assert told.now == {"ns/rev": 0.0}
    told.forget("ns/rev")
    assert told.now == {}
