"""App: apps that die, stall or lie behind a whole sidecar; what they break is seen as broken, and nothing hangs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from loadtests.tools import program
from tests.line import Line
from tests.origin import Call, Origin
from tests.sidecarfixture import Sidecar

Make = Callable[..., Sidecar]

LIMITS = {"REVISION_RESPONSE_START_TIMEOUT_SECONDS": 30, "REVISION_IDLE_TIMEOUT_SECONDS": 30}
TRUNCATED, FAILED_STREAM = 18, 92
"""Exit statuses of curl."""


def dies(head: bytes, end: Callable[[Line], None]) -> Callable[[Call], None]:
    """A script that sends the beginning of an answer, and then ends its connection."""

    def script(call: Call) -> None:
        call.send(head)
        end(call.line)

    return script


@pytest.mark.spec("DP-081", "DP-107")
@pytest.mark.parametrize("end", [Line.reset, Line.close], ids=["reset", "fin"])
@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 10\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    ids=["length", "chunked"],
)
@pytest.mark.parametrize(("option", "status"), [("--http1.1", TRUNCATED), ("--http2-prior-knowledge", FAILED_STREAM)])
def test_an_answer_that_the_app_breaks_off_is_seen_as_broken(
    sidecar: Make, origin: Origin, option: str, status: int, head: bytes, end: Callable[[Line], None]
) -> None:
    origin.runs("/half", dies(b"HTTP/1.1 200 OK\r\n" + head, end))
    started = sidecar(CONTAINER_CONCURRENCY=1, PENSTOCK_APP_PROTOCOL="http1", **LIMITS)
    command = [program("curl"), "-s", "--max-time", "20", option]
    assert subprocess.run([*command, started.url("/half")], stdout=subprocess.DEVNULL).returncode == status
    assert subprocess.run([*command, started.url("/")], capture_output=True).stdout == b"hello"


@pytest.mark.spec("DP-107")
@pytest.mark.parametrize("end", [Line.reset, Line.close], ids=["reset", "fin"])
def test_an_app_that_dies_before_its_answer_is_502_and_the_slot_comes_back(
    sidecar: Make, origin: Origin, end: Callable[[Line], None]
) -> None:
    origin.runs("/dies", lambda call: end(call.line))
    started = sidecar(CONTAINER_CONCURRENCY=1, **LIMITS)
    for _ in range(15):
        answer = started.get("/dies")
        assert answer.status == 502
        assert answer.head.get("Proxy-Status") is not None
    assert started.get("/").body == b"hello"
