"""h1_write: heads and chunk sizes as bytes."""

import pytest

from ext.testing.http import Message, chunk_head, write_made

REQUEST = b"POST /x?y HTTP/1.1\r\nHost: a\r\nx-odd:  spaced  \r\nContent-Length: 5\r\nZ:\r\n\r\n"


def test_a_clean_request_comes_out_as_it_came_in():
    assert Message(REQUEST).written() == REQUEST


@pytest.mark.parametrize("name", [b"host", b"x-odd", b"content-length", b"z"])
def test_a_field_taken_out_leaves_the_others_as_they_are(name):
    lines = [line for line in REQUEST.split(b"\r\n") if not line.lower().startswith(name + b":")]
    assert Message(REQUEST).written(drop=(name,)) == b"\r\n".join(lines)


def test_all_fields_may_be_taken_out():
    written = Message(REQUEST).written(drop=(b"host", b"x-odd", b"content-length", b"z"))
    assert written == b"POST /x?y HTTP/1.1\r\n\r\n"


def test_a_request_is_written_as_1_1_whatever_it_came_in():
    assert Message(b"GET / HTTP/1.0\r\n\r\n").written() == b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(("version", "text"), [(10, b"HTTP/1.0"), (11, b"HTTP/1.1")])
def test_a_response_is_written_in_the_readers_version(version, text):
    message = Message(b"HTTP/1.1 404 Gone fishing\r\nA: b\r\n\r\n", of_request=False)
    assert message.written(version=version) == text + b" 404 Gone fishing\r\nA: b\r\n\r\n"


@pytest.mark.parametrize(
    ("status", "reason"),
    [(200, b"OK"), (431, b"Request Header Fields Too Large"), (101, b"Switching Protocols"), (599, b"")],
)
def test_a_missing_reason_is_the_usual_one(status, reason):
    assert write_made(b"", b"", status, b"", []) == b"HTTP/1.1 %d %s\r\n\r\n" % (status, reason)


def test_a_head_of_plain_values_is_written():
    fields = [(b"Host", b"a"), (b"X", b""), (b"Long", b"v" * 20000)]
    written = write_made(b"GET", b"/", 0, b"", fields)
    assert written == b"GET / HTTP/1.1\r\nHost: a\r\nX: \r\nLong: " + b"v" * 20000 + b"\r\n\r\n"


def test_trailers_are_fields_and_an_empty_line():
    assert write_made(b"", b"", 200, b"", [(b"Grpc-Status", b"0")], version=0) == b"Grpc-Status: 0\r\n\r\n"
    assert write_made(b"", b"", 200, b"", [], version=0) == b"\r\n"


@pytest.mark.parametrize("n", [0, 1, 9, 10, 15, 16, 255, 256, 8192, 65535, 65536, 2**32, 2**63 - 1, 2**64 - 1])
def test_a_chunk_size_is_hexadecimal(n):
    assert chunk_head(n) == b"%x\r\n" % n


def test_what_the_connection_adds_is_written_before_the_other_fields():
    extra = ((b"Host", b"b"), (b"Connection", b"close"))
    written = Message(REQUEST).written(drop=(b"host",), extra=extra)
    assert written.startswith(b"POST /x?y HTTP/1.1\r\nHost: b\r\nConnection: close\r\nx-odd:  spaced  \r\n")
    response = Message(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", of_request=False)
    assert response.written(extra=((b"Date", b"x"),)) == b"HTTP/1.1 200 OK\r\nDate: x\r\nA: b\r\n\r\n"


@pytest.mark.parametrize("around", [b"5", b" 5\t", b"  5", b"\t5", b" 5 "])
def test_what_frames_or_routes_is_written_with_one_space(around):
    message = Message(b"POST / HTTP/1.1\r\nHost:\ta\r\nContent-Length:" + around + b"\r\nX:\t1\t\r\n\r\n")
    assert message.written() == b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX:\t1\t\r\n\r\n"
