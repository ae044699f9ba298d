"""Lost streams: what nghttp2 still has to send of streams whose connection ends badly is not looked for any more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.origin import Origin
from tests.proxyfixture import Proxy

Make = Callable[..., Proxy]

ASK = "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: "
GARBAGE = b"PRI * HTTP/2\xea\x1f\r\n\r\n"


@pytest.mark.spec("DP-031")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("probe", ["K-Network-Probe: probe", "K-Network-Probe: stranger"])
def test_an_upgrade_that_is_answered_at_once_and_followed_by_garbage_ends_alone(
    proxy: Make, origin: Origin, method: str, probe: str
) -> None:
    with proxy() as p:
        line = p.connect()
        head = "\r\n".join((f"{method} / HTTP/1.1", "Host: a", *ASK, probe, "K-Network-Hash: a", "", "")).encode()
        line.send(head + GARBAGE)
        line.rest()
        assert p.get("/").status == 200
