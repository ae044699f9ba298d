"""Drain: who connects by HTTP/2 during a drain gets its first answer; it was told to leave before it had asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hyperframe.frame import DataFrame, GoAwayFrame, PingFrame

from tests.origin import Origin
from tests.proxyfixture import Proxy
from tests.wire.h2_line import Line, caller, request

Make = Callable[..., Proxy]


def exchange_pings(line: Line) -> None:
    """All that was sent before has been read at the other end, and what it said to that has been read here."""
    line.send(PingFrame(0, opaque_data=b"12345678"))
    line.until(lambda frame: isinstance(frame, PingFrame) and "ACK" in frame.flags)


@pytest.mark.spec("DP-161")
def test_a_connection_made_during_a_drain_carries_a_stream(proxy: Make, origin: Origin) -> None:
    p = proxy(protocol="http1")
    p.engine.drain(True)
    with caller(p.port) as line:
        exchange_pings(line)
        exchange_pings(line)
        line.head(1, request(), last=True)
        frames = line.until_end()
    assert [frame.stream_id for frame in frames if isinstance(frame, DataFrame)] == [1]
    assert any(isinstance(frame, GoAwayFrame) for frame in frames)


@pytest.mark.spec("DP-161")
def test_a_connection_that_has_carried_one_is_told_at_once(proxy: Make, origin: Origin) -> None:
    p = proxy(protocol="http1")
    with caller(p.port) as line:
        line.head(1, request(), last=True)
        assert line.until_head(1)[":status"] == "200"
        p.engine.drain(True)
        line.until_goaway()
        line.until_end()
