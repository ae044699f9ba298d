"""PENSTOCK_STRICT=observe: what has one reading left after mending is mended, forwarded as mended, and counted."""

from __future__ import annotations

import pytest

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"

MENDED_REQUESTS = {
    "same length twice": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", b"hello", "lengths"),
    "list of lengths": (POST + b"Content-Length: 5, 5\r\n\r\nhello", b"hello", "lengths"),
    "bare LF": (b"POST / HTTP/1.1\nHost: a\nContent-Length: 5\n\nhello", b"hello", "line_end"),
    "folded line": (POST + b"X-A: 1\r\n 2\r\nContent-Length: 5\r\n\r\nhello", b"hello", "fold"),
    "space before colon": (POST + b"X-A : 1\r\nContent-Length: 5\r\n\r\nhello", b"hello", "name_space"),
    "both lengths": (
        POST + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"hello",
        "both_lengths",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "body", "cause"), MENDED_REQUESTS.values(), ids=MENDED_REQUESTS.keys())
def test_sloppy_request_is_forwarded_mended_and_counted(proxy, app, raw, body, cause):
    p = proxy(observe=True)
    p.saying(raw)
    up = app.accept()
    head, got = up.request()
    assert got == body
    assert b"\n" not in head.raw.replace(b"\r\n", b"")
    assert not any(line.startswith((b" ", b"\t")) for line in head.raw.split(b"\r\n"))
    assert len(head.all("Content-Length")) + len(head.all("Transfer-Encoding")) == 1
    assert all(name == name.strip() for name, _ in head.fields)
    assert p.snapshot()["mended"] == {cause: 1}


MENDED_ANSWERS = {
    "same length twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "lengths"),
    "bare LF": (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "line_end"),
    "folded line": (b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\t2\r\nContent-Length: 5\r\n\r\nhello", "fold"),
    "space before colon": (b"HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length: 5\r\n\r\nhello", "name_space"),
    "both lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "both_lengths",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "cause"), MENDED_ANSWERS.values(), ids=MENDED_ANSWERS.keys())
def test_sloppy_answer_is_forwarded_mended_and_counted(proxy, app, raw, cause):
    p = proxy(observe=True)
    sent = p.send("GET /")
    up = app.asked()
    up.send(raw)
    answer = sent.line.answer()
    assert answer.body == b"hello"
    assert b"\n" not in answer.head.raw.replace(b"\r\n", b"")
    assert len(answer.head.all("Content-Length")) + len(answer.head.all("Transfer-Encoding")) == 1
    assert p.snapshot()["mended"] == {cause: 1}


def test_chunks_with_bare_lf_are_mended(proxy, app):
    p = proxy(observe=True)
    p.saying(POST + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n")
    assert app.accept().request()[1] == b"hello"
    assert p.until(mended={"line_end": 1})


@pytest.mark.parametrize(
    "raw",
    [
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        POST + b"X-A: a\0b\r\n\r\n",
    ],
    ids=["two lengths", "chunked not last", "two Hosts", "NUL"],
)
def test_what_has_two_readings_left_is_refused_all_the_same(proxy, origin, raw):
    caller = proxy(observe=True).saying(raw)
    assert caller.answer().status == 400
    assert caller.rest() == b""
    assert origin.heads == []


def test_connection_ends_after_both_lengths(proxy, origin):
    """Whoever sent both may be a smuggler, or one's victim (RFC 9112 6.1)."""
    p = proxy(observe=True)
    caller = p.connect()
    caller.send(
        POST
        + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    assert caller.answer().head.get("Connection") == b"close"
    assert caller.ending() in ("fin", "reset")
    assert [head.target for head in origin.heads] == [b"/"]
