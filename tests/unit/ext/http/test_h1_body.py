"""h1_body: framing taken off, chunk by chunk; trailers."""

import pytest

from ext.testing.http import Body


def chunked(data: bytes, **limits):
    body = Body("chunked", **limits)
    return body, *body.feed(data)


def test_no_body_is_done_at_once():
    assert Body("none").feed(b"next") == ("done", b"", 0)


def test_a_length_takes_so_many_bytes():
    body = Body("length", 5)
    assert body.feed(b"abc") == ("again", b"abc", 3)
    assert body.feed(b"defg") == ("done", b"de", 2)
    assert body.feed(b"g") == ("done", b"", 0)


def test_a_length_of_zero_is_done_at_once():
    assert Body("length", 0).feed(b"x") == ("done", b"", 0)


def test_a_length_is_done_without_another_byte():
    body = Body("length", 3)
    assert body.feed(b"abc") == ("done", b"abc", 3)


def test_until_close_never_ends_by_itself():
    body = Body("until_close", of_request=False)
    assert body.feed(b"abc") == ("again", b"abc", 3)
    assert body.finished_by_close()
    assert not Body("length", 3).finished_by_close()
    assert not Body("chunked").finished_by_close()


def test_chunks_are_joined_and_what_follows_is_left():
    body, result, data, used = chunked(b"5\r\nhello\r\n000A\r\n0123456789\r\n0\r\n\r\nGET /")
    assert (result, data, used) == ("done", b"hello0123456789", 33)
    assert body.trailers() == []


def test_a_chunk_is_handed_out_where_it_lies_before_it_is_complete():
    body = Body("chunked")
    assert body.feed(b"ff\r\nabc") == ("again", b"abc", 7)
    assert body.feed(b"def") == ("again", b"def", 3)


@pytest.mark.parametrize("size", [b"7fffffffffffffff", b"000000000000000f", b"F", b"aBc"])
def test_sizes_are_hexadecimal(size):
    result, data, _ = Body("chunked").feed(size + b"\r\nx")
    assert (result, data) == ("again", b"x")


@pytest.mark.parametrize(
    "size",
    [
        b"", b" 5", b"5 ", b"5\t", b"+5", b"-5", b"0x5", b"5h", b"g", b"8000000000000000", b"ffffffffffffffff",
        b"00000000000000005", b"10000000000000000", b"5,", b"\x005", b"5\x00", b"5 ;a=b", b"_5", b"1_0", b".5",
    ],
)  # fmt: skip
def test_a_size_that_is_none_is_refused(size):
    assert chunked(size + b"\r\nhello\r\n0\r\n\r\n")[1] == "bad_request_chunk"
    assert chunked(size + b"\r\nhello\r\n0\r\n\r\n", of_request=False)[1] == "bad_response_chunk"


@pytest.mark.parametrize(
    "data",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhellox\r\n0\r\n\r\n",
        b"5\r\nhell\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n",
        b"5\r\rhello",
        b"5\r\nhello\r\r\n",
        b"5;a\nhello\r\n0\r\n\r\n",
        b"5;a\x00\r\nhello",
        b"5;a\rb\r\nhello",
        b"\r\n5\r\nhello",
    ],
)
def test_framing_that_some_read_otherwise_is_refused(data):
    assert chunked(data)[1] == "bad_request_chunk"


@pytest.mark.parametrize("data", [b"0\r\n\n", b"0\r\n\rx", b"0\r\nX: 1\n\r\n", b"0\r\nX: 1\r\n\n", b"0\r\nX: 1\r\n\rx"])
def test_a_trailer_section_ends_with_crlf(data):
    assert chunked(data)[1] == "bad_request_trailer"
    assert chunked(data, of_request=False)[1] == "bad_response_trailer"


def test_extensions_are_dropped():
    _, result, data, _ = chunked(b'5;a;b=c;d="e;f,g"\r\nhello\r\n0;last\r\n\r\n')
    assert (result, data) == ("done", b"hello")


def test_a_size_line_is_bounded():
    assert chunked(b"5;" + b"x" * 4093 + b"\r\nhello")[1] == "again"
    assert chunked(b"5;" + b"x" * 4096 + b"\r\nhello")[1] == "bad_request_chunk"


def test_extensions_may_not_outweigh_the_body():
    assert chunked(b"1;xxxxxxxxxx\r\na\r\n" * 5000)[1] == "bad_request_chunk"
    assert chunked(b"100;xxxxxxxxxx\r\n" * 1 + b"a" * 256 + b"\r\n")[1] == "again"
    paid = b"100;" + b"x" * 80 + b"\r\n" + b"a" * 256 + b"\r\n"
    assert chunked(paid * 5000)[1] == "again"


