"""The announcer: when it speaks, what it says, and that nothing it meets concerns the pod."""

from __future__ import annotations

import contextlib
import http.server
import json
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataplane import announcer
from dataplane.announcer import Announcer
from dataplane.config.schema import Announce, Identity, Probe, Readiness
from dataplane.contract.announcement import PATH, TOKEN_FOLDER, TOKEN_NAME
from dataplane.contract.env import SidecarEnv
from dataplane.contract.record import defaults_of
from dataplane.logs import INFO, WARN
from tests.unit.dataplane.sidecar_env import settings

WAIT_S = 20
IDENTITY = Identity(
    namespace="ns", service="hello", configuration="hello", revision="hello-00001", pod="pod-a", pod_ip="10.0.0.7",
    telemetry_pod="", telemetry_service="",
)  # fmt: skip


class Autoscaler(http.server.BaseHTTPRequestHandler):
    """Answers with the statuses that it was given, the last one again and again."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, self.headers["Authorization"], json.loads(body)))
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def autoscaler(*statuses: int) -> Iterator[http.server.HTTPServer]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Autoscaler)
    server.heard, server.statuses = [], list(statuses)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Prober:
    """Answers by script, the last answer again and again."""

    def __init__(self, *ready: bool) -> None:
        self.ready = list(ready)
        self.asked = queue.Queue()

    def ask(self, call) -> None:
        self.asked.put(None)
        call.answer(200 if (self.ready.pop(0) if len(self.ready) > 1 else self.ready[0]) else 503, b"", b"")


class Paper:
    def __init__(self) -> None:
        self.lines = queue.Queue()

    def tell(self, level: int, message: str, fields: dict[str, object]) -> None:
        self.lines.put((level, fields.get("error", "")))

    def next(self) -> tuple[int, str]:
        return self.lines.get(timeout=WAIT_S)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch) -> None:
    monkeypatch.setattr(announcer, "LOOK_S", 0.001)
    monkeypatch.setattr(announcer, "PAUSES_S", (0.001,) * 6)


def start(port: int, folder: Path, prober: Prober, *probes: Probe) -> tuple[Announcer, Paper]:
    (folder / "token").write_text("the-token\n")
    announce, paper = Announce(host="127.0.0.1", port=port, token_file=str(folder / "token")), Paper()
    made = Announcer(announce, IDENTITY, Readiness(probes=probes), prober, paper.tell)
    made.start()
    return made, paper


def test_it_speaks_once_the_app_is_ready(tmp_path):
    with autoscaler(204) as server:
        prober = Prober(False, False, True)
        _, paper = start(server.server_port, tmp_path, prober)
        assert paper.next() == (INFO, "")
        said = {"pod": "ns/pod-a", "revision": "ns/hello-00001", "address": "10.0.0.7"}
        assert server.heard == [(PATH, "Bearer the-token", said)]
        assert prober.asked.qsize() == 3


def test_successes_in_a_row_are_counted_where_kubelet_counts_them(tmp_path):
    with autoscaler(204) as server:
        prober = Prober(True, False, True, True, True)
        probe = Probe(kind="tcp", port=1, period_s=1, success_threshold=3)
        _, paper = start(server.server_port, tmp_path, prober, probe)
        assert paper.next() == (INFO, "")
        assert prober.asked.qsize() == 5


def test_what_may_pass_is_tried_again(tmp_path):
    with autoscaler(503, 429, 204) as server:
        _, paper = start(server.server_port, tmp_path, Prober(True))
        assert paper.next() == (INFO, "")
        assert len(server.heard) == 3


@pytest.mark.parametrize(("status", "count"), [(401, 1), (403, 1), (503, 7)])
def test_it_gives_up_with_one_line(tmp_path, status, count):
    with autoscaler(status) as server:
        _, paper = start(server.server_port, tmp_path, Prober(True))
        assert paper.next() == (WARN, f"the answer was {status}")
        assert len(server.heard) == count


def test_nobody_there_is_a_line_as_well(tmp_path):
    with autoscaler(204) as server:
        port = server.server_port
    _, paper = start(port, tmp_path, Prober(True))
    assert paper.next() == (WARN, "connection refused")


def test_no_token_is_a_line_as_well(tmp_path):
    paper = Paper()
    announce = Announce(host="127.0.0.1", port=1, token_file=str(tmp_path / "none"))
    Announcer(announce, IDENTITY, Readiness(), Prober(True), paper.tell).start()
    level, why = paper.next()
    assert level == WARN
    assert "No such file" in why


def test_a_pod_that_leaves_before_it_was_ready_says_nothing(tmp_path):
    with autoscaler(204) as server:
        prober = Prober(False)
        made, paper = start(server.server_port, tmp_path, prober)
        prober.asked.get(timeout=WAIT_S)
        made.end()
        made.end()
        prober.ready[:] = [True]
        while True:
            try:
                prober.asked.get(timeout=0.2)
            except queue.Empty:
                break
        assert (server.heard, paper.lines.qsize()) == ([], 0)


@pytest.mark.parametrize(
    ("said", "host", "port", "place"),
    [
        ("autoscaler.knative-serving:8092", "autoscaler.knative-serving", 8092, "autoscaler.knative-serving:8092"),
        ("[fd00::1]:8092", "fd00::1", 8092, "[fd00::1]:8092"),
    ],
)
def test_whom_to_tell_is_a_setting(said, host, port, place):
    announce = settings(PENSTOCK_ANNOUNCE_ADDRESS=said).announce
    assert (announce.host, announce.port, announce.place) == (host, port, place)


def test_nobody_is_told_by_default():
    assert settings().announce is None


@pytest.mark.parametrize("said", ["8092", "host:", ":8092", "host:0", "host:99999", "fd00::1:8092", "hóst:1", "h:x"])
def test_an_address_that_cannot_be_used_is_odd_and_no_reason_to_stop(said):
    made = settings(PENSTOCK_ANNOUNCE_ADDRESS=said)
    assert made.announce is None
    assert [warning.where for warning in made.warnings] == ["PENSTOCK_ANNOUNCE_ADDRESS"]


def test_the_token_is_looked_for_where_the_controller_mounts_it():
    assert defaults_of(SidecarEnv)["penstock_announce_token_file"] == f"{TOKEN_FOLDER}/{TOKEN_NAME}"
