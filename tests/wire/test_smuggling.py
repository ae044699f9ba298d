"""Smuggling: a message that two parsers could read in two ways is refused, and the other side sees nothing of it."""

from __future__ import annotations

import pytest

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"

REFUSED = {
    "both lengths": (
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "bad_request_framing",
    ),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, "bad_request_length"),
    "same length twice": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, "bad_request_length"),
    "list of lengths": (POST + b"Content-Length: 5, 5\r\n\r\nhello", 400, "bad_request_length"),
    "signed length": (POST + b"Content-Length: +5\r\n\r\nhello", 400, "bad_request_length"),
    "hex length": (POST + b"Content-Length: 0x5\r\n\r\nhello", 400, "bad_request_length"),
    "empty length": (POST + b"Content-Length:\r\n\r\nhello", 400, "bad_request_length"),
    "huge length": (POST + b"Content-Length: 99999999999999999999\r\n\r\n", 400, "bad_request_length"),
    "chunked twice": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        "bad_request_coding",
    ),
    "chunked not last": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n", 400, "bad_request_coding"),
    "almost chunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n", 400, "bad_request_coding"),
    "quoted chunked": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n', 400, "bad_request_coding"),
    "other coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501, "unknown_request_coding"),
    "coding in 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_request_coding"),
    "space before colon": (POST + b"Content-Length : 5\r\n\r\nhello", 400, "bad_request_field"),
    "folded line": (POST + b"X-A: 1\r\n 2\r\n\r\n", 400, "bad_request_fold"),
    "folded first line": (b"GET / HTTP/1.1\r\n X: 1\r\nHost: a\r\n\r\n", 400, "bad_request_field"),
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400, "bad_request_line_end"),
    "bare CR": (POST + b"X-A: 1\rX-B: 2\r\n\r\n", 400, "bad_request_line_end"),
    "NUL": (POST + b"X-A: a\0b\r\n\r\n", 400, "bad_request_field"),
    "no colon": (POST + b"Nonsense\r\n\r\n", 400, "bad_request_field"),
    "empty name": (POST + b": x\r\n\r\n", 400, "bad_request_field"),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400, "bad_request_host"),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "bad_request_host"),
    "Host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_request_host"),
    "Host with user": (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "bad_request_host"),
    "no version": (b"GET /\r\n\r\n", 400, "bad_request_line"),
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request_line"),
    "version 2.0": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "bad_request_version"),
    "version 1.2": (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, "bad_request_version"),
    "CONNECT": (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_not_allowed"),
    "star without OPTIONS": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request_target"),
    "fragment": (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request_target"),
    "target without slash": (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request_target"),
    "other scheme": (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request_target"),
}


@pytest.mark.parametrize(("raw", "status", "fault"), REFUSED.values(), ids=REFUSED.keys())
def test_request_with_two_readings_is_refused(proxy, origin, raw, status, fault):
    p = proxy()
    caller = p.saying(raw + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = caller.answer()
    assert answer.status == status
    assert answer.head.get("Connection") == b"close"
    assert b"error=http_request_error" in answer.head.get("Proxy-Status")
    assert caller.rest() == b""
    assert p.snapshot()["faults"] == {fault: 1}
    assert origin.heads == []


BROKEN_CHUNKS = {
    "no number": b"x\r\n",
    "signed": b"+5\r\nhello\r\n",
    "prefixed": b"0x5\r\nhello\r\n",
    "too large": b"11111111111111111\r\n",
    "space before": b" 5\r\nhello\r\n",
    "space behind": b"5 \r\nhello\r\n",
    "bare LF": b"5\nhello\r\n",
    "no CRLF behind": b"5\r\nhelloXX",
    "LF behind": b"5\r\nhello\n",
    "NUL in extension": b"5;a\0b\r\nhello\r\n",
}


@pytest.mark.parametrize("chunk", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS.keys())
@pytest.mark.parametrize("before", [b"", b"3\r\nabc\r\n"], ids=["first", "later"])
def test_broken_chunk_of_a_request_cuts_the_app_and_is_answered(proxy, app, before, chunk):
    """Nobody must take the rest for whole, and nothing behind it may be read as a request."""
    p = proxy(running_max=1)
    caller = p.saying(POST + b"Transfer-Encoding: chunked\r\n\r\n" + before)
    up = app.asked()
    if before:
        assert up.chunk() == b"abc"
    caller.send(chunk + b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = caller.answer()
    assert answer.status == 400
    assert answer.head.get("Connection") == b"close"
    assert caller.ending() in ("fin", "reset")
    assert b"0\r\n\r\n" not in up.rest()
    assert p.until(running=0)["faults"] == {"bad_request_chunk": 1}


ANSWERS = {
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "other coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "status 099": b"HTTP/1.1 099 Odd\r\n\r\n",
    "status 600": b"HTTP/1.1 600 Odd\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "version 2.0": b"HTTP/2.0 200 OK\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "space in a name": b"HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n",
    "space before colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "folded line": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "NUL": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "interim with a body": b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("raw", ANSWERS.values(), ids=ANSWERS.keys())
def test_answer_with_two_readings_is_refused(proxy, app, raw):
    p = proxy(running_max=1)
    caller = p.saying(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    up = app.asked()
    up.send(raw)
    answer = caller.answer()
    assert answer.status == 502
    assert answer.head.get("Proxy-Status").startswith(b"queue-proxy; error=http_")
    assert up.ending() in ("fin", "reset")
    assert p.until(running=0)["upstream_conns_closed"] == 1
    caller.send(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    assert app.accept().head().target == b"/next"


@pytest.mark.parametrize("chunk", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS.keys())
def test_broken_chunk_of_an_answer_cuts_both_sides(proxy, app, chunk):
    p = proxy(running_max=1)
    caller = p.saying(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    caller.head()
    assert caller.chunk() == b"abc"
    up.send(chunk + b"0\r\n\r\n")
    assert b"0\r\n\r\n" not in caller.rest()
    assert up.ending() in ("fin", "reset")
    assert p.until(running=0, conns=0)["faults"] == {"bad_response_chunk": 1}


@pytest.mark.spec("DP-081")
@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 100\r\n\r\npart", b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"],
    ids=["length", "chunked"],
)
@pytest.mark.parametrize("way", ["close", "reset"])
def test_answer_cut_short_is_seen_to_be_cut(proxy, app, framing, way):
    """Also within the first KiB: the head as sent, then the cut (spec 8)."""
    p = proxy()
    caller = p.saying(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\n" + framing)
    assert caller.head().status == 200
    getattr(up, way)()
    assert caller.rest() in (b"part", b"4\r\npart\r\n")
    p.until(conns=0)


@pytest.mark.parametrize("end", ["shut", "close", "reset"])
def test_request_cut_short_is_seen_to_be_cut(proxy, app, end):
    p = proxy(running_max=1)
    caller = p.saying(POST + b"Content-Length: 100\r\n\r\npart")
    up = app.asked()
    assert up.read(4) == b"part"
    getattr(caller, end)()
    assert up.ending() in ("fin", "reset")
    p.until(running=0)
