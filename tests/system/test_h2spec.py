"""h2spec: the HTTP/2 conformance tester finds nothing, on the cleartext and on the TLS port."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.certificates import Pair
from tests.sidecarfixture import TLS_PORT, Sidecar
from tests.system.tools import GoApp, go_tool, output
from tests.waiting import until

Make = Callable[..., Sidecar]


def verdict(started: Sidecar, port: int, *options: str) -> str:
    """The last line: how many cases there were, and how they ended.

    Some cases send a frame on a stream that is open, and the answer must not have ended it by then.
    """
    command = (go_tool("h2spec"), "--strict", "-h", started.address, "-p", port, "-P", "/later", "-o", 5, *options)
    return re.findall(r"^\d+ tests, .*$", output(*command, patience_s=240), re.MULTILINE)[-1]


@pytest.mark.spec("DP-014")
def test_every_case_passes_in_cleartext(sidecar: Make, go_app: GoApp) -> None:
    started = sidecar(go_app.port)
    assert re.fullmatch(r"(\d+) tests, \1 passed, 0 skipped, 0 failed", verdict(started, started.port))


@pytest.mark.spec("DP-157")
def test_every_case_passes_over_tls(sidecar: Make, go_app: GoApp, pair: Pair) -> None:
    started = sidecar(go_app.port, PENSTOCK_CERT_DIR=pair.cert_file.parent)
    until(lambda: started.accepts(TLS_PORT), "the TLS port accepts")
    assert re.fullmatch(r"(\d+) tests, \1 passed, 0 skipped, 0 failed", verdict(started, TLS_PORT, "-t", "-k"))
