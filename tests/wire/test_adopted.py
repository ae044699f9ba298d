"""Adopted: a listening socket that belongs to somebody else as well."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from tests.gatewayfixture import PRIVATE, Gateway
from tests.line import dial
from tests.proxyfixture import request_bytes

WATCHED_S = 0.3


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    made = Gateway(workers=request.param)
    yield made
    made.close()


def test_callers_come_by_it_and_it_outlives_the_listener(gateway: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as kept:
        port = kept.getsockname()[1]
        gateway.engine.close(PRIVATE)
        gateway.engine.adopt(PRIVATE, kept.fileno())
        for _ in range(4):
            line = dial(port)
            line.send(request_bytes("GET /"))
            assert line.answer().status == 404
            line.close()
        gateway.engine.close(PRIVATE)
        with socket.create_connection(("127.0.0.1", port)) as waiting:
            before_s = time.process_time()
            time.sleep(WATCHED_S)  # a worker that still watched the socket would spin
            assert time.process_time() - before_s < WATCHED_S / 2
            kept.setblocking(True)
            taken, address = kept.accept()
            assert address == waiting.getsockname(), "the next one gets the caller"
            taken.close()


def test_a_descriptor_that_is_none_is_refused(gateway: Gateway) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    gateway.engine.close(PRIVATE)
    with pytest.raises(OSError, match=f"cannot listen on descriptor {writer}"):
        gateway.engine.adopt(PRIVATE, writer)
