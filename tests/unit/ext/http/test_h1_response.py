"""h1_parse: status lines and the framing of responses."""

import pytest

from ext.testing.http import Message


def response(fields: bytes = b"", line: bytes = b"HTTP/1.1 200 OK", **limits) -> Message:
    return Message(line + b"\r\n" + fields + b"\r\n", of_request=False, **limits)


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK", 200, b"OK"),
        (b"HTTP/1.0 200 OK", 200, b"OK"),
        (b"HTTP/1.1 100 Continue", 100, b"Continue"),
        (b"HTTP/1.1 599 ", 599, b""),
        (b"HTTP/1.1 404 not  here\tat all", 404, b"not  here\tat all"),
        (b"HTTP/1.1 404 caf\xe9", 404, b"caf\xe9"),
    ],
)
def test_a_status_line_is_read(line, status, reason):
    view = response(line=line).view()
    assert (view["status"], view["reason"]) == (status, reason)


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2.0 200 OK", b"HTTP/1.2 200 OK", b"HTTP/0.9 200 OK", b"http/1.1 200 OK", b"HTTP/1.1  200 OK",
        b"HTTP/1.1 099 x", b"HTTP/1.1 600 x", b"HTTP/1.1 999 x", b"HTTP/1.1 20 x", b"HTTP/1.1 2000 x",
        b"HTTP/1.1 2x0 x", b"HTTP/1.1 +20 x", b"HTTP/1.1200 OK", b" HTTP/1.1 200 OK", b"HTTP/1.1 200\tOK",
        b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 200 O\x7fK", b"ICY 200 OK", b"HTTP/1.1", b"HTTP/1.1 ", b"",
        b"\r\nHTTP/1.1 200 ",        b"<html>hello</html>", b"HTTP/1.1 000 x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("observe", [False, True])
def test_a_malformed_status_line_is_refused(line, observe):
    assert response(line=line, observe=observe).result == "bad_response_line"


def test_the_space_behind_the_status_is_mended():
    assert response(line=b"HTTP/1.1 200").result == "bad_response_line"
    mended = response(line=b"HTTP/1.1 200", observe=True)
    assert mended.view()["mended"] == ["status_space"]
    assert mended.written() == b"HTTP/1.1 200 OK\r\n\r\n"


def test_the_start_line_ends_with_crlf():
    assert Message(b"HTTP/1.1 200 OK\n\r\n", of_request=False).result == "bad_response_line_end"
    assert Message(b"HTTP/1.1 200 OK\r\r\n\r\n", of_request=False).result == "bad_response_line_end"
    assert Message(b"HTTP/1.1 200 OK\n\n", of_request=False, observe=True).view()["mended"] == ["line_end"]


@pytest.mark.parametrize(
    ("fields", "framing", "length", "kept"),
    [
        (b"", "until_close", -1, False),
        (b"Content-Length: 0\r\n", "length", 0, True),
        (b"Content-Length: 7\r\nConnection: close\r\n", "length", 7, False),
        (b"Transfer-Encoding: chunked\r\n", "chunked", -1, True),
    ],
)
def test_how_a_body_ends(fields, framing, length, kept):
    view = response(fields).view()
    assert (view["framing"], view["length"], view["keep_alive"]) == (framing, length, kept)


@pytest.mark.parametrize(
    ("line", "to_head"),
    [(b"HTTP/1.1 304 x", False), (b"HTTP/1.1 200 x", True), (b"HTTP/1.1 304 x", True), (b"HTTP/1.1 404 x", True)],
)
def test_an_answer_without_a_body_still_tells_the_length(line, to_head):
    view = response(b"Content-Length: 7\r\n", line=line, to_head=to_head).view()
    assert (view["framing"], view["length"], view["keep_alive"]) == ("none", 7, True)
    assert (b"Content-Length", b"7") in view["fields"]
    assert response(b"Transfer-Encoding: chunked\r\n", line=line, to_head=to_head).view()["framing"] == "none"
    assert response(line=line, to_head=to_head).view()["keep_alive"]


@pytest.mark.parametrize("status", [b"100", b"101", b"103", b"204"])
def test_interim_answers_and_204_have_no_body_and_no_length(status):
    for fields in (b"", b"Content-Length: 0\r\n"):
        view = response(fields, line=b"HTTP/1.1 " + status + b" x").view()
        assert (view["framing"], view["length"], view["keep_alive"]) == ("none", -1, True)
        assert view["fields"] == []


@pytest.mark.parametrize("fields", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_that_must_not_be_is_not_read(fields):
    view = response(fields + b"X: 1\r\n", line=b"HTTP/1.1 204 x").view()
    assert (view["framing"], view["keep_alive"], view["fields"]) == ("none", False, [(b"X", b"1")])
    assert response(fields, line=b"HTTP/1.1 103 x").result == "bad_response_framing"
    assert response(fields, line=b"HTTP/1.1 101 x").result == "bad_response_framing"


@pytest.mark.parametrize("status", [b"200", b"204", b"304", b"404"])
def test_both_lengths_are_refused_or_mended(status):
    fields = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    line = b"HTTP/1.1 " + status + b" x"
    assert response(fields, line=line).result == "bad_response_framing"
    view = response(fields, line=line, observe=True).view()
    assert view["mended"] == ["both_lengths"]
    assert not view["keep_alive"]
    assert b"Content-Length" not in dict(view["fields"])


def test_lengths_are_as_strict_as_in_requests():
    assert response(b"Content-Length: 5, 5\r\n").result == "bad_response_length"
    assert response(b"Content-Length: 5\r\nContent-Length: 5\r\n").result == "bad_response_length"
    assert response(b"Content-Length: +5\r\n", observe=True).result == "bad_response_length"
    assert response(b"Content-Length: 5, 5\r\n", observe=True).view()["length"] == 5


@pytest.mark.parametrize("value", [b"gzip", b"identity", b"gzip, chunked", b"chunked, chunked", b"", b"xchunked"])
@pytest.mark.parametrize("observe", [False, True])
def test_a_coding_that_is_not_chunked_alone_is_refused(value, observe):
    fields = b"Transfer-Encoding: " + value + b"\r\n"
    assert response(fields, observe=observe).result == "bad_response_coding"


def test_a_coding_in_http_1_0_is_refused():
    assert response(b"Transfer-Encoding: chunked\r\n", line=b"HTTP/1.0 200 x").result == "bad_response_coding"


def test_a_switch_of_protocols_is_told():
    view = response(b"Connection: Upgrade\r\nUpgrade: websocket\r\n", line=b"HTTP/1.1 101 x").view()
    assert view["wants_upgrade"]
    assert view["upgrade"] == b"websocket"


def test_http_1_0_is_kept_only_when_it_says_so():
    line = b"HTTP/1.0 200 OK"
    assert not response(b"Content-Length: 1\r\n", line=line).view()["keep_alive"]
    assert response(b"Content-Length: 1\r\nConnection: keep-alive\r\n", line=line).view()["keep_alive"]
