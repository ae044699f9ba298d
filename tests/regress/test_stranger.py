"""Stranger: who does not speak HTTP is not answered in HTTP; h2spec's broken preface (3.5, case 2) was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proxyfixture import Proxy

Make = Callable[..., Proxy]

STRANGERS = {
    "broken-preface": b"INVALID CONNECTION PREFACE\r\n\r\n",
    "tls": b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
}
CLUMSY = {
    "no-version": b"GET /\r\n\r\n",
    "own-method": b"FETCH / HTTP/one\r\n\r\n",
}


@pytest.mark.parametrize("said", STRANGERS.values(), ids=STRANGERS.keys())
def test_a_stranger_hears_nothing_and_the_connection_ends(proxy: Make, said: bytes) -> None:
    with proxy() as p:
        line = p.saying(said)
        assert line.rest() == b""
        p.until(faults={"bad_request_line": 1})


@pytest.mark.parametrize("said", CLUMSY.values(), ids=CLUMSY.keys())
def test_a_client_that_tries_is_told_what_is_wrong(proxy: Make, said: bytes) -> None:
    line = proxy().saying(said)
    assert line.answer().status == 400


def test_on_a_kept_connection_garbage_is_answered(proxy: Make) -> None:
    line = proxy().saying(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert line.answer().body == b"hello"
    line.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
    assert line.answer().status == 400
