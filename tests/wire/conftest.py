"""Fixtures of the conversations: what more than one file of them begins with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.line import Line
from tests.origin import Origin
from tests.proxyfixture import Proxy, request_bytes

Warm = tuple[Proxy, Line, Line]


@pytest.fixture
def warm(proxy: Callable[..., Proxy], app: Origin) -> Warm:
    """A proxy, a caller, and a connection of the app; one request has gone over both."""
    p = proxy()
    caller = p.saying(request_bytes("GET /warm"))
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    caller.answer()
    return p, caller, up
