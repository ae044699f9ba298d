"""Request log of the real sidecar: one line for each request on standard output (spec 1.15, W13)."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from typing import Any

import pytest

from tests.line import PATIENCE_S
from tests.sidecarfixture import KUBELET, QUEUE, STATS_PORT, Sidecar
from tests.waiting import until

NETWORK = ("K-Network-Probe: probe", "K-Network-Hash: h")


def log(template: str | None = None, **more: Any) -> dict[str, Any]:
    said = {"enableRequestLog": True, **more}
    if template is not None:
        said["requestLogTemplate"] = template
    return {"OBSERVABILITY_CONFIG": said}


def lines(sidecar: Sidecar, count: int) -> list[str]:
    """The lines of standard output, as soon as there are that many; more fail."""
    until(lambda: sidecar.stdout().count("\n") >= count, f"{count} lines")
    found = sidecar.stdout().splitlines()
    assert len(found) == count
    return found


def lines_at_end(sidecar: Sidecar) -> list[str]:
    """All that was written when the process has ended."""
    sidecar.term()
    assert sidecar.status(30) == 0
    return sidecar.stdout().splitlines()


@pytest.mark.spec("DP-142")
def test_there_is_no_log_unless_it_is_asked_for(sidecar):
    s = sidecar(PENSTOCK_QUIET_MS="0")
    assert s.get("/").status == 200
    assert lines_at_end(s) == []


@pytest.mark.spec("DP-142", "DP-147")
def test_each_request_is_one_line_and_comes_without_further_traffic(sidecar):
    s = sidecar(**log())
    assert s.get("/one?q=1", "User-Agent: me", "Referer: http://r/", "X-B3-TraceId: b3").status == 200
    (line,) = lines(s, 1)
    said = json.loads(line)
    request = said["httpRequest"]
    latency = request.pop("latency")
    remote = request.pop("remoteIp")
    assert float(latency.removesuffix("s")) > 0
    assert remote.startswith("127.")
    assert said["traceId"] == "b3"
    assert request == {
        "requestMethod": "GET",
        "requestUrl": "/one?q=1",
        "requestSize": "0",
        "status": 200,
        "responseSize": "5",
        "userAgent": "me",
        "serverIp": "10.0.0.7",
        "referer": "http://r/",
        "protocol": "HTTP/1.1",
    }
    assert s.get("/two").status == 200
    assert json.loads(lines(s, 2)[1])["httpRequest"]["requestUrl"] == "/two"


def test_whatever_a_caller_sends_the_line_stays_json(sidecar):
    s = sidecar(**log())
    odd = b'it\'s "quoted" \\ \xff end'
    with s.connect() as line:
        line.send(b"GET /'\"\\ HTTP/1.1\r\nHost: a\r\nUser-Agent: " + odd + b'\r\nX-B3-TraceId: "},{"\r\n\r\n')
        assert line.answer().status == 200
    said = json.loads(lines(s, 1)[0])
    assert said["httpRequest"]["requestUrl"] == "/'\"\\"
    assert said["httpRequest"]["userAgent"] == odd.decode("utf-8", "replace")
    assert said["traceId"] == '"},{"'


@pytest.mark.spec("DP-143", "DP-147")
def test_a_template_of_the_user_sees_the_documented_fields(sidecar):
    template = (
        "{{.Request.Method}} {{.Request.Host}} {{.Response.Code}} {{.Response.Size}} {{.Revision.Name}} "
        "{{.Revision.Namespace}} {{.Revision.Service}} {{.Revision.Configuration}} {{.Revision.PodName}} "
        '{{.Revision.PodIP}} {{.TraceID}} {{.Request.Header.Get "x-mine"}} {{.Request.ContentLength}}'
    )
    s = sidecar(**log(template))
    trace = "traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    with s.send("POST /", "X-Mine: yes", "X-B3-TraceId: b3", trace, body=b"123") as line:
        assert line.answer().status == 200
    s.get("/")
    first, second = lines(s, 2)
    assert first == (
        "POST test.example 200 5 hello-00001 default hello hello hello-00001-deployment-0 10.0.0.7 "
        "0123456789abcdef0123456789abcdef yes 3"
    )
    assert second.endswith("10.0.0.7   0")


@pytest.mark.spec("DP-144")
@pytest.mark.parametrize("wanted", [False, True], ids=["by default", "when asked for"])
def test_probes_are_logged_only_when_they_are_asked_for(sidecar, wanted):
    s = sidecar(
        PENSTOCK_QUIET_MS="0", **log("{{.Request.RequestURI}} {{.Response.Code}}", enableProbeRequestLog=wanted)
    )
    until(lambda: s.get("/health", KUBELET, QUEUE).status == 200, "the app is ready")
    assert s.get("/network", *NETWORK).status == 200
    assert s.get("/kubelet", "K-Kubelet-Probe: x").status == 200
    assert s.get("/user").status == 200
    s.get("/metrics", port=STATS_PORT)
    probes = {"/health 200", "/network 200", "/kubelet 200"}
    assert set(lines_at_end(s)) == (probes | {"/user 200"} if wanted else {"/user 200"})


@pytest.mark.spec("DP-145")
def test_a_template_with_a_missing_field_gives_the_fallback_line(sidecar):
    s = sidecar(**log("{{.Request.Missing}}"))
    assert s.get("/path?q=1").status == 200
    (line,) = lines(s, 1)
    assert line.startswith("Invalid request log template: method: GET, response code: 200, latency: ")
    assert line.endswith(", url: /path?q=1")


@pytest.mark.spec("DP-146")
def test_a_template_that_cannot_be_read_turns_the_log_off_and_nothing_else(sidecar):
    s = sidecar(PENSTOCK_QUIET_MS="0", **log("ok\n{{ $x }}"))
    assert s.get("/").status == 200
    assert lines_at_end(s) == []
    assert "template:2:4: undefined variable" in s.stderr()


@pytest.mark.spec("DP-148")
def test_lines_of_concurrent_requests_never_mix(sidecar):
    s = sidecar(PENSTOCK_QUIET_MS="0", **log())
    callers, each = 8, 100

    def call(caller: int) -> None:
        with s.connect() as line:
            for n in range(each):
                line.send(f"GET /{caller}/{n}/{'x' * (n * 17 % 900)} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                line.answer()

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    paths = [json.loads(line)["httpRequest"]["requestUrl"].split("/")[1:3] for line in lines_at_end(s)]
    assert sorted(paths) == sorted([str(caller), str(n)] for caller in range(callers) for n in range(each))


@pytest.mark.spec("DP-149")
def test_a_request_that_runs_out_of_time_is_logged_as_504(sidecar, origin):
    hold = origin.holds("/held")
    s = sidecar(REVISION_TIMEOUT_SECONDS="1", **log("{{.Response.Code}} {{.Response.Size}}"))
    assert s.get("/held").status == 504
    assert lines(s, 1) == ["504 15"]
    hold.finish()


def test_an_answer_that_is_cut_is_logged_as_500_without_bytes(sidecar, app):
    s = sidecar(**log("{{.Response.Code}} {{.Response.Size}}"))
    with s.connect() as line:
        line.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        upstream = app.accept()
        upstream.request()
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning")
        line.head()
        upstream.close()
        line.ending()
    assert lines(s, 1) == ["500 0"]


def test_nobody_who_reads_costs_lines_that_are_counted_and_no_request(sidecar):
    """With its reader stuck, the sidecar serves, answers scrapes, and says later how many lines are missing."""
    read_fd, write_fd = os.pipe()
    s = sidecar(out=write_fd, PENSTOCK_QUIET_MS="0", PENSTOCK_LOG_BACKLOG_BYTES="65536", **log("{{.Request.URL.Path}}"))
    os.close(write_fd)
    count = 2000
    with s.connect() as line:
        for n in range(count):
            line.send(f"GET /{n}/{'x' * 200} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert line.answer().status == 200
    assert s.get("/metrics", port=STATS_PORT).status == 200
    seen = bytearray()

    def read() -> None:
        while piece := os.read(read_fd, 65536):
            seen.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    s.term()
    assert s.status(30) == 0
    reader.join(PATIENCE_S)
    os.close(read_fd)
    said = seen.decode().splitlines()
    missing = sum(json.loads(line)["dropped"] for line in said if line.startswith("{"))
    assert missing > 0
    assert sum(line.startswith("/") for line in said) + missing == count


def test_lines_of_http2_streams_say_so(sidecar):
    s = sidecar(PENSTOCK_APP_PROTOCOL="http1", **log("{{.Request.Proto}} {{.Request.Method}} {{.Request.Host}}"))
    subprocess.run(["curl", "-s", "--http2-prior-knowledge", s.url("/")], capture_output=True, timeout=30, check=False)
    assert lines(s, 1)[0].startswith(f"HTTP/2.0 GET {s.address}:")