def test_trailers_come_after_the_end():
    body, result, data, used = chunked(b"3\r\nabc\r\n0\r\nGrpc-Status: 0\r\nX-Sum:  1 \r\n\r\nrest")
    assert (result, data) == ("done", b"abc")
    assert used == len(b"3\r\nabc\r\n0\r\nGrpc-Status: 0\r\nX-Sum:  1 \r\n\r\n")
    assert body.trailers() == [(b"Grpc-Status", b"0"), (b"X-Sum", b"1")]


@pytest.mark.parametrize("line", [b"Content-Length: 5", b"transfer-encoding: chunked", b"HOST: a"])
def test_a_trailer_that_frames_or_routes_is_refused(line):
    assert chunked(b"0\r\nX: 1\r\n" + line + b"\r\n\r\n")[1] == "bad_request_trailer"


def test_a_trailer_that_means_nothing_there_is_dropped():
    lines = b"Connection: x\r\nAuthorization: a\r\nX: 1\r\nSet-Cookie: c\r\nK-Network-Probe: queue\r\nTrailer: x\r\n"
    assert chunked(b"0\r\n" + lines + b"\r\n")[0].trailers() == [(b"X", b"1")]


@pytest.mark.parametrize("line", [b"X : 1", b": 1", b"X", b"X: a\x00", b"X: a\r\n b", b" X: 1"])
def test_a_malformed_trailer_is_refused_before_the_end_is_told(line):
    assert chunked(b"0\r\n" + line + b"\r\n\r\n")[1] == "bad_request_trailer"


def test_trailers_are_bounded():
    assert chunked(b"0\r\n" + b"X: 1\r\n" * 10 + b"\r\n", fields_max=10)[1] == "done"
    assert chunked(b"0\r\n" + b"X: 1\r\n" * 11 + b"\r\n", fields_max=10)[1] == "request_trailer_too_large"
    assert chunked(b"0\r\nX: " + b"x" * 2000, head_max=1000)[1] == "request_trailer_too_large"
    assert chunked(b"0\r\nX: " + b"x" * 2000, head_max=1000, of_request=False)[1] == "response_trailer_too_large"
    assert chunked(b"0\r\nX: " + b"x" * 992 + b"\r\n\r\n", head_max=999)[1] == "done"
    assert chunked(b"0\r\nX: " + b"x" * 993 + b"\r\n\r\n", head_max=999)[1] == "request_trailer_too_large"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"5\nhello\r\n0\r\n\r\n", ["line_end"]),
        (b"5\r\nhello\n0\r\n\r\n", ["line_end"]),
        (b"5\r\nhello\r\n0\n\n", ["line_end"]),
        (b"5 \t \r\nhello\r\n0\r\n\r\n", ["chunk_space"]),
        (b" 5\r\nhello\r\n0\r\n\r\n", ["chunk_space"]),
        (b"5 ;a\r\nhello\r\n0\r\n\r\n", ["chunk_space"]),
        (b"5\r\nhello\r\n0\r\nX: 1\n\n", ["line_end"]),
        (b"5\r\nhello\r\n0\r\nX: 1\r\n 2\r\n\r\n", ["fold"]),
    ],
)
def test_what_has_one_reading_left_is_mended_when_observing(data, cause):
    body, result, content, used = chunked(data, observe=True)
    assert (result, content, used) == ("done", b"hello", len(data))
    assert body.mended() == cause


@pytest.mark.parametrize(
    "data", [b"5;a\nhello\r\n0\r\n\r\n", b"5\rhello", b"5 5\r\nhello", b"\nhello", b"5\r\nhello\r0"]
)
def test_observing_forgives_nothing_that_may_be_read_twice(data):
    assert chunked(data, observe=True)[1] == "bad_request_chunk"


@pytest.mark.parametrize(
    ("framing", "length", "data", "used", "ends"),
    [
        ("length", 5, b"hello", 5, True),
        ("length", 6, b"hello", 5, False),
        ("chunked", -1, b"5\r\nhello\r\n0\r\n\r\nnext", 8, True),
        ("chunked", -1, b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n", 8, False),
        ("chunked", -1, b"5\r\nhello\r\n0\r\n\r", 8, False),
        ("chunked", -1, b"6\r\nhello", 8, False),
        ("until_close", -1, b"hello", 5, False),
    ],
)
def test_the_last_piece_is_told_when_its_end_is_in_sight(framing, length, data, used, ends):
    body = Body(framing, length, of_request=False)
    assert body.piece(data) == (b"hello", used)
    assert body.ends_here(data[used:]) is ends
    assert (body.feed(data[used:])[0] == "done") is (ends or b"X: 1" in data)
