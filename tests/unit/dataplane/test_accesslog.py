"""Access log: one whole line per exchange, whatever callers send."""

from __future__ import annotations

import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.accesslog import UPSTREAM_DEFAULT, AccessLog, LineWriter, Record, Revision, TemplateError

REVISION = Revision(name="r", namespace="ns", service="s", configuration="c", pod_name="pod", pod_ip="10.0.0.7")
KEYS = ["requestMethod", "requestUrl", "requestSize", "status", "responseSize", "userAgent", "remoteIp", "serverIp",
        "referer", "latency", "protocol"]  # fmt: skip


def record(**changes) -> Record:
    fields = {
        "method": "GET",
        "target": b"/path?q=1",
        "host": "example.com",
        "proto": "HTTP/1.1",
        "headers": [(b"User-Agent", b"curl/8")],
        "content_length": -1,
        "remote_addr": "127.0.0.1:51234",
        "status": 200,
        "response_bytes": 12,
        "latency_s": 0.25,
    }
    return Record(**(fields | changes))


@pytest.mark.spec("DP-142", "DP-143", "DP-147")
def test_the_default_line_has_the_keys_and_the_order_that_users_know():
    made = record(headers=[(b"user-agent", b"curl/8"), (b"referer", b"http://r/"), (b"x-b3-traceid", b"b3")])
    line = AccessLog(UPSTREAM_DEFAULT, REVISION).line(made)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    said = json.loads(line)
    assert list(said) == ["httpRequest", "traceId"]
    assert list(said["httpRequest"]) == KEYS
    assert list(said["httpRequest"].values()) == [
        "GET", "/path?q=1", "-1", 200, "12", "curl/8", "127.0.0.1:51234", "10.0.0.7", "http://r/", "0.25s", "HTTP/1.1",
    ]  # fmt: skip
    assert said["traceId"] == "b3"


@given(
    target=st.binary(min_size=1),
    agent=st.binary(),
    trace=st.binary(),
    method=st.text(min_size=1),
    latency=st.floats(0, 1e12),
)
def test_the_default_line_is_json_whatever_a_caller_sends(target, agent, trace, method, latency):
    headers = [(b"User-Agent", agent), (b"Referer", agent[::-1]), (b"traceparent", b"00-" + trace)]
    made = record(target=target, headers=headers, method=method.encode("utf-8", "replace").decode(), latency_s=latency)
    line = AccessLog(UPSTREAM_DEFAULT, REVISION).line(made)
    said = json.loads(line.decode("utf-8"))
    assert line.count(b"\n") == 1
    assert said["httpRequest"]["userAgent"] == agent.decode("utf-8", "surrogateescape").translate(
        dict.fromkeys(range(0xDC80, 0xDD00), "\ufffd")
    )


@pytest.mark.spec("DP-147")
def test_the_trace_id_of_w3c_beats_that_of_b3():
    log = AccessLog("{{.TraceID}}", REVISION)
    both = [(b"X-B3-TraceId", b"old"), (b"traceparent", b"00-new-span-01")]
    assert log.line(record(headers=both)) == b"new\n"
    assert log.line(record(headers=both[:1])) == b"old\n"
    assert log.line(record(headers=[(b"traceparent", b"single")])) == b"\n"


@pytest.mark.spec("DP-147")
def test_a_template_sees_what_the_exchange_was():
    template = (
        "{{.Response.Code}} {{.Response.Size}} {{.Response.Latency}} {{.Revision.Name}} {{.Revision.Namespace}} "
        "{{.Revision.Service}} {{.Revision.Configuration}} {{.Revision.PodName}} {{.Revision.PodIP}}"
    )
    assert AccessLog(template, REVISION).line(record()) == b"200 12 0.25 r ns s c pod 10.0.0.7\n"


@pytest.mark.spec("DP-143")
@pytest.mark.parametrize("template", ["x", "x\n"])
def test_a_line_ends_with_one_newline(template):
    assert AccessLog(template, REVISION).line(record()) == b"x\n"


@pytest.mark.spec("DP-144")
def test_probes_are_logged_only_when_asked_for():
    assert AccessLog("x", REVISION).line(record(probe=True)) == b""
    assert AccessLog("x", REVISION, probes=True).line(record(probe=True)) == b"x\n"


@pytest.mark.spec("DP-145")
def test_a_missing_field_gives_the_fallback_line():
    line = AccessLog("{{.Request.Missing}}", REVISION).line(record(status=503, latency_s=1.5))
    assert line == b"Invalid request log template: method: GET, response code: 503, latency: 1.5, url: /path?q=1\n"


@pytest.mark.spec("DP-146")
def test_a_template_that_cannot_be_read_is_refused_with_its_place():
    with pytest.raises(TemplateError, match=r"template:2:4: undefined variable"):
        AccessLog("ok\n{{ $x }}", REVISION)


def test_an_aborted_exchange_is_logged_as_500_without_bytes():
    made = record(aborted=True, status=200, response_bytes=99)
    assert AccessLog("{{.Response.Code}} {{.Response.Size}}", REVISION).line(made) == b"500 0\n"


@pytest.mark.spec("DP-148")
def test_lines_pass_whole_through_a_slow_non_blocking_pipe():
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    lines = [b"%06d " % i + b"x" * (i % 3000) + b"\n" for i in range(2000)]
    seen = bytearray()

    def reader():
        while piece := os.read(read_fd, 4096):
            seen.extend(piece)

    thread = threading.Thread(target=reader)
    thread.start()
    writer = LineWriter(write_fd)
    for line in lines:
        writer.add(line)
    while not writer.flush(1000):
        pass
    os.close(write_fd)
    thread.join()
    os.close(read_fd)
    assert bytes(seen) == b"".join(lines)
    assert writer.dropped == 0


@pytest.mark.spec("DP-148")
def test_a_full_pipe_keeps_nobody_waiting_and_loses_nothing():
    read_fd, write_fd = os.pipe()
    lines = [b"%06d " % i + b"x" * 500 + b"\n" for i in range(1000)]
    writer = LineWriter(write_fd)
    for line in lines:
        writer.add(line)
    assert not writer.flush()
    assert writer.waiting_bytes > 0
    seen = os.read(read_fd, 1 << 20)
    while not writer.flush():
        seen += os.read(read_fd, 1 << 20)
    os.close(write_fd)
    while piece := os.read(read_fd, 1 << 20):
        seen += piece
    os.close(read_fd)
    assert seen == b"".join(lines)
    assert writer.waiting_bytes == 0


def test_dropped_records_are_told_in_the_log_once(tmp_path):
    with open(tmp_path / "log", "wb+") as out:
        writer = LineWriter(out.fileno())
        writer.drop(7)
        writer.add(b"a\n")
        writer.flush()
        writer.flush()
        out.seek(0)
        lines = out.read().splitlines()
    assert lines[0] == b"a"
    assert json.loads(lines[1])["dropped"] == 7
    assert len(lines) == 2


def test_a_reader_that_is_gone_costs_lines_and_no_exception():
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    writer = LineWriter(write_fd)
    writer.add(b"a\n")
    writer.add(b"b\n")
    writer.flush()
    os.close(write_fd)
    assert writer.dropped == 2
